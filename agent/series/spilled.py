"""The older samples of a few rows that are far longer than the others of their block."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from agent.promql.vectors import NEVER, NEVER_BEFORE, Floats, Indices, Times
from agent.series.columns import padded


class Spilled:
    """By row, in order of time. Without it a matrix would be as wide for each row as for its busiest.

    Who changes it, or reads samples, holds the block's lock; whoever asks how much there is need not.
    """

    def __init__(self, rows: dict[int, tuple[Times, Floats]] | None = None) -> None:
        self._rows = rows or {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def push(self, row: int, times: Times, values: Floats) -> None:
        """Copies of samples that are newer than those that the row has here."""
        before = self._rows.get(row)
        if before is None:
            self._rows[row] = times.copy(), values.copy()
        else:
            self._rows[row] = np.concatenate((before[0], times)), np.concatenate((before[1], values))

    def trim(self, row: int, until: int) -> int:
        """Drop what is not later than `until`; how many the row has left."""
        if row not in self._rows:
            return 0
        times, _ = self._rows[row]
        return self._drop(row, int(np.searchsorted(times, until, side="right")))

    def shorten(self, row: int, most: int) -> tuple[int, int]:
        """Drop the oldest, `most` at most: how many, and when the newest of them was."""
        times, _ = self._rows[row]
        count = min(most, len(times))
        newest = int(times[count - 1])
        self._drop(row, count)
        return count, newest

    def take(self, row: int, until: int) -> tuple[Times, Floats] | None:
        """What the row has of no later than `until`, which it has no more here."""
        if (held := self._rows.pop(row, None)) is None:
            return None
        count = int(np.searchsorted(held[0], until, side="right"))
        return (held[0][:count], held[1][:count]) if count else None

    def window(self, row: int, start: int, end: int) -> tuple[Times, Floats] | None:
        """The row's samples with start < t <= end; None where there are none."""
        if (held := self._rows.get(row)) is None or held[0][-1] <= start:
            return None
        low, high = np.searchsorted(held[0], (start, end), side="right").tolist()
        return (held[0][low:high], held[1][low:high]) if low < high else None

    def ends(self, rows: Indices, end: int, times: Times, values: Floats) -> tuple[Times, Floats]:
        """The newest samples of the rows with t <= end, where the matrix has none, and `times` say so."""
        for place in np.flatnonzero(times == NEVER_BEFORE).tolist():
            if (older := self.window(int(rows[place]), NEVER_BEFORE, end)) is not None:
                times[place], values[place] = older[0][-1], older[1][-1]
        return times, values

    def before(
        self, rows: Indices, bounds: tuple[int, int], found: tuple[Times, Floats, Indices]
    ) -> tuple[Times, Floats, Indices]:
        """What was found of these rows within bounds, packed to the left, behind what is here of them."""
        when, packed, counts = found
        each = ((place, self.window(row, *bounds)) for place, row in enumerate(rows.tolist()))
        here = {place: older for place, older in each if older is not None}
        needed = max((len(times) + int(counts[place]) for place, (times, _) in here.items()), default=0)
        if (more := needed - when.shape[1]) > 0:
            when, packed = padded(when, (0, more), NEVER), padded(packed, (0, more), np.nan)
        for place, (times, values) in here.items():
            count, shift = int(counts[place]), len(times)
            when[place, shift : shift + count] = when[place, :count].copy()
            packed[place, shift : shift + count] = packed[place, :count].copy()
            when[place, :shift], packed[place, :shift] = times, values
            counts[place] += shift
        return when, packed, counts

    def of(self, rows: Iterable[int]) -> Spilled:
        """Of a block of these rows alone, in this order."""
        found = {new: self._rows[row] for new, row in enumerate(rows) if row in self._rows}
        return Spilled(found)

    def samples(self, since: int = 0) -> int:
        """How many the rows from `since` on have."""
        return sum(len(times) for row, (times, _) in list(self._rows.items()) if row >= since)

    @property
    def longest(self) -> int:
        """How many the row has that has most."""
        return max((len(times) for times, _ in list(self._rows.values())), default=0)

    @property
    def nbytes(self) -> int:
        """The memory of times and values."""
        return sum(times.nbytes + values.nbytes for times, values in list(self._rows.values()))

    def _drop(self, row: int, count: int) -> int:
        times, values = self._rows[row]
        if count == len(times):
            del self._rows[row]
        elif count:
            self._rows[row] = times[count:].copy(), values[count:].copy()
        return len(times) - count
