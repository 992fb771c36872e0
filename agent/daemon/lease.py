"""When an incident's effect is put back whatever is seen of it."""

from __future__ import annotations

import math

from agent.history import Incident


class Lease:
    """The end of one incident's lease: by the wall clock, or by the time that this process ran, whichever is
    first. A clock that is set back does not stretch it; one that was set back while no agent ran, by no more
    than its own length."""

    def __init__(self) -> None:
        self._ends = math.inf  # of the time that this process ran

    def ended(self, one: Incident, now: int, ran: float) -> bool:
        """`now`: ms since the epoch; `ran`: ms of any clock that only goes on, the same in each call."""
        if one.until is None or one.started_at is None:
            return False
        left = min(one.until - now, one.until - one.started_at)
        self._ends = min(self._ends, ran + left)
        return self._ends <= ran
