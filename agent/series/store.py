"""Keeps the samples of the last while: which series, how many, how long."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from agent.model import Labels, Sample
from agent.promql.nodes import Matcher
from agent.promql.vectors import Vector, Window, is_stale, vector
from agent.series.block import Block


class Series:
    """Samples of `wanted` metrics (None: all), each kept for `window_ms`, of at most `limit` series.

    It has no clock: age is counted from the newest sample. What is not kept is counted: `dropped` samples
    of series beyond the limit, `refused` ones that are not newer than the series' last, and `shortened`
    ones that went before their time because a series had too many.
    """

    def __init__(self, window_ms: int, wanted: frozenset[str] | None = None, limit: int = 20_000) -> None:
        self.window_ms = window_ms
        self.dropped = 0
        self.refused = 0
        self.first_at: int | None = None
        self._wanted = wanted
        self._limit = limit
        self._blocks: dict[str, Block] = {}
        self._count = 0
        self._newest = 0
        self._swept_at = 0

    @property
    def count(self) -> int:
        """How many series are held."""
        return self._count

    @property
    def shortened(self) -> int:
        """Samples that were dropped before their time."""
        return sum(block.shortened for block in self._blocks.values())

    def add(self, samples: Iterable[Sample]) -> frozenset[str]:
        """Keep what is wanted; the metric names that got a new sample."""
        touched = set()
        for sample in samples:
            if (self._wanted is None or sample.name in self._wanted) and self._append(sample):
                touched.add(sample.name)
        if self._newest - self._swept_at > self.window_ms // 4:
            self._sweep()
        return frozenset(touched)

    def want(self, names: frozenset[str]) -> None:
        """Keep these metrics from now on; what others left behind goes with its age."""
        self._wanted = names

    def mark_stale(self, name: str, labels: Labels, at: int) -> None:
        """The series has ended: from `at` on, instant selectors do not see it."""
        block = self._blocks.get(name)
        row = block.rows.get(labels) if block else None
        if block and row in block.live_before(at):
            block.append(row, at, None)

    def stale_missing(self, names: Iterable[str], at: int) -> None:
        """End the series without a sample at `at`: after a complete read, or when their source is gone."""
        for block in filter(None, map(self._blocks.get, names)):
            for row in block.live_before(at):
                block.append(row, at, None)

    def select(self, name: str, matchers: tuple[Matcher, ...], start: int, end: int) -> Window:
        """The samples with start < t <= end of every matching series that has any; stale markers included."""
        block = self._blocks.get(name)
        if block is None:
            return Window((), np.empty((0, 0), np.int64), np.empty((0, 0)), np.empty(0, np.intp), start, end)
        return block.window(block.match(matchers), start, end)

    def latest(self, name: str, matchers: tuple[Matcher, ...], start: int, end: int) -> Vector:
        """The newest sample with start < t <= end of each matching series, unless it is a stale marker."""
        block = self._blocks.get(name)
        if block is None:
            return vector((), np.empty(0))
        rows, labels = block.match(matchers)
        values, found = block.newest(rows, start, end)
        return vector(labels, values).where(found & ~is_stale(values))

    def has(self, name: str, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        """Whether any matching series has a sample or a stale marker with start < t <= end."""
        block = self._blocks.get(name)
        return block is not None and bool(block.newest(block.match(matchers)[0], start, end)[1].any())

    def _append(self, sample: Sample) -> bool:
        block = self._blocks.get(sample.name)
        row = block.rows.get(sample.labels) if block else None
        if row is None:
            if self._count >= self._limit:
                self.dropped += 1
                return False
            block = self._blocks.setdefault(sample.name, Block(sample.name, self.window_ms))
            row = block.begin(sample.labels)
            self._count += 1
        assert block is not None
        if not block.append(row, sample.at, sample.value):
            self.refused += 1
            return False
        self._newest = max(self._newest, sample.at)
        self.first_at = sample.at if self.first_at is None else min(self.first_at, sample.at)
        return True

    def _sweep(self) -> None:
        """Forget the series without a sample in the window, so that new ones find room."""
        self._swept_at = self._newest
        for block in self._blocks.values():
            block.forget(self._newest - self.window_ms)
        self._blocks = {name: block for name, block in self._blocks.items() if block.rows}
        self._count = sum(len(block.rows) for block in self._blocks.values())
