"""Since when each series of log lines stands still: what says nothing any more makes room for what does."""

from __future__ import annotations

from collections.abc import Mapping

from agent.sources.log_hits import Series


class Idle:
    """The value of each series, and when it was first seen to have that (ms; 0: with the next look)."""

    def __init__(self, seen: Mapping[Series, tuple[float, int]]) -> None:
        self._seen = dict(seen)

    def look(self, values: Mapping[Series, float], now: int) -> None:
        """What they are now; those that are gone are forgotten."""
        self._seen = {s: (value, min(self.since(s, value) or now, now)) for s, value in values.items()}

    def since(self, series: Series, value: float) -> int:
        """When it was first seen to have this value; 0 where nobody has looked since it has."""
        seen, at = self._seen.get(series, (None, 0))
        return at if seen == value else 0
