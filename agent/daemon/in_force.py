"""The rules in force, as far as they tell why an alert fires no more: they may have been others before."""

from __future__ import annotations

from msgspec import Struct

from agent.decide import selects
from agent.history import Incident
from agent.rulebook import Rulebook


class InForce(Struct, frozen=True):
    """`changed`: alerts whose state the rules before these took along, at `since`."""

    book: Rulebook
    alerts: frozenset[str]  # their names
    changed: frozenset[str] = frozenset()
    since: int = 0

    def end_of(self, incident: Incident) -> str:
        """Why its alert fires no more, where it is because the rules are others; else empty."""
        name = incident.decision.alert
        remedy = self.book.remedies.get(name)
        if name not in self.alerts:
            return "its rule was removed"
        if remedy is None:
            return "its remedy was removed"
        if not selects(remedy, incident.decision.labels):
            return "its remedy is not for an alert with these labels now"
        if name in self.changed and incident.opened_at < self.since:
            return "its rule was changed, and as it is now it does not fire"
        return ""


def in_force(book: Rulebook) -> InForce:
    """As they come into force first."""
    return InForce(book, frozenset(rule.name for rule in book.alerts))
