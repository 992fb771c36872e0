"""Which counters are shown when: all of them with each reading, between two readings those that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.model import Sample
from agent.sources.log_hits import Series
from agent.sources.log_pace import Pace


class Told:
    """`values` as they were shown last."""

    def __init__(self, interval_ms: int) -> None:
        self.values: dict[Series, float] = {}
        self.owed_ms: int | None = None  # until a series may be shown again that has changed
        self._interval_ms = interval_ms
        self._pace = Pace(interval_ms)

    def all(
        self, now_are: Mapping[Series, float], before: Mapping[Series, float], now: int
    ) -> Iterator[Sample]:
        """Every series. One that is new has what it was `before` (or 0) one interval earlier."""
        self.owed_ms = None
        for series in self.values.keys() - now_are.keys():  # it may begin again
            del self.values[series]
            self._pace.forget(series)
        for series in now_are:
            yield from self._shown(series, now_are[series], before, now)

    def news(
        self, now_are: Mapping[Series, float], before: Mapping[Series, float], now: int
    ) -> Iterator[Sample]:
        """Those that changed, as far as the pace allows."""
        changed = [series for series, value in now_are.items() if self.values.get(series) != value]
        waits = {series: self._pace.wait(series, now) for series in changed}
        self.owed_ms = min((wait for wait in waits.values() if wait), default=None)
        for series in changed:
            if not waits[series]:
                yield from self._shown(series, now_are[series], before, now)

    def _shown(
        self, series: Series, value: float, before: Mapping[Series, float], now: int
    ) -> Iterator[Sample]:
        if series not in self.values and series[0].endswith("_total"):
            yield Sample(*series, now - self._interval_ms, float(before.get(series, 0)))
        self.values[series] = value
        yield Sample(*series, now, float(value))
