"""A person's answer to what a remedy in mode `propose` asks, written down for the next round."""

from __future__ import annotations

from agent import report
from agent.daemon.means import Means
from agent.history import Incident, Phase
from agent.model import Entry, Kind, Mode, Remedy
from agent.surface import Refused


async def answer(means: Means, named: str, verb: str, reason: str, by: str) -> None:
    """`verb` is approve or deny; `named` the proposal, or of what is denied its incident. What was denied may
    still be approved, as long as the alert lasts, and what was approved be denied until it begins.

    Raises Refused where that is not asked, and JournalFailed.
    """
    asked = _asked(means, named, verb)
    if asked is None:
        raise Refused(_not_asked(means, named, verb))
    remedy = means.sight().book.remedies.get(asked.decision.alert)
    if remedy is None or remedy.mode is not Mode.PROPOSE:
        raise Refused(f"the remedy of {asked.decision.alert} asks nobody any more: it is {_mode(remedy)}")
    words = f"{by}: {reason}" if reason.strip() else by
    entry = Entry(means.clock(), Kind.OPERATOR, words, asked.id, verb, asked.decision, boot=means.boot())
    # Another proposal may be written just now: the word is for the one that was shown, and for no other.
    if not await means.ledger.record(entry, lambda: _asked(means, named, verb) is not None):
        raise Refused(_not_asked(means, named, verb))


def _asked(means: Means, named: str, verb: str) -> Incident | None:
    return next((i for i in means.ledger.history.incidents.values() if _is_named(i, named, verb)), None)


def _is_named(one: Incident, named: str, verb: str) -> bool:
    names = (one.proposal, one.id) if verb == "deny" else (one.proposal,)
    return verb in one.answers and named in names


def _mode(remedy: Remedy | None) -> str:
    return f"in mode {remedy.mode}" if remedy else "gone"


def _not_asked(means: Means, named: str, verb: str) -> str:
    known = means.ledger.history.incidents.get(named)
    if known is None:
        said = f"nothing is proposed as {named!r}"
    elif known.answers:
        said = f"{verb} by the name of what you were shown, and not by that of its incident"
    else:
        why = f": {known.question}: {known.reason}" if known.phase is Phase.REFUSED else ""
        said = f"{named!r} is not proposed, but {known.phase}{why}"
    now = [line for i in means.ledger.history.incidents.values() for line in _shown(i, verb)]
    return "\n  ".join([f"{said}; proposed are now:", *now]) if now else f"{said}; proposed are: none"


def _shown(one: Incident, verb: str) -> list[str]:
    """What may be answered so, and what it would change."""
    if verb not in one.answers:
        return []
    does = f"{one.decision.do} for {one.decision.target} ({one.decision.alert}): ottla {verb} {one.proposal}"
    return [does, *(f"  {line}" for line in report.changes(one.effect))]
