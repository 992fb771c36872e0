"""What was done: one item for every action begun, with how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from agent.history import VERDICTS
from agent.model import Decision, Entry, Kind
from agent.report.overview import Plain
from agent.report.words import changes


def actions(entries: Iterable[Entry], limit: int = 50) -> list[Plain]:
    """Newest first. An action begun again after a crash is one item; instants are milliseconds."""
    begun: deque[list[Entry]] = deque(maxlen=limit)  # only these are told: a journal has many more
    going: dict[str, list[Entry]] = {}
    decisions: dict[str, Decision] = {}
    for entry in entries:
        if entry.decision is not None:
            decisions[entry.incident] = entry.decision
        decision = decisions.get(entry.incident)  # None: the beginning is no longer kept
        if entry.kind is Kind.STARTED and decision is not None and entry.incident not in going:
            going[entry.incident] = [replace(entry, decision=decision)]
            begun.append(going[entry.incident])
        elif entry.incident in going:
            going[entry.incident].append(entry)
        if entry.kind in (Kind.UNDONE, Kind.CLOSED, Kind.REFUSED):
            going.pop(entry.incident, None)
    return [_told(action) for action in reversed(begun)]


def _told(action: Sequence[Entry]) -> Plain:
    first, *rest = action
    assert first.decision is not None, "it was begun with its decision"
    told = _begun(first, first.decision)
    for entry in rest:
        _went_on(told, entry)
    return told


def _begun(entry: Entry, decision: Decision) -> Plain:
    return {
        "incident": entry.incident,
        "alert": decision.alert,
        "target": decision.target,
        "do": decision.do,
        "changes": changes(entry.effect),
        "at": entry.at,
        "begun": 1,
        "done_at": None,
        "until": entry.until,
        "verdict": None,
        "verdict_at": None,
        "undone_at": None,
        "refused_at": None,
        "reason": entry.reason,
    }


def _went_on(action: Plain, entry: Entry) -> None:
    action["reason"] = entry.reason
    if entry.kind is Kind.STARTED:
        action.update(begun=action["begun"] + 1, changes=changes(entry.effect), until=entry.until)
    elif entry.kind is Kind.DONE:
        action["done_at"] = entry.at
    elif entry.kind in VERDICTS:
        action.update(verdict=str(entry.kind), verdict_at=entry.at)
    elif entry.kind is Kind.UNDONE:
        action["undone_at"] = entry.at
    elif entry.kind is Kind.REFUSED:  # at the instant of effect: nothing was begun
        action["refused_at"] = entry.at
