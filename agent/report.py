"""What happened and what stands, told from the entries: plain data for the API, the commands and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.history import History, Incident
from agent.model import Alert, Entry, Mode, RuleHealth

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Live:
    """What only a running agent knows; without it a report says what the journal says."""

    alerts: tuple[Alert, ...] = ()
    rules: Mapping[str, tuple[RuleHealth, str]] = field(default_factory=dict)  # health, and it in words
    remedies: Mapping[str, Mode] = field(default_factory=dict)  # by the alert's name
    blockers: Mapping[int, Sequence[str]] = field(default_factory=dict)  # by claim: who holds what, in words


def status(history: History, entries: Sequence[Entry], now: int, live: Live | None = None) -> Plain:
    """The overview. What a dead agent cannot know is None or empty, and `live` is False."""
    raise NotImplementedError


def alert(active: Alert) -> Plain:
    """One active alert: rule, labels, state, active_at, value."""
    raise NotImplementedError


def incident(one: Incident) -> Plain:
    """One incident: where it stands, what it changed, until when."""
    raise NotImplementedError


def why(
    history: History, entries: Iterable[Entry], subject: str, now: int, live: Live | None = None
) -> Plain:
    """The facts about a rule, a target or an incident, in order, and what stands now in one sentence."""
    raise NotImplementedError


def actions(entries: Iterable[Entry], limit: int = 50) -> list[Plain]:
    """What was done, newest first: one item for every action begun, with how it ended."""
    raise NotImplementedError
