"""All series of one metric name: a matrix of times and one of values, a row a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import copysign
from threading import Lock

import numpy as np

from agent.model import Labels
from agent.promql.labels import NAME
from agent.promql.nodes import LOOKBACK_MS, Matcher
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
from agent.series.columns import AT_ONCE, padded, parts, stacked

_FIRST_COLUMNS = 16
# After so long a sample is news, whatever it says: the one before may be too old, or alone in a window.
_SILENT_MS = LOOKBACK_MS // 4
_MAX_SELECTIONS = 256  # remembered; rules have few, people's queries may have many

Selection = tuple[Indices, Rows]


class Block:
    """Rows fill from the left in order of time; a full row first loses what is too old, then all grow.

    `window_ms` is how long samples are kept, and may change. Who begins or appends holds `lock`; readers take
    it themselves, for a few rows at a time. A row's number never changes: the block without what was
    forgotten is another one.
    """

    def __init__(self, name: str, window_ms: int, longest: int, lock: Lock) -> None:
        self.rows: dict[Labels, int] = {}
        self.window_ms = window_ms
        self.shortened = 0
        self.shortened_until = NEVER_BEFORE  # the newest of these samples
        self._lock = lock
        self._name = name
        self._longest = longest
        self._times: Times = np.empty((0, _FIRST_COLUMNS), np.int64)
        self._values: Floats = np.empty((0, _FIRST_COLUMNS))
        self._counts: Indices = np.empty(0, np.intp)
        self._newest = NEVER_BEFORE  # of all rows
        self._selections: dict[
            tuple[Matcher, ...], tuple[int, Selection]
        ] = {}  # with how many rows there were

    def begin(self, labels: Labels) -> int:
        """The row of a new series."""
        row = self.rows[labels] = len(self.rows)
        if row == len(self._counts):
            more = max(8, row)
            self._times = padded(self._times, (more, 0), NEVER)
            self._values = padded(self._values, (more, 0), np.nan)
            self._counts = np.concatenate([self._counts, np.zeros(more, np.intp)])
        return row

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
        return kept < count

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

    def _few_ends(self, rows: Indices, end: int) -> tuple[Times, Floats]:
        ends = self._counts[rows] - 1
        times = self._times[rows, ends]
        if len(rows) and times.max() > end:  # asked about the past
            ends = (self._times[rows] <= end).sum(axis=1) - 1
            times = np.where(ends >= 0, self._times[rows, ends], NEVER_BEFORE)
        return times, self._values[rows, ends]

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
        count = len(self.rows)
        last = self._times[np.arange(count), self._counts[:count] - 1]
        kept = np.flatnonzero(last > before)
        return self if len(kept) == count else self._of(kept)

    def first(self, count: int) -> Block:
        """This block's `count` oldest series alone."""
        return self._of(np.arange(count))

    def samples(self, since: int = 0) -> int:
        """How many samples the rows from `since` on hold."""
        return int(self._counts[since : len(self.rows)].sum())

    @property
    def nbytes(self) -> int:
        """The memory of times and values."""
        return self._times.nbytes + self._values.nbytes + self._counts.nbytes

    def pieces(self, cells: int) -> Iterator[tuple[Sequence[Labels], Samples]]:
        """All that is held, about `cells` samples at a time, each row as it is when its turn comes."""
        with self._lock:
            every = list(self.rows)
        step = max(1, cells // self._times.shape[1])
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

    def _put(self, row: int, times: Times, values: Floats) -> None:
        more = len(times) - self._times.shape[1]
        if more > 0:
            self._times = padded(self._times, (0, more), NEVER)
            self._values = padded(self._values, (0, more), np.nan)
        self._times[row, : len(times)] = times
        self._values.view(np.int64)[row, : len(times)] = values.view(np.int64)
        self._counts[row] = len(times)
        self._newest = max(self._newest, int(times[-1]))

    def _of(self, rows: Indices) -> Block:
        """Another block with these of the rows, no wider than it must be."""
        every = list(self.rows)
        other = Block(self._name, self.window_ms, self._longest, self._lock)
        other.rows = {every[row]: new for new, row in enumerate(rows.tolist())}
        other.shortened, other.shortened_until = self.shortened, self.shortened_until
        other._counts = self._counts[rows]
        width = max(_FIRST_COLUMNS, int(other._counts.max(initial=0)))
        other._times, other._values = self._times[rows, :width], self._values[rows, :width]
        ends = other._times[np.arange(len(rows)), other._counts - 1]
        other._newest = int(ends.max(initial=NEVER_BEFORE))
        return other

    def _make_room(self, row: int, at: int) -> int:
        """Drop what is older than the window, or a quarter of a row at its limit, or widen; the new end.

        Widened by a quarter, and not before nearly all of a row is within the window: most of the agent's
        memory may be here, and a row of twice the width that it needs would double it.
        """
        columns: int = self._times.shape[1]
        old = int(np.searchsorted(self._times[row], at - self.window_ms, side="right"))
        if columns >= self._longest and old < columns // 4:
            self.shortened += columns // 4 - old
            old = columns // 4
            self.shortened_until = max(self.shortened_until, int(self._times[row, old - 1]))
        if old < max(1, columns // 8):
            more = min(max(4, columns // 4), max(1, self._longest - columns))
            self._times = padded(self._times, (0, more), NEVER)
            self._values = padded(self._values, (0, more), np.nan)
            return columns
        end = columns - old
        self._times[row, :end] = self._times[row, old:columns]
        self._times[row, end:] = NEVER
        self._values.view(np.int64)[row, :end] = self._values.view(np.int64)[row, old:columns]
        return end


def _same(value: float, before: float) -> bool:
    """To the last bit; NaN, which may be a stale marker, never is."""
    return bool(value == before) and (value != 0 or copysign(1, value) == copysign(1, before))


def _meets(labels: Labels, matchers: tuple[Matcher, ...]) -> bool:
    values = dict(labels)
    return all(m.matches(values.get(m.name, "")) for m in matchers)
