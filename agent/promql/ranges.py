"""Functions over windows: what a range selector's samples come to, a number a cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agent.promql import quantiles
from agent.promql.errors import EvaluationError
from agent.promql.sums import means, totals
from agent.promql.vectors import Flags, Floats, Times
from agent.promql.windows import Window

OverTime = Callable[..., Floats]  # a Window, then the scalar arguments, each [cell]


def maximum(window: Window) -> Floats:
    """The greatest value; NaN only where there is nothing else."""
    greatest: Floats = np.fmax.reduce(window.values, axis=1)
    return greatest


def minimum(window: Window) -> Floats:
    """The least value; NaN only where there is nothing else."""
    least: Floats = np.fmin.reduce(window.values, axis=1)
    return least


def first(window: Window) -> Floats:
    """The oldest value."""
    return window.values[:, 0]


def last(window: Window) -> Floats:
    """The newest value."""
    return window.values[window.last()]


def time_of_first(window: Window) -> Floats:
    """When the oldest sample was taken, in seconds."""
    return window.times[:, 0] / 1000


def time_of_last(window: Window) -> Floats:
    """When the newest sample was taken, in seconds."""
    seconds: Floats = window.times[window.last()] / 1000
    return seconds


def time_of(extreme: OverTime) -> OverTime:
    """When the extreme value was last seen, in seconds."""

    def over_time(window: Window) -> Floats:
        value = extreme(window)[:, None]
        hits = ((window.values == value) | np.isnan(value)) & window.inside()
        column = hits.shape[1] - 1 - hits[:, ::-1].argmax(axis=1)
        seconds: Floats = window.times[np.arange(len(column)), column] / 1000
        return seconds

    return over_time


def count(window: Window) -> Floats:
    """How many samples."""
    return window.counts.astype(np.float64)


def present(window: Window) -> Floats:
    """One."""
    return np.ones(len(window.counts))


def summed(window: Window) -> Floats:
    """The sum."""
    return totals(window.zero_filled())


def average(window: Window) -> Floats:
    """The mean of the samples, whatever time lies between them."""
    return means(window.zero_filled(), window.counts)


def quantile(window: Window, q: Floats) -> Floats:
    """The q-quantile."""
    return quantiles.quantiles(window.values, window.inside(), q)


def variance(window: Window) -> Floats:
    """The population variance."""
    return quantiles.variances(window.values, window.inside())


def deviation(window: Window) -> Floats:
    """The population standard deviation."""
    return np.sqrt(variance(window))


def median_deviation(window: Window) -> Floats:
    """The median absolute deviation."""
    return quantiles.median_deviations(window.values, window.inside())


def changes(window: Window) -> Floats:
    """How often the value changed; from NaN to NaN is no change."""
    before, after = window.values[:, :-1], window.values[:, 1:]
    differ = (before != after) & ~(np.isnan(before) & np.isnan(after)) & window.inside()[:, 1:]
    count: Floats = np.count_nonzero(differ, axis=1).astype(np.float64)
    return count


def resets(window: Window) -> Floats:
    """How often each counter fell."""
    falls: Floats = np.count_nonzero(_drops(window.values), axis=1).astype(np.float64)
    return falls


def extrapolated(*, counter: bool, per_second: bool) -> OverTime:
    """rate, increase and delta: the change between first and last sample, stretched to the window's edges."""

    def over_time(window: Window) -> Floats:
        change = _change(window, counter=counter)
        factor = _stretch(window, change, counter=counter)
        if per_second:
            factor /= (window.end - window.start) / 1000
        return change * factor

    return over_time


def instant(*, counter: bool) -> OverTime:
    """irate and idelta: the change between the last two samples; irate a second, and from 0 after a reset."""

    def over_time(window: Window) -> Floats:
        rows, ends = window.last()
        starts = np.maximum(ends - 1, 0)
        before, after = window.values[rows, starts], window.values[rows, ends]
        if not counter:
            return after - before
        seconds = (window.times[rows, ends] - window.times[rows, starts]) / 1000
        change = np.where(after < before, after, after - before)
        return change / seconds

    return over_time


