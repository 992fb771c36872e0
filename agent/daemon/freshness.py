"""Which samples were taken after an effect stood, whatever the wall clock is set to."""

from __future__ import annotations

import math

from msgspec import Struct

from agent.history import Incident
from agent.model import Boot


class Taken(Struct, frozen=True):
    """A metric's newest sample: `at` is its own time, `ran` when its reading began (ms of any clock that only
    goes on)."""

    at: int
    ran: float


NEVER = Taken(0, -math.inf)


class Freshness:
    """Of one effect that stood, or began, `at` this by the wall clock, `ran` by the one that only goes on.

    Where the wall clock was set back in between, a sample from before may be later by it; and where it is set
    back afterwards, what is seen at an instant by it are older samples than those that were taken last.
    """

    def __init__(self, at: int, ran: float) -> None:
        self._at = at
        self._ran = ran
        self._first: dict[str, int] = {}  # by metric: the time of a sample that was surely taken after it

    def lasted(self, ran: float) -> float:
        """How long it stands at `ran`, of the clock that only goes on (ms)."""
        return ran - self._ran

    def has(self, name: str, newest: Taken, now: int) -> bool:
        """Whether this metric, as it is seen at `now`, was read after the effect stood."""
        if newest.at < self._first.get(name, 0):
            del self._first[name]  # the store has taken it back
        if newest.ran > self._ran and newest.at > self._at:
            self._first.setdefault(name, newest.at)
        return self._first.get(name, math.inf) <= now


def begun(one: Incident, now: int, boot: Boot, ran: float) -> Freshness:
    """Of the beginning of what a former life may have begun: as long ago as both clocks know of."""
    at, passed = one.started_at or 0, one.boot.passed(boot) if one.boot else None
    return Freshness(at, ran - max(0, min(passed or 0, now - at)))
