"""After a start: claims of this agent's former life that no standing effect holds are closed."""

from __future__ import annotations

import asyncio
import logging

from agent.actions import Stopped
from agent.control_topic import Claim, ClaimState, ControlTopic, ControlUnavailable, NotAccepted
from agent.daemon.attempt import Means
from agent.kafka.errors import KafkaError
from agent.model import Entry, Kind
from agent.wire import BadEntry, decode_effect

log = logging.getLogger(__name__)
LOOK_S = 0.5
AGAIN_S = 5.0


async def close_leftover_claims(means: Means, control: ControlTopic) -> None:
    """Once the log is read to its end; a claim holds its budget until it is closed: never given up."""
    left = True
    while left:
        await asyncio.sleep(LOOK_S)
        if control.degraded or not control.caught_up:
            continue
        left = False
        for number, claim in list(control.own_claims().items()):
            if claim.state is ClaimState.DIRTY and not _held(means, number):
                left |= not await _close(means, control, number, claim)
        if left:
            await asyncio.sleep(AGAIN_S)


def _held(means: Means, number: int) -> bool:
    return any(i.claim == number for i in means.ledger.history.standing())


async def _close(means: Means, control: ControlTopic, number: int, claim: Claim) -> bool:
    """Known to the journal: it ended there. Unknown: undone from the effect that its intent carries."""
    known = [i for i in means.ledger.history.incidents.values() if i.claim == number]
    healed = bool(known) and known[-1].verdict is Kind.HEALED
    try:
        if not known:
            await _undo(means, claim)
        await control.release(number, "done" if healed else "undone")
    except (KafkaError, Stopped, OSError, BadEntry, NotAccepted, ControlUnavailable) as error:
        log.warning("claim %s of a former life is not closed yet: %s", number, error)
        return False
    words = "its incident had ended" if known else "the journal does not know it: what it set was undone"
    await means.ledger.record(
        Entry(means.clock(), Kind.AGENT, f"claim {number} closed after a restart: {words}")
    )
    return True


async def _undo(means: Means, claim: Claim) -> None:
    effect = decode_effect(claim.effect or "")
    action = means.actions.get(effect.action)
    if action is None:
        raise BadEntry(f"its action {effect.action!r} is not known to this release: a person must look")
    await action.undo(effect, means.ports)
