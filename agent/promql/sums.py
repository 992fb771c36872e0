"""Sums and means as Prometheus takes them: Neumaier's compensation, and means that do not overflow."""

from __future__ import annotations

import math

import numpy as np

from agent.promql.vectors import Floats, Indices

_FEW = 64  # up to here Python's own loop is quicker than numpy's dozen calls


def totals(values: Floats) -> Floats:
    """The sum of each row."""
    sums, lost = _compensated(values)
    return sums + lost


def means(values: Floats, counts: Indices) -> Floats:
    """The average of the first `counts` cells of each row; the cells after them are 0."""
    sums, lost = _compensated(values)
    averages = sums / counts + lost / counts
    for row in np.flatnonzero(~np.isfinite(sums)).tolist():
        averages[row] = _mean(values[row, : counts[row]].tolist())
    return averages


def total(values: Floats) -> float:
    """The sum of one series of values."""
    if len(values) > _FEW:
        return float(totals(values[None, :])[0])
    summed = lost = 0.0
    for value in values.tolist():
        summed, lost = _add(value, summed, lost)
    return summed + lost


def mean(values: Floats) -> float:
    """The average of at least one value."""
    if len(values) > _FEW:
        return float(means(values[None, :], np.array([len(values)]))[0])
    return _mean(values.tolist())


def _compensated(values: Floats) -> tuple[Floats, Floats]:
    """Plain running sums' ends, and what their roundings lost; nothing once a sum is infinite."""
    after = np.add.accumulate(values, axis=1)
    before = np.zeros_like(after)
    before[:, 1:] = after[:, :-1]
    larger = np.abs(before) >= np.abs(values)
    lost = np.where(larger, (before - after) + values, (values - after) + before)
    ends = after[:, -1] if after.shape[1] else np.zeros(len(after))
    lost_in_all = np.add.accumulate(lost, axis=1)[:, -1] if after.shape[1] else np.zeros(len(after))
    return ends, np.where(np.isinf(ends), 0.0, lost_in_all)


def _mean(values: list[float]) -> float:
    """Step by step: once the sum overflows, what was summed is divided and the rest weighed in one by one."""
    average, lost, count = values[0], 0.0, 1
    while count < len(values):
        summed, still_lost = _add(values[count], average, lost)
        if math.isinf(summed):
            break
        average, lost, count = summed, still_lost, count + 1
    average, lost = average / count, lost / count
    for n, value in enumerate(values[count:], start=count + 1):
        share = (n - 1) / n
        average, lost = _add(value / n, share * average, share * lost)
    return average + lost


def _add(value: float, summed: float, lost: float) -> tuple[float, float]:
    after = summed + value
    if math.isinf(after):
        return after, 0.0
    if abs(summed) >= abs(value):
        return after, lost + ((summed - after) + value)
    return after, lost + ((value - after) + summed)
