"""The samples of some series: a matrix of times and one of values, a row a series."""

from __future__ import annotations

from math import copysign

import numpy as np

from agent.promql.nodes import LOOKBACK_MS
from agent.promql.vectors import NEVER, NEVER_BEFORE, Floats, Indices, Times
from agent.series.columns import padded
from agent.series.spilled import Spilled

_FIRST_COLUMNS = 16
_LEAST_COLUMNS = 64  # for which a row is spilled
_WASTE = 65_536  # cells, 1 MiB: a smaller matrix may be as wide as its busiest row needs
# After so long a sample is news, whatever it says: the one before may be too old, or alone in a window.
_SILENT_MS = LOOKBACK_MS // 4


class Matrix:
    """Rows fill from the left in order of time; a full row first loses what is too old, then all grow, or,
    where seven of eight are less than half as long, its older samples are spilled.

    `window_ms` is how long samples are kept, and may change; a row has `longest` of them at most, or somewhat
    more where it was spilled and the others grew.
    """

    def __init__(self, window_ms: int, longest: int) -> None:
        self.window_ms = window_ms
        self.shortened = 0
        self.shortened_until = NEVER_BEFORE  # the newest of these samples
        self._longest = longest
        self._times: Times = np.empty((0, _FIRST_COLUMNS), np.int64)
        self._values: Floats = np.empty((0, _FIRST_COLUMNS))
        self._counts: Indices = np.empty(0, np.intp)
        self._spilled = Spilled()
        self._odd_for = 0  # rows that need more columns and are spilled unasked
        self._newest = NEVER_BEFORE  # of all rows; NEVER where nobody knows since one was cut

    def append(self, row: int, at: int, value: float, now: int) -> bool | None:
        """Add a sample: whether it says something new; None if it is not newer than the row's last.

        Where there is no room, ages are counted from `now`, not from a sample that is ahead of it.
        """
        end = int(self._counts[row])
        new = True
        if end:
            before = self._times[row, end - 1]
            if at <= before:
                return None
            new = at - before > _SILENT_MS or not _same(value, self._values[row, end - 1])
        if end == self._times.shape[1]:
            end = self._make_room(row, min(at, now))
        self._times[row, end] = at
        self._values[row, end] = value
        self._counts[row] = end + 1
        self._newest = max(self._newest, at)
        return new

    def cut(self, row: int, after: int) -> bool:
        """Drop the row's samples that are later; whether there were any."""
        count = int(self._counts[row])
        kept = int(np.searchsorted(self._times[row, :count], after, side="right"))
        self._times[row, kept:count] = NEVER
        self._counts[row] = kept
        if not kept and (older := self._spilled.take(row, after)) is not None:
            self._put(row, *older)
        if kept < count:
            self._newest = NEVER
        return kept < count

    def samples(self, since: int = 0) -> int:
        """How many samples the rows from `since` on hold."""
        return int(self._counts[since:].sum()) + self._spilled.samples(since)

    @property
    def nbytes(self) -> int:
        """The memory of times and values."""
        return self._times.nbytes + self._values.nbytes + self._counts.nbytes + self._spilled.nbytes

    def _few_ends(self, rows: Indices, end: int) -> tuple[Times, Floats]:
        ends = self._counts[rows] - 1
        times = self._times[rows, ends]
        if len(rows) and times.max() > end:  # asked about the past
            ends = (self._times[rows] <= end).sum(axis=1) - 1
            times = np.where(ends >= 0, self._times[rows, ends], NEVER_BEFORE)
            if self._spilled:
                return self._spilled.ends(rows, end, times, self._values[rows, ends])
        return times, self._values[rows, ends]

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
        if self._spilled:
            return self._spilled.before(rows, (start, end), (when, packed, counts))
        return when, packed, counts

    def _put(self, row: int, times: Times, values: Floats) -> None:
        columns = self._times.shape[1]
        if len(times) > columns and self._is_odd():
            spilled = len(times) - columns // 2
            self._spilled.push(row, times[:spilled], values[:spilled])
            times, values = times[spilled:], values[spilled:]
        elif len(times) > columns:
            self._widen(len(times) - columns)
        self._times[row, : len(times)] = times
        self._values.view(np.int64)[row, : len(times)] = values.view(np.int64)
        self._counts[row] = len(times)
        self._newest = max(self._newest, int(times[-1]))

    def _become(self, former: Matrix, rows: Indices) -> None:
        """Be these rows of another one, and no wider than that must be."""
        self.shortened, self.shortened_until = former.shortened, former.shortened_until
        self._counts, self._spilled = former._counts[rows], former._spilled.of(rows.tolist())
        width = max(_FIRST_COLUMNS, int(self._counts.max(initial=0)))
        self._times, self._values = former._times[rows, :width], former._values[rows, :width]
        self._find_newest()

    def _find_newest(self) -> None:
        ends = self._times[np.arange(len(self._counts)), self._counts - 1]
        self._newest = int(ends.max(initial=NEVER_BEFORE, where=self._counts > 0))

    def _grow(self) -> None:
        """Make room for more rows."""
        more = max(8, len(self._counts))
        self._narrow(len(self._counts) + more)
        self._times = padded(self._times, (more, 0), NEVER)
        self._values = padded(self._values, (more, 0), np.nan)
        self._counts = np.concatenate([self._counts, np.zeros(more, np.intp)])

    def _make_room(self, row: int, at: int) -> int:
        """Drop what is older than the window, or a quarter of a row at its limit, or widen; the new end.

        Widened by a quarter, and not before nearly all of a row is within the window: most of the agent's
        memory may be here, and a row of twice the width that it needs would double it.
        """
        columns: int = self._times.shape[1]
        since = at - self.window_ms
        spilled = self._spilled.trim(row, since)
        old = 0 if spilled else int(np.searchsorted(self._times[row], since, side="right"))
        if columns + spilled >= self._longest and old < columns // 4:
            old = self._shorten(row, old, spilled)
        if old >= max(1, columns // 8):
            return self._shift(row, old)
        if self._is_odd():
            return self._spill(row, columns // 2)
        self._widen(min(max(4, columns // 4), max(1, self._longest - columns)))
        return columns

    def _shorten(self, row: int, old: int, spilled: int) -> int:
        """Drop the oldest quarter of a full row before its time; how many of it in the matrix."""
        columns: int = self._times.shape[1]
        if spilled:  # more than it may have, where the matrix was widened since
            gone, until = self._spilled.shorten(row, columns + spilled - self._longest * 3 // 4)
        else:
            gone, old = columns // 4 - old, columns // 4
            until = int(self._times[row, old - 1])
        self.shortened += gone
        self.shortened_until = max(self.shortened_until, until)
        return old

    def _widen(self, more: int) -> None:
        self._times = padded(self._times, (0, more), NEVER)
        self._values = padded(self._values, (0, more), np.nan)

    def _shift(self, row: int, gone: int) -> int:
        """Drop the row's oldest from the matrix; the new end."""
        count = int(self._counts[row])
        end = count - gone
        self._times[row, :end] = self._times[row, gone:count]
        self._times[row, end:count] = NEVER
        self._values.view(np.int64)[row, :end] = self._values.view(np.int64)[row, gone:count]
        self._counts[row] = end
        return end

    def _spill(self, row: int, kept: int) -> int:
        """Keep that many of the row in the matrix; the new end."""
        gone = int(self._counts[row]) - kept
        self._spilled.push(row, self._times[row, :gone], self._values[row, :gone])
        return self._shift(row, gone)

    def _needed(self, rows: int) -> int:
        """The columns by which seven of eight of so many rows would be half full at most."""
        counts = np.zeros(rows, np.intp)
        counts[: len(self._counts)] = self._counts
        return max(_LEAST_COLUMNS, 2 * int(np.partition(counts, rows * 7 // 8)[rows * 7 // 8]))

    def _is_odd(self) -> bool:
        """Whether a row that needs more columns is one of a few. Once it is, that is not worked out again for
        as many as there may be of these."""
        if self._odd_for:
            self._odd_for -= 1
            return True
        rows, columns = self._times.shape
        odd = bool(rows * columns >= _WASTE and self._needed(rows) <= columns)
        self._odd_for = rows // 8 if odd else 0
        return odd

    def _narrow(self, rows: int) -> None:
        """Before there are so many rows: not all of them need to be as wide as a few."""
        columns: int = self._times.shape[1]
        width = self._needed(rows) if rows * columns >= _WASTE else columns
        if 2 * width > columns:
            return
        self._odd_for = 0
        for row in np.flatnonzero(self._counts > width).tolist():
            self._spill(row, width // 2)
        self._times, self._values = self._times[:, :width].copy(), self._values[:, :width].copy()


def _same(value: float, before: float) -> bool:
    """To the last bit; NaN, which may be a stale marker, never is."""
    return bool(value == before) and (value != 0 or copysign(1, value) == copysign(1, before))
