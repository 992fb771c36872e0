"""`ottla control init`: makes the control topic, and lets its log be born."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from agent.commands.control_reach import Reached, Topic, reaching
from agent.commands.options import config, output, tell_taken
from agent.config.participant import participant
from agent.control.fold import LogGap
from agent.control.overview import overview
from agent.control.state import State
from agent.control_topic.birth import AlreadyBorn, BornElsewhere, bear, folded
from agent.control_topic.creation import create
from agent.control_topic.own_cluster import other_cluster
from agent.control_topic.start import beginning
from agent.kafka.errors import KafkaError, LogRecreated

KNOWN_S = 60.0  # until a topic that was made or deleted is so on the broker that is asked
MAX_ID = 64
LOOK_S = 0.2


@click.command()
@click.option("--after", default="", metavar="OLD", help="The log that this one replaces: its topic id.")
@click.option("--recreate", is_flag=True, help="Delete the topic that is there first (with --after).")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
@config
@output
def init(**options: Any) -> None:
    """Make the control topic with the settings that it needs, and write the first record of its log.

    What is there already is left as it is; exit code 1 where that is not as it must be.

    Agents that have taken part in a log do nothing in another one, unless that says whose place it takes:
    after the topic was lost, --after OLD names the log that was in it (the agents say which they wait for).
    Where the topic came back by itself and its log was born without that, add --recreate.
    """
    if options["recreate"] and not options["after"]:
        raise click.UsageError("--recreate loses a log: say with --after OLD whose place the new one takes")
    if len(options["after"]) > MAX_ID:
        raise click.BadParameter("that is no topic's id", param_hint="--after")
    sys.exit(_init(**options))


@reaching
async def _init(reached: Reached, after: str, recreate: bool, yes: bool, output: str) -> int:
    if recreate:
        await _delete(reached, yes)
    made = await create(reached.admin.create_topic, reached.name)
    await _until(reached, lambda topic: topic is not None, "was made, but is not shown")
    state, born = await _born(reached, after)
    topic = await reached.existing()
    place = f", in place of {state.after}" if state.after else ""
    stranger = other_cluster(state, await reached.cluster())
    wrong = [*topic.deviations, *([stranger] if stranger else [])]
    said = [
        _made(reached.name, made),
        f"its log {state.log} is born{'' if born else ' already'}{place}",
        *(f"! {words}" for words in wrong),
    ]
    answer = {"made": made is not None, "born": born, "log": state.log, "after": state.after}
    tell_taken(output, {**answer, "cluster": state.cluster, "topic": topic.plain()}, "\n".join(said))
    return 1 if wrong else 0


def _made(name: str, replicas: int | None) -> str:
    if replicas is None:
        return f"the topic {name} is there already"
    few = "! too few brokers for three: what they lose is lost\n" if replicas < 3 else ""
    return f"{few}the topic {name} is made, with {replicas} replica{'s' if replicas > 1 else ''}"


async def _born(reached: Reached, after: str) -> tuple[State, bool]:
    """The log's state, and whether it was born now."""
    settings = replace(participant(reached.config, create=True), cluster=await reached.cluster())
    try:
        return await bear(reached.log(), settings, after), True
    except LogRecreated:  # the first broker asked knew the deleted topic only
        return await _born(reached, after)
    except BornElsewhere as error:
        raise click.ClickException(str(error)) from error
    except AlreadyBorn as error:
        if after in ("", error.state.after):
            return error.state, False
        raise click.ClickException(
            f"{error}, and not in place of {after}: "
            f"if that was a mistake, add --recreate, which loses what the log holds now"
        ) from error


async def _delete(reached: Reached, yes: bool) -> None:
    """Delete the topic and wait till it is gone; a person has seen what goes with it."""
    topic = await reached.topic()
    if topic is None:
        return
    if not yes:
        for words in await _lost(reached):
            click.echo(f"! {words}", err=True)
        click.confirm(f"delete the topic {reached.name} and all that its log holds?", abort=True, err=True)
    await reached.admin.delete_topics([reached.name])
    old = topic.partition.topic_id
    await _until(
        reached, lambda now: now is None or now.partition.topic_id != old, "was deleted, but is shown"
    )


async def _lost(reached: Reached) -> list[str]:
    """What goes with the log, a sentence each; one that cannot be read may hold anything."""
    try:
        log = reached.log()
        state = overview(await folded(log, begin=await beginning(log, snapshot=True)))
    except (KafkaError, LogGap) as error:
        return [f"its log cannot be read: {error}"]
    live = ", ".join(agent["agent"] for agent in state["agents"])
    said = [f"live on it, and idle until they are started again: {live}"] if live else []
    said += [f"claim {c['claim']} is {c['state']}: {c['kind']} of {c['holder']}" for c in state["claims"]]
    said += [f"{pause['selector']} is paused by {pause['by']}" for pause in state["pauses"]]
    return said + [f"changed by a person: {name}" for name in state["changes"] if "pause/" not in name]


async def _until(reached: Reached, happened: Callable[[Topic | None], bool], what: str) -> None:
    """A broker may not know for a moment what the controller did."""
    try:
        async with asyncio.timeout(KNOWN_S):
            while not happened(await reached.topic()):  # noqa: ASYNC110  Kafka tells nobody
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise click.ClickException(
            f"the topic {reached.name} {what} after {KNOWN_S:g} s: run this again"
        ) from None
