"""All series of one metric name: a matrix of times and one of values, a row a series."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

import numpy as np
import numpy.typing as npt

from agent.model import Labels
from agent.promql.labels import NAME
from agent.promql.nodes import Matcher
from agent.promql.vectors import (
    NEVER,
    Flags,
    Floats,
    Indices,
    Newest,
    Rows,
    Samples,
    Times,
    is_stale,
)

_FIRST_COLUMNS = 16
_MAX_SELECTIONS = 256  # remembered; rules have few, people's queries may have many
_AT_ONCE = 256  # rows read under the lock: no longer than that does who adds a sample wait; they fit a cache

Selection = tuple[Indices, Rows]


class Block:
    """Rows fill from the left in order of time; a full row first loses what is too old, then all grow.

    Who begins or appends holds `lock`; readers take it themselves, for a few rows at a time. A row's number
    never changes: the block without what was forgotten is another one.
    """

    def __init__(self, name: str, window_ms: int, longest: int, lock: Lock) -> None:
        self.rows: dict[Labels, int] = {}
        self.shortened = 0
        self._lock = lock
        self._name = name
        self._window_ms = window_ms
        self._longest = longest
        self._times: Times = np.empty((0, _FIRST_COLUMNS), np.int64)
        self._values: Floats = np.empty((0, _FIRST_COLUMNS))
        self._counts: Indices = np.empty(0, np.intp)
        self._selections: dict[
            tuple[Matcher, ...], tuple[int, Selection]
        ] = {}  # with how many rows there were

    def begin(self, labels: Labels) -> int:
        """The row of a new series."""
        row = self.rows[labels] = len(self.rows)
        if row == len(self._counts):
            more = max(8, row)
            self._times = _padded(self._times, (more, 0), NEVER)
            self._values = _padded(self._values, (more, 0), np.nan)
            self._counts = np.concatenate([self._counts, np.zeros(more, np.intp)])
        return row

    def append(self, row: int, at: int, value: float) -> bool:
        """Add a sample; False if it is not newer than the row's last."""
        end = int(self._counts[row])
        if end and at <= self._times[row, end - 1]:
            return False
        if end == self._times.shape[1]:
            end = self._make_room(row, at)
        self._times[row, end] = at
        self._values[row, end] = value
        self._counts[row] = end + 1
        return True

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

    def seen(self, selection: Selection, start: int, end: int) -> Flags:
        """Which rows have a sample or a stale marker with start < t <= end."""
        flags: Flags = self._ends(selection[0], end)[0] > start
        return flags

    def _ends(self, rows: Indices, end: int) -> tuple[Times, Floats]:
        """Time and value of the newest sample with t <= end of each row; long before any time if none."""
        if len(rows) <= _AT_ONCE:
            with self._lock:
                return self._few_ends(rows, end)
        times, values = np.empty(len(rows), np.int64), np.empty(len(rows))
        for part in _parts(len(rows)):
            with self._lock:
                times[part], values[part] = self._few_ends(rows[part], end)
        return times, values

    def _few_ends(self, rows: Indices, end: int) -> tuple[Times, Floats]:
        ends = self._counts[rows] - 1
        times = self._times[rows, ends]
        if len(rows) and times.max() > end:  # asked about the past
            ends = (self._times[rows] <= end).sum(axis=1) - 1
            times = np.where(ends >= 0, self._times[rows, ends], -NEVER)
        return times, self._values[rows, ends]

    def window(self, selection: Selection, start: int, end: int) -> Samples:
        """The samples with start < t <= end, packed to the left."""
        rows, named = selection
        if len(rows) <= _AT_ONCE:
            with self._lock:
                return Samples(named, *self._few(rows, start, end))
        found = []
        for part in _parts(len(rows)):
            with self._lock:
                found.append(self._few(rows[part], start, end))
        return Samples(named, *_stacked(found))

    def _few(self, rows: Indices, start: int, end: int) -> tuple[Times, Floats, Indices]:
        width = int(self._counts[rows].max(initial=0))
        times = self._times[rows, :width]
        low, high = (times <= start).sum(axis=1), (times <= end).sum(axis=1)
        counts = high - low
        columns = low[:, None] + np.arange(counts.max(initial=0))
        inside = columns < high[:, None]
        columns = np.where(inside, columns, 0)
        packed = np.where(inside, self._values[rows[:, None], columns], np.nan)
        when = np.where(inside, self._times[rows[:, None], columns], NEVER)
        return when, packed, counts

    def without(self, before: int) -> Block:
        """This block without the series that have had no sample since; itself where there is none."""
        kept = [(labels, row) for labels, row in self.rows.items() if self._last(row) > before]
        if len(kept) == len(self.rows):
            return self
        rows = np.array([row for _, row in kept], np.intp)
        other = Block(self._name, self._window_ms, self._longest, self._lock)
        other.rows = {labels: new for new, (labels, _) in enumerate(kept)}
        other.shortened = self.shortened
        other._times, other._values = self._times[rows], self._values[rows]
        other._counts = self._counts[rows]
        return other

    def _last(self, row: int) -> int:
        return int(self._times[row, self._counts[row] - 1])

    def _make_room(self, row: int, at: int) -> int:
        """Drop what is older than the window, or a quarter of a row at its limit, or widen; the new end."""
        columns: int = self._times.shape[1]
        old = int(np.searchsorted(self._times[row], at - self._window_ms, side="right"))
        if columns >= self._longest and old < columns // 4:
            self.shortened += columns // 4 - old
            old = columns // 4
        if old < columns // 4:
            self._times = _padded(self._times, (0, columns), NEVER)
            self._values = _padded(self._values, (0, columns), np.nan)
            return columns
        end = columns - old
        self._times[row, :end] = self._times[row, old:columns]
        self._times[row, end:] = NEVER
        self._values.view(np.int64)[row, :end] = self._values.view(np.int64)[row, old:columns]
        return end


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE))


def _stacked(found: list[tuple[Times, Floats, Indices]]) -> tuple[Times, Floats, Indices]:
    """The parts of a window, one above the other; the narrower ones are padded."""
    counts = np.concatenate([part[2] for part in found])
    shape = (len(counts), max(times.shape[1] for times, _, _ in found))
    times, values = np.full(shape, NEVER), np.full(shape, np.nan)
    for part, (when, packed, _) in zip(_parts(len(counts)), found, strict=True):
        times[part, : when.shape[1]] = when
        values[part, : when.shape[1]] = packed
    return times, values, counts


def _meets(labels: Labels, matchers: tuple[Matcher, ...]) -> bool:
    values = dict(labels)
    return all(m.matches(values.get(m.name, "")) for m in matchers)


def _padded(matrix: npt.NDArray, more: tuple[int, int], fill: float) -> npt.NDArray:  # type: ignore[type-arg]  # of either dtype
    rows, columns = more
    return np.pad(matrix, ((0, rows), (0, columns)), constant_values=fill)
