"""What was done: one item for every action begun, with how it ended."""

from __future__ import annotations

from collections.abc import Iterable

from agent.history import VERDICTS
from agent.model import Decision, Entry, Kind
from agent.report.overview import Plain
from agent.report.words import changes


def actions(entries: Iterable[Entry], limit: int = 50) -> list[Plain]:
    """Newest first. An action begun again after a crash is one item; instants are milliseconds."""
    done: list[Plain] = []
    going: dict[str, Plain] = {}
    decisions: dict[str, Decision] = {}
    for entry in entries:
        if entry.decision is not None:
            decisions[entry.incident] = entry.decision
        if entry.kind is Kind.STARTED and entry.incident not in going:
            going[entry.incident] = _begun(entry, decisions[entry.incident])
            done.append(going[entry.incident])
        elif entry.incident in going:
            _went_on(going[entry.incident], entry)
        if entry.kind in (Kind.UNDONE, Kind.CLOSED):
            going.pop(entry.incident, None)
    return done[: -limit - 1 : -1]


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
