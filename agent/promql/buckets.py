"""Classic histograms: quantiles and fractions from cumulative buckets by their `le` (promql/quantile.go)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

from agent.model import Labels
from agent.promql.labels import value_of, without
from agent.promql.notes import Fixed
from agent.promql.vectors import Flags, Floats, Indices, Rows, Vector

_TOLERANCE = 1e-12  # a relative difference below it is the rounding of sums, no fall


class Histograms(Struct, frozen=True):
    """The rows of a vector by histogram: `members` are row indices by rising bound, `bounds` those bounds.

    `bad`: rows whose `le` is missing or no number.
    """

    rows: Rows
    members: tuple[Indices, ...]
    bounds: tuple[tuple[float, ...], ...]
    bad: tuple[tuple[Indices, str], ...]


def histograms(rows: Rows) -> Histograms:
    """Grouped once and remembered."""
    return rows.derived("histograms", lambda: _grouped(rows))


def _grouped(rows: Rows) -> Histograms:
    groups: dict[Labels, list[tuple[float, int]]] = {}
    bad: list[tuple[Indices, str]] = []
    for row, labels in enumerate(rows.labels):
        bound = _bound(value_of(labels, "le"))
        if bound is None:
            bad.append((np.array([row], np.intp), value_of(labels, "le")))
        else:
            groups.setdefault(without(labels, {"le"}), []).append((bound, row))
    ordered = [sorted(group) for group in groups.values()]
    return Histograms(
        Rows(tuple(groups)),
        tuple(np.array([row for _, row in group], np.intp) for group in ordered),
        tuple(tuple(bound for bound, _ in group) for group in ordered),
        tuple(bad),
    )


def _bound(text: str) -> float | None:
    """As Go's ParseFloat reads it: no spaces, no underscores outside of literals with a prefix."""
    if not text or text != text.strip() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


Of = Callable[[Floats, Floats, Indices], Floats]  # bounds, counts [cell, bucket], cells → a value each


def across(elements: Vector, of: Of) -> Vector:
    """One value for each histogram and step that has any bucket."""
    found = histograms(elements.rows)
    shape = (len(found.rows), elements.values.shape[1])
    values, present = np.full(shape, np.nan), np.zeros(shape, bool)
    unnamed = np.ones(shape[0], bool)
    for rows, bounds, members in _alike(found):
        counts = np.moveaxis(elements.values[members], 1, 2).reshape(-1, len(bounds))
        there = np.moveaxis(elements.present[members], 1, 2).reshape(-1, len(bounds))
        cells = (rows[:, None] * shape[1] + np.arange(shape[1])).reshape(-1)
        values.reshape(-1)[cells] = _by_presence(np.array(bounds), counts, there, (cells, of))
        present.reshape(-1)[cells] = there.any(axis=1)
    return Vector(found.rows, values, present, unnamed)


def _alike(found: Histograms) -> Iterator[tuple[Indices, tuple[float, ...], Indices]]:
    """Histograms with the same bounds together: their rows, the bounds, their members [histogram, bucket]."""
    alike: dict[tuple[float, ...], list[int]] = {}
    for row, bounds in enumerate(found.bounds):
        alike.setdefault(bounds, []).append(row)
    for bounds, rows in alike.items():
        yield np.array(rows, np.intp), bounds, np.array([found.members[row] for row in rows], np.intp)


def _by_presence(bounds: Floats, counts: Floats, there: Flags, work: tuple[Indices, Of]) -> Floats:
    """Cells that have the same buckets are worked out together; mostly that is all of them."""
    cells, of = work
    if there.all():
        return of(bounds, counts, cells)
    values = np.full(len(counts), np.nan)
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    for number, chosen in enumerate(patterns):
        if chosen.any():
            rows = np.flatnonzero(which.reshape(-1) == number)
            values[rows] = of(bounds[chosen], counts[np.ix_(rows, np.flatnonzero(chosen))], cells[rows])
    return values


def quantile(bounds: Floats, counts: Floats, q: Floats) -> tuple[Floats, Floats]:
    """The q-quantile [cell], and how far counts had to be raised [cell, bucket] (0: not)."""
    raised = np.zeros_like(counts)
    if not np.isposinf(bounds[-1]):
        return _outside(q, np.full(len(counts), np.nan)), raised
    bounds, counts = _coalesced(bounds, counts)
    counts, raised = _monotonic(counts)
    if len(bounds) < 2:
        return _outside(q, np.full(len(counts), np.nan)), raised
    return _outside(q, _interpolated(bounds, counts, q)), raised


