"""Closes claims of this agent that nothing of it holds: of a former life, or not given back in time."""

from __future__ import annotations

import asyncio
import logging

from agent.actions import Stopped
from agent.control.records import BadRecord
from agent.control_topic import Claim, ClaimState, ControlTopic, ControlUnavailable, NotAccepted, is_called
from agent.daemon.attempt import Means
from agent.kafka.errors import KafkaError
from agent.model import Entry, Kind
from agent.wire import BadEntry, decode_effect

log = logging.getLogger(__name__)
LOOK_S = 5.0


async def sweep_claims(means: Means, control: ControlTopic) -> None:
    """For ever. A claim is closed at the second look that finds nobody holding it: it may just be changing
    hands at the first. It holds its budget until it is closed, so this is never given up."""
    before: frozenset[int] = frozenset()
    while True:
        await asyncio.sleep(LOOK_S)
        if control.degraded or not control.caught_up:
            continue
        open_ = control.own_claims().items()  # an orphan is adopted before anybody closes it
        unheld = {n: c for n, c in open_ if c.state is not ClaimState.ORPHAN and not _held(means, c)}
        for number in sorted(before & unheld.keys()):
            await _close(means, control, number, unheld[number])
        before = frozenset(unheld)


def _held(means: Means, claim: Claim) -> bool:
    held = (i.claim for i in means.ledger.history.standing() if i.claim is not None)
    return any(is_called(claim, number) for number in (*means.claims, *held))


async def _close(means: Means, control: ControlTopic, number: int, claim: Claim) -> None:
    """Not dirty: cancelled. Known to the journal: as it ended. Unknown: undone from its intent's effect;
    without an intent and without an entry no effect ever left this agent."""
    known = [i for i in means.ledger.history.incidents.values() if i.claim and is_called(claim, i.claim)]
    healed = bool(known) and known[-1].verdict is Kind.HEALED
    try:
        if claim.state is not ClaimState.DIRTY:
            words, outcome = "nothing was begun under it", "cancelled"
        elif known:
            words, outcome = "its incident had ended", "done" if healed else "undone"
        elif claim.effect is None:
            words, outcome = "nothing of it was written down here: nothing was begun", "undone"
        else:
            await _undo(means, claim)
            words, outcome = "the journal does not know it: what it set was undone", "undone"
        await control.release(number, outcome)
    except (KafkaError, Stopped, OSError, BadEntry, BadRecord, NotAccepted, ControlUnavailable) as error:
        log.warning("claim %s is not closed yet: %s", number, error)
        return
    await means.ledger.record(Entry(means.clock(), Kind.AGENT, f"claim {number} closed: {words}"))


async def _undo(means: Means, claim: Claim) -> None:
    effect = decode_effect(claim.effect or "")
    action = means.actions.get(effect.action)
    if action is None:
        raise BadEntry(f"its action {effect.action!r} is not known to this release: a person must look")
    await action.undo(effect, means.ports)
