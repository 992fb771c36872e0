"""A person's answer to what a remedy in mode `propose` asks, written down for the next round."""

from __future__ import annotations

from agent.daemon.means import Means
from agent.history import Incident, Phase
from agent.model import Entry, Kind
from agent.surface import Refused


async def answer(means: Means, incident: str, verb: str, reason: str, by: str) -> None:
    """`verb` is approve or deny. What was denied may still be approved, as long as the alert lasts.

    Raises Refused where nothing is asked, and JournalFailed.
    """
    asked = means.ledger.history.incidents.get(incident)
    if asked is None or not may_be_answered(asked):
        raise Refused(_not_asked(means, incident, asked))
    words = f"{by}: {reason}" if reason.strip() else by
    await means.ledger.record(
        Entry(means.clock(), Kind.OPERATOR, words, incident, question=verb, decision=asked.decision)
    )


def may_be_answered(asked: Incident) -> bool:
    """Whether it is proposed, or was denied."""
    denied = asked.answer is not None and not asked.answer.approved
    return asked.phase is Phase.PROPOSED or (asked.phase is Phase.REFUSED and denied)


def _not_asked(means: Means, incident: str, known: Incident | None) -> str:
    if known is None:
        said = f"nothing is proposed under the name {incident!r}"
    else:
        why = f": {known.question}: {known.reason}" if known.phase is Phase.REFUSED else ""
        said = f"{incident!r} is not proposed, but {known.phase}{why}"
    others = [i.id for i in means.ledger.history.incidents.values() if i.phase is Phase.PROPOSED]
    return f"{said}; proposed are: {', '.join(others) or 'none'}"
