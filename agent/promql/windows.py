"""From raw samples to what selectors see at each step: the newest one, or a window of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from agent.promql.vectors import NEVER, Flags, Floats, Indices, Rows, Samples, Times, Vector, is_stale

_CELLS = 2_000_000  # of one chunk of windows: 16 MB a matrix


class Window(Struct, frozen=True):
    """The samples with start < t <= end of each row at each step; [cell] runs over rows, then steps.

    `values` and `times` are [cell, sample]: the first `counts` are samples in order of time, the other
    values are NaN. `start` and `end` are [cell].
    """

    times: Times
    values: Floats
    counts: Indices
    start: Times
    end: Times

    def inside(self) -> Flags:
        """Which [cell, sample] hold a sample."""
        flags: Flags = np.arange(self.values.shape[1]) < self.counts[:, None]
        return flags

    def last(self) -> tuple[Indices, Indices]:
        """The index of each cell's last sample; its first column where it has none."""
        return np.arange(len(self.counts)), np.maximum(self.counts - 1, 0)

    def zero_filled(self) -> Floats:
        """The values with 0 where there is no sample."""
        return np.where(self.inside(), self.values, 0.0)


def without_stale(samples: Samples) -> Samples:
    """The same without stale markers."""
    stale = is_stale(samples.values)
    if not stale.any():
        return samples
    return pack(samples.rows, samples.times, samples.values, ~stale & (samples.times != NEVER))


def pack(rows: Rows, times: Times, values: Floats, kept: Flags) -> Samples:
    """The kept cells of each row, moved to the left."""
    order = np.argsort(~kept, axis=1, kind="stable")
    return Samples(
        rows,
        np.take_along_axis(np.where(kept, times, NEVER), order, axis=1),
        np.take_along_axis(np.where(kept, values, np.nan), order, axis=1),
        kept.sum(axis=1),
    )


def newest(samples: Samples, ends: Times, lookback_ms: int) -> tuple[Times, Floats, Flags]:
    """Time, value and presence [row, step] of the newest sample not older than the lookback."""
    if not samples.values.shape[1]:
        shape = (len(samples.rows), len(ends))
        return np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape, bool)
    columns = ranks(samples.times, ends) - 1
    at = np.maximum(columns, 0)
    times = np.take_along_axis(samples.times, at, axis=1)
    values = np.take_along_axis(samples.values, at, axis=1)
    found = (columns >= 0) & (times > ends - lookback_ms) & ~is_stale(values)
    return times, values, found


def ranks(times: Times, at: Times) -> Indices:
    """How many samples of each row are not later than each of `at` (ascending): [row, step]."""
    if len(at) == 1:
        counted: Indices = (times <= at[0]).sum(axis=1)[:, None]
        return counted
    if len(times) and (times == times[0]).all():  # scraped together
        return np.broadcast_to(np.searchsorted(times[0], at, side="right"), (len(times), len(at)))
    found = [np.searchsorted(row, at, side="right") for row in times]
    return np.array(found, np.intp).reshape(len(times), len(at))


def windows(samples: Samples, starts: Times, ends: Times) -> Iterator[tuple[slice, Window]]:
    """Windows of consecutive steps, few enough at once to fit into memory.

    `samples` are all that any of them holds, and no others.
    """
    if len(ends) == 1 and samples.values.shape[1]:  # nothing else was read: rules are judged at one instant
        start, end = np.full(len(samples.rows), starts[0]), np.full(len(samples.rows), ends[0])
        yield slice(0, 1), Window(samples.times, samples.values, samples.counts, start, end)
        return
    low, high = ranks(samples.times, starts), ranks(samples.times, ends)
    widest = max(1, int((high - low).max(initial=0)))
    steps = max(1, _CELLS // (max(1, len(samples.rows)) * widest))
    for first in range(0, len(ends), steps):
        part = slice(first, first + steps)
        yield part, _window(samples, (low[:, part], high[:, part]), starts[part], ends[part])


def _window(samples: Samples, columns: tuple[Indices, Indices], starts: Times, ends: Times) -> Window:
    count, steps = len(samples.rows), len(ends)
    low, counts = columns[0].reshape(-1), (columns[1] - columns[0]).reshape(-1)
    width = int(counts.max(initial=0))
    if not width:
        blank = np.full((count * steps, 1), np.nan)
        times, values = np.zeros(blank.shape, np.int64), blank
    else:
        offsets = np.arange(width)
        inside = offsets < counts[:, None]
        picked = np.where(inside, low[:, None] + offsets, 0)
        rows = np.repeat(np.arange(count), steps)[:, None]
        times = samples.times[rows, picked]
        values = np.where(inside, samples.values[rows, picked], np.nan)
    return Window(times, values, counts, np.tile(starts, count), np.tile(ends, count))


def steps_within(starts: Times, ends: Times, step: int) -> Times:
    """The multiples of `step` since the epoch in any of the windows (start, end], ascending windows."""
    first = int(starts[0] / step) * step  # toward zero, as Go divides
    while first <= starts[0]:
        first += step
    times = np.arange(first, int(ends[-1]) + 1, step, dtype=np.int64)
    window = np.searchsorted(ends, times, side="left")  # the first that ends late enough
    return times[starts[np.minimum(window, len(ends) - 1)] < times]


def samples_of(vector: Vector, times: Times) -> Samples:
    """What a subquery saw, as samples."""
    shape = vector.values.shape
    if vector.present.all():
        return Samples(vector.rows, np.broadcast_to(times, shape), vector.values, np.full(shape[0], shape[1]))
    return pack(vector.rows, np.broadcast_to(times, shape), vector.values, vector.present)
