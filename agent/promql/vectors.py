"""The shapes of data: vectors over a grid of steps, windows of samples, and the store they are read from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from agent.model import Labels
from agent.promql.nodes import Matcher

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]  # milliseconds since the epoch
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
T = TypeVar("T")

STALE_BITS = 0x7FF0000000000002  # Prometheus's stale marker; other NaN are values, so bits are compared
STALE = float(np.array([STALE_BITS], np.int64).view(np.float64)[0])  # may be copied, not reckoned with
NEVER = np.iinfo(np.int64).max  # the time of a cell without a sample
NEVER_BEFORE = -NEVER  # before any sample
_MAX_DERIVED = 16  # remembered for one set of rows: an expression asks the same few things every time


def number(value: float) -> Floats:
    """A scalar of all steps."""
    return np.array(value, np.float64)


def is_stale(values: Floats) -> Flags:
    """Which values are stale markers."""
    flags: Flags = values.view(np.int64) == STALE_BITS
    return flags


class Rows:
    """The label sets of a vector's rows (the metric name as `__name__`), and what was worked out from them.

    It never changes, so groupings and matches are worked out once and found again while the series of a
    metric stay the same: that is what makes a rule cheap the second time. Identity is equality.
    """

    __slots__ = ("_derived", "labels")

    def __init__(self, labels: Sequence[Labels]) -> None:
        self.labels = labels
        self._derived: dict[Hashable, object] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, remembered under `key`; some are forgotten when there are many."""
        known = self._derived
        if key not in known:
            made = make()
            kept = self._derived if len(self._derived) < _MAX_DERIVED else {}
            known = self._derived = {**kept, key: made}  # another one: other threads read the old
        return cast(T, known[key])


NO_ROWS = Rows(())
ONE_ROW = Rows(((),))  # one element without labels


class Vector(Struct, frozen=True):
    """A vector at each step of a grid: `values` and `present` are [row, step].

    A row without a sample at a step is not present there (its value is meaningless); so comparisons filter
    without touching the rows. `unnamed` [row] marks rows whose metric name is dropped at the end (delayed
    name removal). `order` is the order of rows that sort() or topk() gave, of one step only.
    """

    rows: Rows
    values: Floats
    present: Flags
    unnamed: Flags
    order: Indices | None = None

    def with_values(self, values: Floats) -> Vector:
        """The same elements with other values; they lose their metric name."""
        return Vector(self.rows, values, self.present, np.ones(len(self.rows), bool))

    def where(self, flags: Flags) -> Vector:
        """The flagged elements."""
        return Vector(self.rows, self.values, self.present & flags, self.unnamed)


def vector(rows: Rows, values: Floats, present: Flags, *, unnamed: bool = False) -> Vector:
    """A vector whose elements all keep, or all lose, their metric name."""
    return Vector(rows, values, present, np.full(len(rows), unnamed))


def nothing(steps: int) -> Vector:
    """The empty vector."""
    return vector(NO_ROWS, np.empty((0, steps)), np.empty((0, steps), bool))


class Samples(Struct, frozen=True):
    """Raw samples, a row a series: its first `counts[row]` cells, in order of time.

    The other cells hold NaN and NEVER.
    """

    rows: Rows
    times: Times
    values: Floats
    counts: Indices


NO_SAMPLES = Samples(NO_ROWS, np.empty((0, 0), np.int64), np.empty((0, 0)), np.empty(0, np.intp))


class Newest(Struct, frozen=True):
    """The newest sample of each row, where `found`."""

    rows: Rows
    times: Times
    values: Floats
    found: Flags


NOTHING_NEW = Newest(NO_ROWS, np.empty(0, np.int64), np.empty(0), np.empty(0, bool))


class Store(Protocol):
    """Where samples are kept. Without a name, matchers on `__name__` and others choose among all metrics."""

    def select(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Samples:
        """The samples with start < t <= end of every matching series; stale markers included."""

    def latest(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Newest:
        """The newest sample with start < t <= end of each matching series, unless it is a stale marker."""

    def has(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        """Whether any matching series has a sample or a stale marker with start < t <= end."""
