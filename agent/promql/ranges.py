"""Functions over windows: what a range selector's samples come to, a series each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agent.promql.sums import mean, means, total, totals
from agent.promql.vectors import Flags, Floats, Indices, Times, Vector, Window, vector

OverTime = Callable[[Window], Vector]


def across(reduce: Callable[[Floats], Floats]) -> OverTime:
    """A function of all series at once, to which the NaN after a series' end do not matter."""

    def over_time(window: Window) -> Vector:
        return vector(window.labels, reduce(window.values), unnamed=True)

    return over_time


def last(window: Window) -> Vector:
    """The newest value; keeps the metric name."""
    return vector(window.labels, window.values[_ends(window)])


def count(window: Window) -> Vector:
    """How many samples."""
    return vector(window.labels, window.counts.astype(np.float64), unnamed=True)


def summed(window: Window) -> Vector:
    """The sum."""
    return vector(window.labels, totals(_zero_filled(window)), unnamed=True)


def average(window: Window) -> Vector:
    """The mean of the samples, whatever time lies between them."""
    return vector(window.labels, means(_zero_filled(window), window.counts), unnamed=True)


def changes(window: Window) -> Vector:
    """How often the value changed; from NaN to NaN is no change."""
    before, after = window.values[:, :-1], window.values[:, 1:]
    differ = (before != after) & ~(np.isnan(before) & np.isnan(after)) & _inside(window)[:, 1:]
    return vector(window.labels, np.count_nonzero(differ, axis=1).astype(np.float64), unnamed=True)


def resets(values: Floats) -> Floats:
    """How often each counter fell."""
    falls: Floats = np.count_nonzero(_drops(values), axis=1).astype(np.float64)
    return falls


def extrapolated(*, counter: bool, per_second: bool) -> OverTime:
    """rate, increase and delta: the change between first and last sample, stretched to the window's edges."""

    def over_time(window: Window) -> Vector:
        window = window.where(window.counts >= 2)
        change = _change(window, counter=counter)
        factor = _stretch(window, change, counter=counter)
        if per_second:
            factor /= (window.end - window.start) / 1000
        return vector(window.labels, change * factor, unnamed=True)

    return over_time


def instant(*, counter: bool) -> OverTime:
    """irate and idelta: the change between the last two samples; irate a second, and from 0 after a reset."""

    def over_time(window: Window) -> Vector:
        window = window.where(window.counts >= 2)
        rows, ends = _ends(window)
        before, after = window.values[rows, ends - 1], window.values[rows, ends]
        if not counter:
            return vector(window.labels, after - before, unnamed=True)
        seconds = (window.times[rows, ends] - window.times[rows, ends - 1]) / 1000
        change = np.where(after < before, after, after - before)
        return vector(window.labels, change / seconds, unnamed=True)

    return over_time


def deriv(window: Window) -> Vector:
    """The slope a second of the least-squares line."""
    window = window.where(window.counts >= 2)
    slopes = [_slope(times, values) for _, times, values in window.series()]
    return vector(window.labels, np.array(slopes, np.float64), unnamed=True)


def _slope(times: Times, values: Floats) -> float:
    if (values == values[0]).all():
        return 0.0 if np.isfinite(values[0]) else float("nan")
    seconds = (times - times[0]) / 1000
    seconds -= mean(seconds)
    return total(seconds * (values - mean(values))) / total(seconds * seconds)


def _ends(window: Window) -> tuple[Indices, Indices]:
    """The index of each series' last sample."""
    return np.arange(len(window.counts)), window.counts - 1


def _inside(window: Window) -> Flags:
    flags: Flags = np.arange(window.values.shape[1]) < window.counts[:, None]
    return flags


def _zero_filled(window: Window) -> Floats:
    return np.where(_inside(window), window.values, 0.0)


def _drops(values: Floats) -> Flags:
    flags: Flags = values[:, 1:] < values[:, :-1]
    return flags


def _change(window: Window, *, counter: bool) -> Floats:
    change = window.values[_ends(window)] - window.values[:, :1].reshape(-1)
    if counter:  # a counter that falls began again at 0: what it had counted before comes on top
        change = change + np.where(_drops(window.values), window.values[:, :-1], 0.0).sum(axis=1)
    return change


def _stretch(window: Window, change: Floats, *, counter: bool) -> Floats:
    """By what the change grows when the window's edges are included (Prometheus's extrapolatedRate).

    An edge nearer than 1.1 of the mean spacing is reached, a farther one is approached by half of it; and
    no counter is stretched back beyond its zero.
    """
    first, newest = window.times[:, :1].reshape(-1), window.times[_ends(window)]
    covered = (newest - first) / 1000
    spacing = covered / (window.counts - 1)
    to_start, to_end = (first - window.start) / 1000, (window.end - newest) / 1000
    to_start = np.where(to_start >= spacing * 1.1, spacing / 2, to_start)
    to_end = np.where(to_end >= spacing * 1.1, spacing / 2, to_end)
    if counter:
        begin = window.values[:, :1].reshape(-1)
        to_zero = np.where((change > 0) & (begin >= 0), covered * (begin / change), to_start)
        to_start = np.fmin(to_zero, to_start)
    factor: Floats = (covered + to_start + to_end) / covered
    return factor
