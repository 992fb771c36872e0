"""Quantiles and spreads of rows of values, as Prometheus interpolates them."""

from __future__ import annotations

import numpy as np

from agent.promql.sums import means, totals
from agent.promql.vectors import Flags, Floats


def quantiles(values: Floats, inside: Flags, q: Floats) -> Floats:
    """The q-quantile of each row's values that are inside; `q` is [row] or one number. NaN sorts first."""
    counts = inside.sum(axis=1)
    nans = (np.isnan(values) & inside).sum(axis=1)
    filled = np.where(inside, np.where(np.isnan(values), -np.inf, values), np.inf)
    ordered = np.sort(filled, axis=1)
    if nans.any():
        ordered = np.where(np.arange(ordered.shape[1]) < nans[:, None], np.nan, ordered)
    rank = np.nan_to_num(q, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1) * np.maximum(counts - 1, 0)
    lower = np.floor(rank).astype(np.intp)
    upper = np.minimum(np.maximum(counts - 1, 0), lower + 1)
    weight, rows = rank - lower, np.arange(len(values))
    result = ordered[rows, lower] * (1 - weight) + ordered[rows, upper] * weight
    result = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, result))
    return np.where(np.isnan(q), np.nan, result)


def variances(values: Floats, inside: Flags) -> Floats:
    """The population variance of each row's values that are inside (0 for equal ones, exactly)."""
    counts = inside.sum(axis=1)
    first = values[np.arange(len(values)), inside.argmax(axis=1)] if values.shape[1] else values.sum(axis=1)
    moved = np.where(inside, values - first[:, None], 0.0)
    average = means_inside(moved, inside)
    squares = np.where(inside, (moved - average[:, None]) ** 2, 0.0)
    spread: Floats = totals(squares) / counts
    return spread


def means_inside(values: Floats, inside: Flags) -> Floats:
    """The mean of each row's values that are inside; the others are 0 already."""
    if not (inside[:, 1:] > inside[:, :-1]).any():  # packed to the left
        return means(values, inside.sum(axis=1))
    order = np.argsort(~inside, axis=1, kind="stable")
    return means(np.take_along_axis(values, order, axis=1), inside.sum(axis=1))


def median_deviations(values: Floats, inside: Flags) -> Floats:
    """The median of the distances from the median; NaN where any value is."""
    half = np.full(len(values), 0.5)
    distances = np.abs(values - quantiles(values, inside, half)[:, None])
    result = quantiles(distances, inside, half)
    return np.where((np.isnan(values) & inside).any(axis=1), np.nan, result)
