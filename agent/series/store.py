"""Keeps the samples of the last while: which series, how many, how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np

from agent.model import Labels, Sample
from agent.promql.labels import NAME
from agent.promql.nodes import Matcher
from agent.promql.vectors import NEVER, NO_SAMPLES, NOTHING_NEW, Newest, Rows, Samples
from agent.series.block import Block, Selection


class Series:
    """Samples of `wanted` metrics (None: all), each kept for `window_ms`, of at most `limit` series
    with `longest` samples each.

    It has no clock: age is counted from the newest sample. What is not kept is counted: `dropped` samples
    of series beyond the limit, `refused` ones that are not newer than the series' last, and `shortened`
    ones that went before their time because a series had too many.

    Queries may read it from other threads while samples are added; neither waits long for the other.
    """

    def __init__(
        self,
        window_ms: int,
        wanted: frozenset[str] | None = None,
        limit: int = 20_000,
        longest: int = 4096,
    ) -> None:
        self.window_ms = window_ms
        self.dropped = 0
        self.refused = 0
        self.first_at: int | None = None
        self._wanted = wanted
        self._limit = limit
        self._longest = longest
        self._blocks: dict[str, Block] = {}
        self._count = 0
        self._newest = 0
        self._swept_at = 0
        self._lock = Lock()

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
        with self._lock:
            for sample in samples:
                if (self._wanted is None or sample.name in self._wanted) and self._append(sample):
                    touched.add(sample.name)
            if self._newest - self._swept_at > self.window_ms // 4:
                self._sweep()
        return frozenset(touched)

    def want(self, names: frozenset[str]) -> None:
        """Keep these metrics from now on; what others left behind goes with its age."""
        self._wanted = names

    def select(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Samples:
        """The samples with start < t <= end of every matching series; stale markers included."""
        found = [block.window(chosen, start, end) for block, chosen in self._chosen(name, matchers)]
        return found[0] if len(found) == 1 else _joined(found)

    def latest(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Newest:
        """The newest sample with start < t <= end of each matching series, unless it is a stale marker."""
        found = [block.newest(chosen, start, end) for block, chosen in self._chosen(name, matchers)]
        if len(found) == 1:
            return found[0]
        return _together(found)

    def has(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        """Whether any matching series has a sample or a stale marker with start < t <= end."""
        chosen = self._chosen(name, matchers)
        return any(bool(block.seen(rows, start, end).any()) for block, rows in chosen)

    def labels_of(
        self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int
    ) -> tuple[Labels, ...]:
        """The labels (with the name) of series with a sample or a stale marker in start < t <= end."""
        return tuple(
            selection[1].labels[row]
            for block, selection in self._chosen(name, matchers)
            for row in np.flatnonzero(block.seen(selection, start, end)).tolist()
        )

    def _chosen(self, name: str | None, matchers: tuple[Matcher, ...]) -> list[tuple[Block, Selection]]:
        """The blocks that a selector reads, and its rows in each."""
        about_names = [each for each in matchers if each.name == NAME]
        others = tuple(each for each in matchers if each.name != NAME) if about_names else matchers
        if name is None:
            with self._lock:  # a metric may begin meanwhile, and a dict that grows cannot be copied
                found = list(self._blocks.items())
        else:
            block = self._blocks.get(name)
            found = [] if block is None else [(name, block)]
        blocks = [block for each, block in found if all(m.matches(each) for m in about_names)]
        return [(block, block.match(others)) for block in blocks]

    def _append(self, sample: Sample) -> bool:
        block = self._blocks.get(sample.name)
        row = block.rows.get(sample.labels) if block else None
        if row is None:
            if self._count >= self._limit:
                self.dropped += 1
                return False
            if block is None:
                block = Block(sample.name, self.window_ms, self._longest, self._lock)
                self._blocks[sample.name] = block
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
        before = self._newest - self.window_ms
        kept = {name: block.without(before) for name, block in self._blocks.items()}
        self._blocks = {name: block for name, block in kept.items() if block.rows}
        self._count = sum(len(block.rows) for block in self._blocks.values())


def _together(found: Sequence[Newest]) -> Newest:
    """What several metrics' blocks gave, as one."""
    if not found:
        return NOTHING_NEW
    return Newest(
        Rows([labels for each in found for labels in each.rows.labels]),
        np.concatenate([each.times for each in found]),
        np.concatenate([each.values for each in found]),
        np.concatenate([each.found for each in found]),
    )


def _joined(found: Sequence[Samples]) -> Samples:
    """What several metrics' blocks gave, as one; the narrower ones are padded."""
    if not found:
        return NO_SAMPLES
    width = max(each.values.shape[1] for each in found)
    more = [((0, 0), (0, width - each.values.shape[1])) for each in found]
    times = [np.pad(each.times, pad, constant_values=NEVER) for each, pad in zip(found, more, strict=True)]
    values = [np.pad(each.values, pad, constant_values=np.nan) for each, pad in zip(found, more, strict=True)]
    return Samples(
        Rows([labels for each in found for labels in each.rows.labels]),
        np.concatenate(times),
        np.concatenate(values),
        np.concatenate([each.counts for each in found]),
    )
