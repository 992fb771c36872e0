"""The overview: what is active, what stands, what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from agent.history import History, Incident, Phase
from agent.model import Alert, Entry, Firing, Kind, Labels, RuleHealth
from agent.report.words import changes

Plain = dict[str, Any]  # ready for JSON


class Live(Struct, frozen=True):
    """What only a running agent knows; without it a report says what the journal says."""

    alerts: tuple[Alert, ...] = ()
    rules: Mapping[str, tuple[RuleHealth, str]] = field(default_factory=dict)  # health, and it in words
    remedies: Mapping[str, Labels] = field(default_factory=dict)  # by the alert's name: its remedy's `match`
    blockers: Mapping[int, Sequence[str]] = field(default_factory=dict)  # by claim: who holds what, in words
    said: Mapping[str, tuple[int, str]] = field(default_factory=dict)  # by live agent: when, and what it does
    fires_at: Mapping[Labels, int] = field(
        default_factory=dict
    )  # of pending alerts: when their `for` is over
    fired: tuple[Firing, ...] = ()  # what is over, as far as it is kept
    refused: str = ""  # the first complaint about the rules on disk, where they are not those in force


def status(history: History, entries: Sequence[Entry], now: int, live: Live | None = None) -> Plain:
    """The overview. What the journal cannot know is None or empty; `live` says which of the two it is."""
    seen = live or Live()
    pause = history.paused(now)
    said = next((e for e in reversed(entries) if e.kind is Kind.AGENT), None)
    return {
        "live": live is not None,
        "now": now,
        "as_of": entries[-1].at if entries else None,
        "agent": None,
        "node_id": None,
        "version": None,
        "started_at": None,
        "last_agent_entry": said and {"at": said.at, "reason": said.reason},
        "modes": {"paused": pause and pause.reason, "stopped": None, "breaker": None, "degraded": None},
        "pause": {"since": pause.at, "until": pause.until} if pause else None,
        "unverified_in_a_row": history.unverified,
        "sources": [],
        "rules": {"count": len(seen.rules), "digest": None, "not_ok": _not_ok(seen), "reload": None},
        "alerts": [alert(a) for a in seen.alerts],
        "incidents": incidents(history),
        "control": None,
    }


def alert(active: Alert) -> Plain:
    """One active alert: its rule, labels, state, since when (ms) and value."""
    return {
        "rule": active.rule,
        "labels": dict(active.labels),
        "state": str(active.state),
        "active_at": active.active_at,
        "value": active.value,
    }


def incident(one: Incident) -> Plain:
    """One incident: where it stands, what it changed, until when (ms)."""
    return {
        "id": one.id,
        "alert": one.decision.alert,
        "target": one.decision.target,
        "do": one.decision.do,
        "step": one.decision.step + 1,
        "steps": one.decision.steps,
        "phase": str(one.phase),
        "question": one.question,
        "reason": one.reason,
        "opened_at": one.opened_at,
        "at": one.at,
        "started_at": one.started_at,
        "done_at": one.done_at,
        "until": one.until,
        "verdict": one.verdict and str(one.verdict),
        "claim": one.claim,
        "stands": one.stands,
        "changes": changes(one.effect) if one.stands else [],
        "would_change": changes(one.effect) if one.answers else [],
        "proposal": one.proposal,
        "answers": list(one.answers),
    }


def incidents(history: History) -> list[Plain]:
    """Those that are not closed, oldest first."""
    return [incident(i) for i in history.incidents.values() if i.phase is not Phase.CLOSED]


def _not_ok(live: Live) -> list[Plain]:
    return [
        {"rule": rule, "health": str(health), "why": words}
        for rule, (health, words) in live.rules.items()
        if health is not RuleHealth.OK
    ]
