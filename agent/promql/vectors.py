"""The shapes of data: instant vectors, windows of samples, and the store that they are read from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agent.model import Labels
from agent.promql.nodes import Matcher

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]  # milliseconds since the epoch
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

STALE_BITS = 0x7FF0000000000002  # Prometheus's stale marker; other NaN are values, so bits are compared


def is_stale(values: Floats) -> Flags:
    """Which values are stale markers."""
    flags: Flags = values.view(np.int64) == STALE_BITS
    return flags


@dataclass(frozen=True, slots=True)
class Vector:
    """An instant vector. `unnamed` marks elements whose metric name is dropped at the end."""

    labels: Sequence[Labels]
    values: Floats
    unnamed: Flags

    def take(self, rows: Indices) -> Vector:
        """These elements, in this order."""
        return Vector([self.labels[i] for i in rows.tolist()], self.values[rows], self.unnamed[rows])

    def where(self, flags: Flags) -> Vector:
        """The flagged elements."""
        return self if flags.all() else self.take(np.flatnonzero(flags))

    def with_values(self, values: Floats, *, unnamed: bool = True) -> Vector:
        """The same elements with other values; by default they lose their metric name."""
        return Vector(self.labels, values, np.ones(len(values), bool) if unnamed else self.unnamed)


def vector(labels: Sequence[Labels], values: Floats, *, unnamed: bool = False) -> Vector:
    """A vector whose elements all keep, or all lose, their metric name."""
    return Vector(labels, values, np.full(len(values), unnamed))


@dataclass(frozen=True, slots=True)
class Window:
    """The samples of each series with `start` < t <= `end`.

    A row is a series; its first `counts[row]` cells are samples in order of time, the other values are NaN.
    """

    labels: Sequence[Labels]
    times: Times
    values: Floats
    counts: Indices
    start: int
    end: int

    def series(self) -> Iterator[tuple[Labels, Times, Floats]]:
        """Labels (with the name), times and values of each series."""
        for labels, times, values, count in zip(
            self.labels, self.times, self.values, self.counts.tolist(), strict=True
        ):
            yield labels, times[:count], values[:count]

    def where(self, flags: Flags) -> Window:
        """The flagged series."""
        if flags.all():
            return self
        rows = np.flatnonzero(flags)
        labels = [self.labels[i] for i in rows.tolist()]
        return Window(labels, self.times[rows], self.values[rows], self.counts[rows], self.start, self.end)

    def without_stale(self) -> Window:
        """The same without stale markers, and without the series that have nothing else."""
        stale = is_stale(self.values)
        if not stale.any():
            return self
        order = np.argsort(stale, axis=1, kind="stable")
        values = np.take_along_axis(np.where(stale, np.nan, self.values), order, axis=1)
        times = np.take_along_axis(self.times, order, axis=1)
        counts = self.counts - stale.sum(axis=1)
        return Window(self.labels, times, values, counts, self.start, self.end).where(counts > 0)


class Store(Protocol):
    """Where samples are kept. Labels in results hold the metric name too, as `__name__`."""

    def select(self, name: str, matchers: tuple[Matcher, ...], start: int, end: int) -> Window:
        """The samples with start < t <= end of every matching series that has any; stale markers included."""

    def latest(self, name: str, matchers: tuple[Matcher, ...], start: int, end: int) -> Vector:
        """The newest sample with start < t <= end of each matching series, unless it is a stale marker."""

    def has(self, name: str, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        """Whether any matching series has a sample or a stale marker with start < t <= end."""
