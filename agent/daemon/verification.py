"""By which time an effect is verified."""

from __future__ import annotations

from agent.history import Incident


class Verification:
    """The clock of one verification: it begins at the wall clock's `done_at`, and goes on as this process
    runs, whatever the wall clock is set to meanwhile. A suspend counts for nothing: nothing is sampled in it.

    What passed before the first look (a restart lies in between then) only the wall clock tells: nothing,
    where it was set back, and no more than the whole wait.
    """

    def __init__(self) -> None:
        self._began: float | None = None  # of the time that this process ran

    def now(self, one: Incident, wall: int, ran: float) -> int:
        """`wall`: ms since the epoch; `ran`: ms of any clock that only goes on, the same in each call."""
        if one.done_at is None:
            return wall
        if self._began is None:
            check = one.decision.verify
            self._began = ran - min(max(wall - one.done_at, 0), check.within_ms if check else 0)
        return one.done_at + round(ran - self._began)
