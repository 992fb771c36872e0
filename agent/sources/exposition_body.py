"""What is wanted of an exposition, what stood in one, and what it may not be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.sources.exposition_line import families_of
from agent.sources.exposition_series import Rows

Values = npt.NDArray[np.float64]


class Malformed(ValueError):
    """No exposition; the text says in which line, and why."""


class TooMany(Exception):
    """More samples than are taken from one body."""


class Wanted:
    """The names to read, and of which families they may be; None: all."""

    def __init__(self, names: Iterable[str] | None) -> None:
        self.names = None if names is None else frozenset(name.encode() for name in names)
        self.families = frozenset(family for name in self.names or () for family in families_of(name))


@dataclass(frozen=True, slots=True)
class Body:
    """What stood in one body, in its order; of a series that stood there twice the first sample.

    `stamps`: row → ms since the epoch, where a sample had its own time. `duplicates` were left out.
    `grouped`: as far as was looked, no wanted sample stood outside its family. `beyond`: a name that
    nobody could have asked for, None where there was none; known only of what was read whole.
    """

    rows: Rows
    values: Values
    stamps: Mapping[int, int]
    duplicates: int
    grouped: bool
    beyond: str | None


def body_of(
    rows: Rows, values: Values, stamps: Mapping[int, int], *, grouped: bool, beyond: str | None
) -> Body:
    """All samples that stood there, to a body with one of each series; `stamps` are by place here."""
    first = _firsts(rows)
    if first is not None and stamps:
        taken = frozenset(first.tolist())
        stamps = {place: at for place, at in stamps.items() if place in taken}
    of_rows = {int(rows[place]): at for place, at in stamps.items()}
    if first is None:
        return Body(rows, values, of_rows, 0, grouped, beyond)
    return Body(rows[first], values[first], of_rows, len(rows) - len(first), grouped, beyond)


def _firsts(rows: Rows) -> Rows | None:
    """Where each row stands first, in order; None where none stands twice."""
    if not len(rows) or np.bincount(rows).max() <= 1:
        return None
    firsts: Rows = np.sort(np.unique(rows, return_index=True)[1])
    return firsts
