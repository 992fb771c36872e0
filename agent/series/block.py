"""All series of one metric name, a row a series: which there are, and what queries read of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np

from agent.model import Labels
from agent.promql.labels import NAME
from agent.promql.nodes import Matcher
from agent.promql.vectors import (
    NEVER,
    NEVER_BEFORE,
    NO_ROWS,
    Flags,
    Floats,
    Indices,
    Newest,
    Rows,
    Samples,
    Times,
    is_stale,
)
from agent.series.columns import AT_ONCE, parts, stacked
from agent.series.matrix import Matrix

_MAX_SELECTIONS = 256  # remembered; rules have few, people's queries may have many

Selection = tuple[Indices, Rows]


class Block(Matrix):
    """Who begins or appends holds `lock`; readers take it themselves, for a few rows at a time. A row's
    number never changes: the block without what was forgotten is another one.
    """

    def __init__(self, name: str, window_ms: int, longest: int, lock: Lock) -> None:
        super().__init__(window_ms, longest)
        self.rows: dict[Labels, int] = {}
        self._lock = lock
        self._name = name
        self._selections: dict[
            tuple[Matcher, ...], tuple[int, Selection]
        ] = {}  # with how many rows there were

    def begin(self, labels: Labels) -> int:
        """The row of a new series."""
        row = self.rows[labels] = len(self.rows)
        if row == len(self._counts):
            self._grow()
        return row

    def match(self, matchers: tuple[Matcher, ...]) -> Selection:
        """The rows that meet all matchers, and their labels with the name; known until a series begins."""
        count, selection = self._selections.get(matchers, (0, None))
        if selection is None or count != len(self.rows):
            if len(self._selections) >= _MAX_SELECTIONS:
                self._selections.clear()
            with self._lock:  # rows may begin meanwhile, and a dict that grows cannot be copied
                every = list(self.rows)  # a row's number is its place
            hits = [(row, labels) for row, labels in enumerate(every) if _meets(labels, matchers)]
            rows = np.array([row for row, _ in hits], np.intp)
            named = Rows([tuple(sorted((*labels, (NAME, self._name)))) for _, labels in hits])
            selection = (rows, named)
            self._selections[matchers] = (len(every), selection)
        return selection

    def newest(self, selection: Selection, start: int, end: int) -> Newest:
        """The newest sample with start < t <= end of each row, unless it is a stale marker."""
        rows, named = selection
        times, values = self._ends(rows, end)
        return Newest(named, times, values, (times > start) & ~is_stale(values))

    def has(self, selection: Selection, start: int, end: int) -> bool:
        """Whether any of the rows has a sample or a stale marker with start < t <= end."""
        rows, _ = selection
        if self._newest == NEVER:
            with self._lock:
                self._find_newest()
        if len(rows) == len(self.rows) and self._newest <= end:  # as nearly always where rules are judged
            return self._newest > start
        return self._newest > start and bool(self.seen(selection, start, end).any())

    def seen(self, selection: Selection, start: int, end: int) -> Flags:
        """Which rows have a sample or a stale marker with start < t <= end."""
        flags: Flags = self._ends(selection[0], end)[0] > start
        return flags

    def _ends(self, rows: Indices, end: int) -> tuple[Times, Floats]:
        """Time and value of the newest sample with t <= end of each row; long before any time if none."""
        if len(rows) <= AT_ONCE:
            with self._lock:
                return self._few_ends(rows, end)
        times, values = np.empty(len(rows), np.int64), np.empty(len(rows))
        for part in parts(len(rows)):
            with self._lock:
                times[part], values[part] = self._few_ends(rows[part], end)
        return times, values

    def window(self, selection: Selection, start: int, end: int) -> Samples:
        """The samples with start < t <= end, packed to the left."""
        rows, named = selection
        if len(rows) <= AT_ONCE:
            with self._lock:
                return Samples(named, *self._few(rows, start, end))
        found = []
        for part in parts(len(rows)):
            with self._lock:
                found.append(self._few(rows[part], start, end))
        return Samples(named, *stacked(found))

    def without(self, before: int) -> Block:
        """This block without the series that have had no sample since; itself where there is none."""
        count = len(self.rows)
        last = self._times[np.arange(count), self._counts[:count] - 1]
        kept = np.flatnonzero(last > before)
        return self if len(kept) == count else self._of(kept)

    def first(self, count: int) -> Block:
        """This block's `count` oldest series alone."""
        return self._of(np.arange(count))

    def pieces(self, cells: int) -> Iterator[tuple[Sequence[Labels], Samples]]:
        """All that is held, about `cells` samples at a time, each row as it is when its turn comes."""
        with self._lock:
            every = list(self.rows)
        step = max(1, cells // (self._times.shape[1] + self._spilled.longest))
        for start in range(0, len(every), step):
            rows = np.arange(start, min(start + step, len(every)))
            with self._lock:
                found = self._few(rows, NEVER_BEFORE, NEVER)
            yield every[start : start + step], Samples(NO_ROWS, *found)

    def put_back(self, labels: Sequence[Labels], samples: Samples, after: int, until: int) -> int:
        """Begin these series with their samples of after < t <= until; how many have any and are new here."""
        cells = np.arange(samples.times.shape[1]) < samples.counts[:, None]
        inside = cells & (samples.times > after) & (samples.times <= until)
        begun = 0
        for place, each in enumerate(labels):
            times = samples.times[place, inside[place]]
            if len(times) and each not in self.rows:
                self._put(self.begin(each), times, samples.values[place, inside[place]])
                begun += 1
        return begun

    def _of(self, rows: Indices) -> Block:
        """Another block with these of the rows, no wider than it must be."""
        every = list(self.rows)
        other = Block(self._name, self.window_ms, self._longest, self._lock)
        other.rows = {every[row]: new for new, row in enumerate(rows.tolist())}
        other._become(self, rows)
        return other


def _meets(labels: Labels, matchers: tuple[Matcher, ...]) -> bool:
    values = dict(labels)
    return all(m.matches(values.get(m.name, "")) for m in matchers)