def _outside(q: Floats, values: Floats) -> Floats:
    inside = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, values))
    return np.where(np.isnan(q), np.nan, inside)


def _coalesced(bounds: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Buckets with equal bounds as one."""
    distinct, starts = np.unique(bounds, return_index=True)
    if len(distinct) == len(bounds):
        return bounds, counts
    return distinct, np.add.reduceat(counts, starts, axis=1)


def _monotonic(counts: Floats) -> tuple[Floats, Floats]:
    """Counts that never fall; small differences are ignored either way (ensureMonotonic...)."""
    counts, raised = counts.copy(), np.zeros_like(counts)
    kept = counts[:, 0].copy()
    for column in range(1, counts.shape[1]):
        now = counts[:, column].copy()
        same = (now == kept) | _nearly(kept, now)
        falls = ~same & (now < kept)
        raised[:, column] = np.where(falls, kept - now, 0.0)
        counts[:, column] = np.where(same | falls, kept, now)
        kept = counts[:, column].copy()
    return counts, raised


def _nearly(a: Floats, b: Floats) -> Flags:
    total = np.minimum(np.abs(a) + np.abs(b), np.finfo(np.float64).max)
    flags: Flags = (np.isnan(a) & np.isnan(b)) | ((a != 0) & (b != 0) & (np.abs(a - b) / total < _TOLERANCE))
    return flags


def _interpolated(bounds: Floats, counts: Floats, q: Floats) -> Floats:
    observations = counts[:, -1]
    rank = q * observations
    bucket = _search(counts, rank)
    rows, below = np.arange(len(counts)), np.maximum(bucket - 1, 0)
    lower = bucket > 0
    start = np.where(lower, bounds[below], 0.0)
    before = np.where(lower, counts[rows, below], 0.0)
    share = (rank - before) / (counts[rows, bucket] - before)
    value = start + (bounds[bucket] - start) * share
    value = np.where((bucket == 0) & (bounds[0] <= 0), bounds[0], value)
    value = np.where(bucket == len(bounds) - 1, bounds[-2], value)
    return np.where(observations == 0, np.nan, value)


def _search(counts: Floats, rank: Floats) -> Indices:
    """The first bucket that reaches the rank, by Go's sort.Search: with NaN inside, its steps matter."""
    low = np.zeros(len(counts), np.intp)
    high = np.full(len(counts), counts.shape[1] - 1, np.intp)
    rows = np.arange(len(counts))
    while (low < high).any():
        middle = (low + high) // 2
        reached = counts[rows, middle] >= rank
        going = low < high
        high = np.where(going & reached, middle, high)
        low = np.where(going & ~reached, middle + 1, low)
    return low


def fraction(bounds: Floats, counts: Floats, lower: Floats, upper: Floats) -> Floats:
    """The share of observations between both values [cell]."""
    if not np.isposinf(bounds[-1]):
        return np.full(len(counts), np.nan)
    bounds, counts = _coalesced(bounds, counts)
    total = counts[:, -1]
    share = (_rank_at(bounds, counts, upper) - _rank_at(bounds, counts, lower)) / total
    share = np.where(lower >= upper, 0.0, share)
    return np.where((total == 0) | np.isnan(lower) | np.isnan(upper), np.nan, share)


def _rank_at(bounds: Floats, counts: Floats, value: Floats) -> Floats:
    """How many observations are not above the value, linear within a bucket."""
    rank, found = np.zeros(len(counts)), np.zeros(len(counts), bool)
    result, total = counts[:, -1].copy(), counts[:, -1]
    low = 0.0 if bounds[0] > 0 else -np.inf
    for column, high in enumerate(bounds.tolist()):
        at_edge = ~found & (low >= value)
        result, found = np.where(at_edge, rank, result), found | at_edge
        within = ~found & (low < value) & (high > value)
        count = counts[:, column]
        inside = count if low == -np.inf else rank + (count - rank) * (value - low) / (high - low)
        result, found = np.where(within, inside, result), found | within
        rank, low = count, high
    return np.where(result > total, total, result)


def fixed(bounds: Floats, raised: Floats, at: Indices) -> Fixed | None:
    """What to tell about buckets that were raised; `at` is when each cell is (ms)."""
    cells, columns = np.nonzero(raised)
    if not len(cells):
        return None
    when = at[np.unique(cells)]
    spread = bounds[columns] if len(bounds) == raised.shape[1] else np.unique(bounds)[columns]
    return Fixed(
        float(spread.min()),
        float(spread.max()),
        float(raised.max()),
        len(when),
        int(when.min()),
        int(when.max()),
    )
