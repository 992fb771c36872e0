"""How often a counter is shown between two readings."""

from __future__ import annotations

from agent.sources.log_hits import Series

_PARTS = 4  # of an interval, between two samples of a series that never rests
_AT_ONCE = 8  # samples of a series that rested


class Pace:
    """Some samples of a series at once, then one each quarter of an interval: its row in the store would
    otherwise be as long as the log is busy."""

    def __init__(self, interval_ms: int) -> None:
        self._gap_ms = max(1, interval_ms // _PARTS)
        self._due: dict[Series, int] = {}

    def wait(self, series: Series, now: int) -> int:
        """0 where it may be shown at `now`, which then counts; else how many ms are left."""
        due = max(self._due.get(series, 0), now - _AT_ONCE * self._gap_ms)
        if due - now > _AT_ONCE * self._gap_ms:  # the clock was set back
            due = now
        if due <= now:
            self._due[series] = due + self._gap_ms
        return max(0, due - now)

    def forget(self, series: Series) -> None:
        """It has ended."""
        self._due.pop(series, None)