def slope(window: Window) -> Floats:
    """The slope a second of the least-squares line."""
    return _line(window, window.times[:, 0])[0]


def predicted(window: Window, seconds: Floats, now: Times) -> Floats:
    """Where the least-squares line will be, so many seconds after `now` (ms)."""
    rise, intercept = _line(window, now)
    return rise * seconds + intercept


def smoothed(window: Window, smoothing: Floats, trend: Floats) -> Floats:
    """Holt's linear exponential smoothing; both factors strictly between 0 and 1."""
    for name, factor in (("smoothing", smoothing), ("trend", trend)):
        if len(factor) and not ((factor > 0) & (factor < 1)).all():
            bad = factor[~((factor > 0) & (factor < 1))][0]
            letter = name[0]
            raise EvaluationError(f"invalid {name} factor. Expected: 0 < {letter}f < 1, got: {bad:f}")
    level, before = window.values[:, 0], np.zeros(len(window.counts))
    growth = window.values[:, 1] - level if window.values.shape[1] > 1 else before
    for column in range(1, window.values.shape[1]):
        live = window.counts > column
        if column > 1:
            growth = np.where(live, trend * (level - before) + (1 - trend) * growth, growth)
        after = smoothing * window.values[:, column] + (1 - smoothing) * (level + growth)
        before, level = np.where(live, level, before), np.where(live, after, level)
    return level


def _line(window: Window, origin: Times) -> tuple[Floats, Floats]:
    """Slope a second and intercept at `origin` (ms) of the least-squares line (linearRegression)."""
    inside, n = window.inside(), window.counts
    x = np.where(inside, (window.times - origin[:, None]) / 1000, 0.0)
    y = np.where(inside, window.values, 0.0)
    sum_x, sum_y, sum_xy, sum_xx = totals(x), totals(y), totals(x * y), totals(x * x)
    rise = (sum_xy - sum_x * sum_y / n) / (sum_xx - sum_x * sum_x / n)
    intercept = sum_y / n - rise * sum_x / n
    begin = window.values[:, 0]
    constant = ((window.values == begin[:, None]) | ~inside).all(axis=1)
    flat = np.where(np.isinf(begin), np.nan, 0.0)
    return np.where(constant, flat, rise), np.where(constant, begin + flat, intercept)


def _drops(values: Floats) -> Flags:
    flags: Flags = values[:, 1:] < values[:, :-1]
    return flags


def _change(window: Window, *, counter: bool) -> Floats:
    change: Floats = window.values[window.last()] - window.values[:, 0]
    if counter:  # a counter that falls began again at 0: what it had counted before comes on top
        falls = _drops(window.values)
        if falls.any():
            change = change + np.where(falls, window.values[:, :-1], 0.0).sum(axis=1)
    return change


def _stretch(window: Window, change: Floats, *, counter: bool) -> Floats:
    """By what the change grows when the window's edges are included (Prometheus's extrapolatedRate).

    An edge nearer than 1.1 of the mean spacing is reached, a farther one is approached by half of it; and
    no counter is stretched back beyond its zero.
    """
    oldest, newest = window.times[:, 0], window.times[window.last()]
    covered = (newest - oldest) / 1000
    spacing = covered / (window.counts - 1)
    to_start, to_end = (oldest - window.start) / 1000, (window.end - newest) / 1000
    to_start = np.where(to_start >= spacing * 1.1, spacing / 2, to_start)
    to_end = np.where(to_end >= spacing * 1.1, spacing / 2, to_end)
    if counter:
        begin = window.values[:, 0]
        to_zero = np.where((change > 0) & (begin >= 0), covered * (begin / change), to_start)
        to_start = np.fmin(to_zero, to_start)
    factor: Floats = (covered + to_start + to_end) / covered
    return factor
