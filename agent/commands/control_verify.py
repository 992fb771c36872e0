"""`ottla control verify` and `status`: the log folded anew."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from agent.commands import show_fleet
from agent.commands.control_reach import Reached, reaching
from agent.commands.options import config, output, tell
from agent.commands.progress import Progress
from agent.commands.show import cleaned, when
from agent.control.audit import Audit
from agent.control.fold import Verdict
from agent.control.gossip import Gossip
from agent.control.overview import overview, rules_unwell, unwell
from agent.control.state import State
from agent.control.unrest import Unrest
from agent.control_topic.birth import folded
from agent.control_topic.own_cluster import other_cluster
from agent.control_topic.start import beginning
from agent.kafka.errors import KafkaError

EACH = 500  # records between two looks at the clock


@click.command()
@click.option("--from-start", is_flag=True, help="Fold the whole log, and not from the newest snapshot on.")
@config
@output
def status(**options: Any) -> None:
    """Show the topic, and what its log amounts to, as `ottla fleet` does.

    The log is folded from the newest snapshot that its records confirm, which it says. Exit code 1 where a
    person should look: the topic deviates, no log is born or it is another cluster's, a claim is an orphan or
    stuck, a pause stands.
    """
    sys.exit(_status(**options))


@click.command()
@click.option(
    "--from-snapshot", is_flag=True, help="Fold from the newest snapshot on: quick, and less is seen."
)
@config
@output
def verify(**options: Any) -> None:
    """Fold the whole log anew: its settings, gaps, snapshots, and whose stamps are not its own.

    Where the log's beginning was deleted, it is folded from the newest snapshot that its records confirm, as
    with --from-snapshot. Says from where, and the digest at the end: agents at the same offset must have the
    same (ottla fleet -o json). Exit code 1 where something is wrong; records without effect are none of it.
    """
    sys.exit(_verify(**options))


@reaching
async def _status(reached: Reached, from_start: bool, output: str) -> int:
    topic = await reached.existing()
    gossip, unrest, log = Gossip(), Unrest(), reached.log()

    def saw(state: State, verdict: Verdict) -> None:
        gossip.saw(state, verdict)
        unrest.saw(state, verdict)

    with Progress() as progress:
        begin = await beginning(log, snapshot=not from_start)
        state = await folded(log, counted(progress, saw), begin)
    stranger = await _stranger(reached, state)
    facts = {"topic": topic.plain(), "stranger": stranger, "folded_from": begin.words}
    answer = {**facts, **overview(state, gossip), "unrest": list(unrest.words(state))}
    wrong = [*topic.deviations, *([answer["stranger"]] if answer["stranger"] else [])]
    now = round(time.time() * 1000)
    head = _topic({**answer["topic"], "deviations": wrong})
    tell(output, answer, f"{head}\nfolded from {begin.words}\n{show_fleet.fleet(answer, now)}")
    return 1 if wrong or answer["unrest"] or unwell(answer) else 0


async def _stranger(reached: Reached, state: State) -> str:
    """That the log is of another cluster than the configuration's, in words; empty where it is not, or where
    that cluster does not answer."""
    try:
        return other_cluster(state, await reached.cluster()) or ""
    except KafkaError:
        return ""


@reaching
async def _verify(reached: Reached, from_snapshot: bool, output: str) -> int:
    topic, log = await reached.existing(), reached.log()
    with Progress() as progress:
        begin = await beginning(log, snapshot=from_snapshot)
        audit = Audit(begin.state.offset)
        state = await folded(log, counted(progress, audit.saw), begin)
    faults = [f"{topic.partition.topic}: {words}" for words in topic.deviations]
    faults += rules_unwell(overview(state))
    faults += audit.faults()
    answer = {
        "topic": topic.plain(),
        "log": state.log,
        "folded_from": begin.words,
        "offset": state.offset,
        "digest": state.digest,
        "as_of": state.time,
        "accepted": dict(sorted(audit.accepted.items())),
        "voids": dict(sorted(state.voids.items())),
        "snapshots": audit.snapshots,
        "differing": {a: {"first": d.first, "count": d.count} for a, d in sorted(audit.differing.items())},
        "faults": faults,
        "remarks": list(audit.remarks()),
    }
    tell(output, answer, _verified(cleaned(answer)))
    return 1 if faults else 0


def counted(progress: Progress, told: Callable[[State, Verdict], object]) -> Callable[[State, Verdict], None]:
    """The same, with a line of progress where it takes long."""

    def saw(state: State, verdict: Verdict) -> None:
        told(state, verdict)
        if state.offset % EACH == 0:
            progress.tell(f"folded {state.offset} records, up to {when(state.time, state.time)}")

    return saw


def _topic(topic: dict[str, Any]) -> str:
    replicas, isr = (", ".join(map(str, topic[name])) for name in ("replicas", "isr"))
    head = click.style(f"topic {topic['topic']}", bold=True)
    lines = [f"{head}, led by {topic['leader']}, replicas {replicas}, in sync {isr}"]
    return "\n".join([*lines, *(click.style(f"! {words}", fg="red") for words in topic["deviations"])])


def _verified(answer: dict[str, Any]) -> str:
    accepted = sum(answer["accepted"].values())
    void = sum(answer["voids"].values())
    lines = [_topic({**answer["topic"], "deviations": []})]
    lines += [click.style(f"! {words}", fg="red") for words in answer["faults"]]
    lines += answer["remarks"]
    lines.append(f"folded from {answer['folded_from']}")
    kinds = ", ".join(f"{count} {t}" for t, count in answer["accepted"].items())
    lines.append(f"{accepted} records accepted: {kinds}")
    if void:
        whys = ", ".join(f"{count} {why}" for why, count in answer["voids"].items())
        lines.append(f"{void} records void: {whys}")
    good = sum(not s["fault"] for s in answer["snapshots"])
    lines.append(f"{good} of {len(answer['snapshots'])} snapshots are what the log folds to")
    lines.append(f"offset {answer['offset']}: digest {answer['digest']}")
    return "\n".join(lines)
