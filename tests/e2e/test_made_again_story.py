"""The control topic is deleted and made again while a throttle stands under a live agent's claim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from claimed_throttle import E_CONTROLLER, RATE, Story, behind, rates_set, topic
from fleet_steps import answered, operators_configuration, said
from kafka_relay import Relays
from scene import Scene, entries
from untouched import but_the_log, replicas

from agent.control.state import ClaimState
from agent.model import Kind

pytestmark = pytest.mark.e2e
LEADER, PATIENTS = 1, (2, 3)
ALERT = "MadeAgain"
COOLDOWN_S = 90  # as long as that the others are waited for: in the lab's 30 s two agents may not be up again
MADE_AGAIN = "the log was made again, and "


@pytest.fixture
async def relays(scene: Scene) -> AsyncIterator[Relays]:
    """They keep each change of configuration that agents send."""
    scene.agents = replace(scene.agents, servers=scene.lab.plan.relayed_bootstrap)
    async with Relays(scene.lab) as own:
        yield own


async def test_what_stands_is_declared_again_in_a_log_that_was_made_again(
    scene: Scene, relays: Relays, tmp_path: Path
) -> None:
    """They lag in one topic, which only one may throttle at once: whoever waited waits on, refused until all
    have joined, then behind the holder. The cap is 2, and the leader's throttle, by hand, is one of them."""
    operator = ("--config", str(await operators_configuration(scene, tmp_path)))
    async with behind(scene, LEADER, PATIENTS, together=True) as story, one_at_once(story):
        await story.open()
        await story.order("budget", "throttle", "--cap", "2", ask=LEADER)
        holder, other = await one_throttles_and_one_waits(story)
        old, stands = story.state.log, await throttled(story)

        words = ("control", "init", "--recreate", "--after", old, *operator, "--yes")
        made = await asyncio.to_thread(answered, scene, *words)
        assert (made["born"], made["after"]) == (True, old)
        await story.until("all agents do nothing in the new log", lambda: all_idle(story))
        assert await throttled(story) == stands
        await asyncio.gather(*(story.kill(node) for node in story.nodes))

        await started_again_one_by_one(story, holder, other, made["log"])
        assert await throttled(story) == stands, "nobody touched it"
        await undo(story, holder)
        await story.until("the other's turn", lambda: Kind.DONE in story.told(other))
        assert set(await throttled(story)) == {other}
        await undo(story, other)
        await the_log_lies_elsewhere(story)
        await story.over(ask=LEADER)
        assert [story.told(node).count(Kind.STARTED) for node in PATIENTS] == [1, 1], "I2: each once"
        assert len(rates_set(relays)) == len(PATIENTS), rates_set(relays)
        verified = await asyncio.to_thread(answered, scene, "control", "verify", *operator)
        assert (verified["faults"], verified["differing"]) == ([], {})


async def one_throttles_and_one_waits(story: Story) -> tuple[int, int]:
    """Who does what."""
    story.chapter(ALERT, "30m")

    def so() -> bool:
        told = [story.told(node) for node in PATIENTS]
        return any(Kind.DONE in one for one in told) and any(one[-1:] == [Kind.WAITING] for one in told)

    await story.until("one throttles, and the other waits for its topic", so, 90)
    holder, other = sorted(PATIENTS, key=lambda node: Kind.DONE not in story.told(node))
    assert story.is_claimed(holder, ClaimState.DIRTY)
    assert set(await throttled(story)) == {holder}
    return holder, other


async def started_again_one_by_one(story: Story, holder: int, other: int, log: str) -> None:
    """Who waited is refused, although it lags and there is room for all that the new log was born with."""
    scene = story.scene
    await scene.agents.start(holder)
    held_back = (await standing(story, holder))["held_back"]
    story.say(f"ottla status: {held_back}")
    assert [words.startswith(MADE_AGAIN) for words in held_back] == [True]
    await story.order("budget", "throttle", "--cap", "2", ask=holder)  # what people had set is lost
    times = (f"e_controller={E_CONTROLLER}ms", f"cooldown={COOLDOWN_S}s")
    await story.order("params", *times, ask=holder)
    await story.until("it is declared again", lambda: declared_again(story, holder, log), 20)
    await scene.agents.start(other)
    await story.until("the other is refused", lambda: MADE_AGAIN in refused(story, other), 30)
    story.say(f"its journal: {refused(story, other)}")
    why = await asyncio.to_thread(scene.ottla, "why", ALERT, "--socket", str(story.agent(other).socket))
    assert MADE_AGAIN in why.stdout, why.stdout
    assert story.claim(other) is None

    await scene.agents.start(LEADER)
    await story.until("nobody is kept waiting for others", lambda: nobody_waits(story), 2 * COOLDOWN_S)
    await story.until("the other waits for the holder again", lambda: behind_holder(story, other, holder), 90)


def declared_again(story: Story, holder: int, log: str) -> bool:
    """Whether the new log knows whose the throttle is."""
    return story.state.log == log and story.is_claimed(holder, ClaimState.DIRTY)


def refused(story: Story, node: int) -> str:
    """What the log objected to its claim last, in the journal's words."""
    told = [e for e in entries(story.agent(node), ALERT) if e.kind is Kind.REFUSED]
    return told[-1].reason if told and told[-1].question == "cluster's claim" else ""


def behind_holder(story: Story, other: int, holder: int) -> bool:
    """Whether that is what it says last."""
    last = entries(story.agent(other), ALERT)[-1]
    return (
        last.kind is Kind.WAITING
        and f"x:topic/{topic(PATIENTS[0])} is held by broker-{holder}" in last.reason
    )


async def standing(story: Story, node: int) -> Any:
    """What `ottla status` says of the log there; while it runs the relays go on."""
    return (await asyncio.to_thread(said, story.scene, story.agent(node), "status"))["control"]


async def nobody_waits(story: Story) -> bool:
    """Whether no agent says that others have yet to join."""
    return not any([(await standing(story, node))["held_back"] for node in story.nodes])


async def all_idle(story: Story) -> bool:
    """Whether each agent says that it does nothing with the log."""
    return all([(await standing(story, node))["degraded"] for node in story.nodes])


async def undo(story: Story, node: int) -> None:
    """By a person."""
    where = ("--socket", str(story.agent(node).socket))
    done = await asyncio.to_thread(story.scene.ottla, "undo", "--all", *where)
    assert done.returncode == 0, done.stderr


async def throttled(story: Story) -> Mapping[int, str]:
    """The patients' rates, from their brokers' own configuration."""
    found = {node: await story.scene.configs(f"broker/{node}", RATE) for node in PATIENTS}
    return {node: values[RATE] for node, values in found.items() if values}


@asynccontextmanager
async def one_at_once(story: Story) -> AsyncIterator[None]:
    """I2 all the time: the topic's followers never have more than one throttle."""
    looks: list[int] = []

    async def look() -> None:
        while True:
            looks.append(len(await throttled(story)))
            await asyncio.sleep(0.1)

    looking = asyncio.ensure_future(look())
    try:
        yield
    finally:
        looking.cancel()
        (ended,) = await asyncio.gather(looking, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended
    assert max(looks) == 1
    story.say(f"the brokers were asked {len(looks)} times: never more than one was throttled")


async def the_log_lies_elsewhere(story: Story) -> None:
    """Its brokers chose a log dir for the new topic; no other replica was moved."""
    now = await replicas(story.scene)
    assert but_the_log(now) == but_the_log(story.before["replicas"])
    story.before = {**story.before, "replicas": now}
