"""The series of one target, known by the bytes that their lines begin with; each has a number, its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from agent.model import Labels

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Relabel = Callable[[Labels], Labels]
_SPARE = 5_000  # series that are gone and still known; beyond that and what is there, all are learnt anew


def as_it_is(labels: Labels) -> Labels:
    """No target's labels."""
    return labels


class Known:
    """What lines have begun with so far. `relabel` puts the target's labels on a series, once."""

    def __init__(self, relabel: Relabel = as_it_is) -> None:
        self.rows: dict[bytes, int] = {}
        self.series: list[tuple[str, Labels]] = []
        self._relabel = relabel
        self._numbers: dict[tuple[str, Labels], int] = {}
        self._order: tuple[list[bytes], list[int]] = ([], [])  # of the last body: beginnings, their rows
        self._next: tuple[list[bytes], list[int]] = ([], [])
        self._places: dict[int, int] | None = None  # of the last body's rows, where its order was left
        self._at = 0

    def rewind(self) -> None:
        """A new body begins, most probably with its lines in the order of the last one's."""
        self._order, self._next, self._at = self._next, ([], []), 0
        self._places = None

    def find(self, beginnings: list[bytes]) -> list[int] | None:
        """Their rows, None where one is not known.

        In the order of the last body they are only compared, which is three times as fast as to look them up.
        """
        (order, places), end = self._order, self._at + len(beginnings)
        if beginnings == order[self._at : end]:
            rows, beginnings = places[self._at : end], order[self._at : end]
        else:
            found = list(map(self.rows.get, beginnings))
            if None in found:
                return None
            rows = cast(list[int], found)
            end = self._place_of(rows[-1], end - 1) + 1
        self._at = end
        self._next[0].extend(beginnings)
        self._next[1].extend(rows)
        return rows

    def _place_of(self, row: int, otherwise: int) -> int:
        """Where it stood in the last body. Worked out once a body: an exporter may shuffle its families."""
        if self._places is None:
            self._places = dict(zip(self._order[1], range(len(self._order[1])), strict=True))
        return self._places.get(row, otherwise)

    def begin(self, beginning: bytes, name: str, labels: Labels) -> int:
        """The row of a line's beginning that was not known; another spelling may have it already."""
        series = name, self._relabel(labels)
        row = self._numbers.setdefault(series, len(self.series))
        if row == len(self.series):
            self.series.append(series)
        self.rows[beginning] = row
        return row

    def row_of(self, name: str, labels: Labels) -> int | None:
        """The row of a series with all its labels; None where it was not there yet."""
        return self._numbers.get((name, labels))

    def flags(self, rows: Rows) -> Flags:
        """For every row whether it is among these."""
        flags = np.zeros(len(self.series), np.bool_)
        flags[rows] = True
        return flags

    def too_many(self, there: int) -> bool:
        """Whether most of what is known is gone by now; `there` are the series of the last reading."""
        return len(self.rows) > 2 * there + _SPARE

    def kept(self, rows: Sequence[int]) -> Known:
        """Only these series, in this order, their spelling to be learnt anew."""
        other = Known(self._relabel)
        other.series = [self.series[row] for row in rows]
        other._numbers = {series: row for row, series in enumerate(other.series)}
        return other
