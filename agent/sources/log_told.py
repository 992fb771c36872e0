"""Which counters are shown when: all of them with each reading, between two readings those that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.model import Sample
from agent.sources.log_hits import Series
from agent.sources.log_pace import Pace


class Told:
    """`values` as they were shown last. How a series began is told after a restart for `window_ms`."""

    def __init__(self, interval_ms: int, window_ms: int | None = None) -> None:
        self.values: dict[Series, float] = {}
        self.owed_ms: int | None = None  # until a series may be shown again that has changed
        self._interval_ms = interval_ms
        self._window_ms = window_ms
        self._pace = Pace(interval_ms)
        self._began: dict[Series, int] = {}  # when it was shown first (ms); 0: a former release did not say
        self._former: dict[
            Series, tuple[int, int]
        ] = {}  # the same, and since when it stood still, ere we began
        self._now = 0

    def go_on(self, former: Mapping[Series, tuple[int, int]]) -> None:
        """From a former life: when each began, and since when it was as it is (ms, 0: unknown)."""
        self._former = dict(former)

    def begin(self, now_are: Mapping[Series, float], now: int) -> None:
        """What is new is about to be shown."""
        self._now = now
        for series in now_are:
            if series not in self._former:
                self._began.setdefault(series, now)

    def began(self, series: Series) -> int:
        """When it was shown first, or would have been (ms); 0 where that is not known."""
        former = self._former.get(series)
        return former[0] if former else self._began.get(series, self._now)

    def all(
        self, now_are: Mapping[Series, float], before: Mapping[Series, float], now: int
    ) -> Iterator[Sample]:
        """Every series. One that is new has what it was `before` (or 0) one interval earlier."""
        self.owed_ms = None
        for series in self.values.keys() - now_are.keys():  # it may begin again
            del self.values[series], self._began[series]
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
        self._now = now
        if series not in self.values:
            began, since = self._former.pop(series, (now, now))
            began = self._began.setdefault(series, began)
            if series[0].endswith("_total"):
                yield from self._first(series, float(before.get(series, 0)), began, since, now)
        self.values[series] = value
        yield Sample(*series, now, float(value))

    def _first(self, series: Series, before: float, began: int, since: int, now: int) -> Iterator[Sample]:
        """How it came to what it was: a killed agent's window store may be older than the series. Where it is
        not, it takes no samples from before its last."""
        an_interval_ago = now - self._interval_ms
        oldest = 0 if self._window_ms is None else now - self._window_ms
        if oldest < began - self._interval_ms < an_interval_ago:
            yield Sample(*series, began - self._interval_ms, 0.0)
            if began <= since < an_interval_ago:
                yield Sample(*series, since, before)
        yield Sample(*series, an_interval_ago, before)
