"""All series of one metric name: a matrix of times and one of values, a row a series."""

from __future__ import annotations

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

Selection = tuple[Indices, Rows]


class Block:
    """Rows fill from the left in order of time; a full row first loses what is too old, then all grow."""

    def __init__(self, name: str, window_ms: int, longest: int) -> None:
        self.rows: dict[Labels, int] = {}
        self.shortened = 0
        self._name = name
        self._window_ms = window_ms
        self._longest = longest
        self._times: Times = np.empty((0, _FIRST_COLUMNS), np.int64)
        self._values: Floats = np.empty((0, _FIRST_COLUMNS))
        self._counts: Indices = np.empty(0, np.intp)
        self._selections: dict[tuple[Matcher, ...], Selection] = {}

    def begin(self, labels: Labels) -> int:
        """The row of a new series."""
        row = self.rows[labels] = len(self.rows)
        if row == len(self._counts):
            more = max(8, row)
            self._times = _padded(self._times, (more, 0), NEVER)
            self._values = _padded(self._values, (more, 0), np.nan)
            self._counts = np.concatenate([self._counts, np.zeros(more, np.intp)])
        self._selections.clear()
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
        known = self._selections.get(matchers)
        if known is None:
            if len(self._selections) >= _MAX_SELECTIONS:
                self._selections.clear()
            hits = [(row, labels) for labels, row in self.rows.items() if _meets(labels, matchers)]
            rows = np.array([row for row, _ in hits], np.intp)
            named = Rows([tuple(sorted((*labels, (NAME, self._name)))) for _, labels in hits])
            known = self._selections[matchers] = (rows, named)
        return known

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
        ends = self._counts[rows] - 1
        times = self._times[rows, ends]
        if len(rows) and times.max() > end:  # asked about the past
            ends = (self._times[rows] <= end).sum(axis=1) - 1
            times = np.where(ends >= 0, self._times[rows, ends], -NEVER)
        return times, self._values[rows, ends]

    def window(self, selection: Selection, start: int, end: int) -> Samples:
        """The samples with start < t <= end, packed to the left."""
        rows, named = selection
        width = int(self._counts[rows].max(initial=0))
        times = self._times[rows, :width]
        low, high = (times <= start).sum(axis=1), (times <= end).sum(axis=1)
        counts = high - low
        columns = low[:, None] + np.arange(counts.max(initial=0))
        inside = columns < high[:, None]
        columns = np.where(inside, columns, 0)
        packed = np.where(inside, self._values[rows[:, None], columns], np.nan)
        when = np.where(inside, self._times[rows[:, None], columns], NEVER)
        return Samples(named, when, packed, counts)

    def forget(self, before: int) -> None:
        """Remove the series that have had no sample since."""
        kept = [(labels, row) for labels, row in self.rows.items() if self._last(row) > before]
        if len(kept) == len(self.rows):
            return
        rows = np.array([row for _, row in kept], np.intp)
        self._times, self._values = self._times[rows], self._values[rows]
        self._counts = self._counts[rows]
        self.rows = {labels: new for new, (labels, _) in enumerate(kept)}
        self._selections.clear()

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


def _meets(labels: Labels, matchers: tuple[Matcher, ...]) -> bool:
    values = dict(labels)
    return all(m.matches(values.get(m.name, "")) for m in matchers)


def _padded(matrix: npt.NDArray, more: tuple[int, int], fill: float) -> npt.NDArray:  # type: ignore[type-arg]  # of either dtype
    rows, columns = more
    return np.pad(matrix, ((0, rows), (0, columns)), constant_values=fill)
