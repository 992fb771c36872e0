"""What fired in this life of the agent: since when what fires does, and the last of what fires no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from agent.model import Alert, AlertState, Firing, Labels

OF_A_RULE = 5  # that are over and kept
KEPT = 300  # of all rules


class Firings:
    """Mutable, without I/O. What fires now is as many as there are alerts; what is over is bounded."""

    def __init__(self) -> None:
        self._now: dict[Labels, tuple[Alert, int]] = {}  # as it was seen last, and when it was seen first
        self._over: dict[str, deque[Firing]] = {}  # by rule; first the rule whose last one is the oldest
        self._count = 0

    def look(self, alerts: Iterable[Alert], now: int) -> tuple[list[Firing], list[Firing]]:
        """What has begun to fire since the last look, and what fires no more, at `now` (ms)."""
        firing = {a.labels: a for a in alerts if a.state is AlertState.FIRING}
        before = self._now
        self._now = {
            labels: (alert, before[labels][1] if labels in before else now)
            for labels, alert in firing.items()
        }
        begun = [_firing(alert, now, None) for labels, alert in firing.items() if labels not in before]
        over = [_firing(a, since, now) for labels, (a, since) in before.items() if labels not in firing]
        for one in over:
            self._keep(one)
        return begun, over

    def told(self) -> tuple[Firing, ...]:
        """What is over, by rule, the oldest first."""
        return tuple(one for kept in self._over.values() for one in kept)

    def _keep(self, one: Firing) -> None:
        kept = self._over.pop(one.rule, None) or deque[Firing](maxlen=OF_A_RULE)
        self._count += len(kept) < OF_A_RULE
        kept.append(one)
        self._over[one.rule] = kept
        if self._count > KEPT:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        rule, kept = next(iter(self._over.items()))
        kept.popleft()
        self._count -= 1
        if not kept:
            del self._over[rule]


def _firing(alert: Alert, began: int, ended: int | None) -> Firing:
    return Firing(alert.rule, alert.labels, alert.value, began, ended)
