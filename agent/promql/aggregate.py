"""Aggregations: what a vector's groups come to at each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from agent.model import Labels
from agent.promql import quantiles
from agent.promql.errors import EvaluationError
from agent.promql.labels import METADATA, keep, replaced, without
from agent.promql.nodes import Aggregate
from agent.promql.numbers import written
from agent.promql.sums import mean, means, total, totals
from agent.promql.vectors import Flags, Floats, Indices, Rows, Vector, nothing


class Groups(Struct, frozen=True):
    """The groups of some rows: their labels, the rows in order of group, where each group starts there."""

    rows: Rows
    order: Indices
    starts: Indices

    def largest(self) -> int:
        """How many rows the largest group has."""
        return int(np.diff(self.starts, append=len(self.order)).max(initial=0))

    def members(self) -> list[Indices]:
        """The rows of each group, in their own order."""
        return np.split(self.order, self.starts[1:].tolist())


def apply(node: Aggregate, elements: Vector, param: Floats | str | None) -> Vector:
    """The aggregation; nothing for no elements. EvaluationError for a parameter that is no count."""
    if isinstance(param, str):
        return _count_values(_groups(node, elements.rows), elements, param)
    if param is not None:
        param = np.broadcast_to(param, elements.values.shape[1:])
    if node.op in _SELECTIONS:
        assert param is not None
        counts = _counts(param, len(elements.rows))
        return _chosen(_groups(node, elements.rows), elements, counts, descending=node.op == "topk")
    if not len(elements.rows):
        return nothing(elements.values.shape[1])
    groups = _groups(node, elements.rows)
    values = (
        _quantile(groups, elements, param) if param is not None else _REDUCTIONS[node.op](groups, elements)
    )
    return Vector(
        groups.rows,
        values,
        np.logical_or.reduceat(elements.present[groups.order], groups.starts, axis=0),
        np.logical_or.reduceat(elements.unnamed[groups.order], groups.starts),
    )


def _groups(node: Aggregate, rows: Rows) -> Groups:
    return rows.derived((node.without, node.labels), lambda: _grouped(node, rows))


def _grouped(node: Aggregate, rows: Rows) -> Groups:
    if not node.without and not node.labels:
        return Groups(Rows(((),)), np.arange(len(rows)), np.zeros(1, np.intp))
    choose, names = (without, node.labels | METADATA) if node.without else (keep, node.labels)
    numbers: dict[Labels, int] = {}
    index = np.array([numbers.setdefault(choose(each, names), len(numbers)) for each in rows.labels], np.intp)
    order = np.argsort(index, kind="stable")
    return Groups(Rows(tuple(numbers)), order, np.searchsorted(index[order], np.arange(len(numbers))))


def _sums(groups: Groups, elements: Vector) -> Floats:
    if _uneven(groups):
        return _one_by_one(groups, elements, total)
    values, _ = _packed(groups, elements)
    return totals(values).reshape(len(groups.rows), -1)


def _means(groups: Groups, elements: Vector) -> Floats:
    if _uneven(groups):
        return _one_by_one(groups, elements, mean)
    values, counts = _packed(groups, elements)
    return means(values, counts).reshape(len(groups.rows), -1)


def _uneven(groups: Groups) -> bool:
    """Whether padding all groups to the largest would cost more than a loop over them."""
    return len(groups.rows) * groups.largest() > 4 * len(groups.order) + 1000


def _one_by_one(groups: Groups, elements: Vector, of: Callable[[Floats], float]) -> Floats:
    result = np.zeros((len(groups.rows), elements.values.shape[1]))
    for row, members in enumerate(groups.members()):
        for step in range(result.shape[1]):
            there = elements.present[members, step]
            values = elements.values[members, step][there]
            if len(values):
                result[row, step] = of(values)
    return result


def _padded(groups: Groups, elements: Vector) -> tuple[Floats, Flags]:
    """Each group's values at each step [cell, member], and which are there; short groups are padded."""
    ends = np.append(groups.starts[1:], len(groups.order))
    offsets = np.arange(groups.largest())
    places = groups.starts[:, None] + offsets
    inside = places < ends[:, None]
    rows = groups.order[np.where(inside, places, 0)]
    width = elements.values.shape[1]
    values = np.moveaxis(elements.values[rows], 2, 1).reshape(-1, len(offsets))
    there = np.moveaxis(elements.present[rows] & inside[:, :, None], 2, 1).reshape(-1, len(offsets))
    assert len(values) == len(groups.rows) * width
    return values, there


def _packed(groups: Groups, elements: Vector) -> tuple[Floats, Indices]:
    """As `_padded`, 0 where nothing is, the values that are there first; and how many are."""
    values, there = _padded(groups, elements)
    counts = there.sum(axis=1)
    values = np.where(there, values, 0.0)
    if (there[:, 1:] > there[:, :-1]).any():
        values = np.take_along_axis(values, np.argsort(~there, axis=1, kind="stable"), axis=1)
    return values, counts


def _extreme(reduce: np.ufunc) -> Callable[[Groups, Vector], Floats]:
    """min and max: NaN only where there is nothing else."""

    def of(groups: Groups, elements: Vector) -> Floats:
        values = np.where(elements.present, elements.values, np.nan)[groups.order]
        result: Floats = reduce.reduceat(values, groups.starts, axis=0)
        return result

    return of


def _count(groups: Groups, elements: Vector) -> Floats:
    result: Floats = np.add.reduceat(elements.present[groups.order].astype(np.float64), groups.starts, axis=0)
    return result


def _group(groups: Groups, elements: Vector) -> Floats:
    return np.ones((len(groups.rows), elements.values.shape[1]))


def _variance(groups: Groups, elements: Vector) -> Floats:
    return quantiles.variances(*_padded(groups, elements)).reshape(len(groups.rows), -1)


def _deviation(groups: Groups, elements: Vector) -> Floats:
    return np.sqrt(_variance(groups, elements))


def _quantile(groups: Groups, elements: Vector, q: Floats) -> Floats:
    each = np.tile(q, len(groups.rows))
    return quantiles.quantiles(*_padded(groups, elements), each).reshape(len(groups.rows), -1)


_REDUCTIONS: Mapping[str, Callable[[Groups, Vector], Floats]] = {
    "sum": _sums,
    "avg": _means,
    "min": _extreme(np.fmin),
    "max": _extreme(np.fmax),
    "count": _count,
    "group": _group,
    "stddev": _deviation,
    "stdvar": _variance,
}
_SELECTIONS = frozenset({"topk", "bottomk"})
OPERATIONS = frozenset(_REDUCTIONS) | _SELECTIONS | {"quantile", "count_values"}


def _counts(param: Floats, most: int) -> Indices:
    """How many to keep at each step."""
    if np.isnan(param).any():
        raise EvaluationError("Parameter value is NaN")
    outside = param[(param >= 2.0**63) | (param < -(2.0**63))]
    if len(outside):
        raise EvaluationError(f"Scalar value {written(float(outside[0]))} overflows int64")
    return np.trunc(param).clip(0, most).astype(np.intp)


def _chosen(groups: Groups, elements: Vector, counts: Indices, *, descending: bool) -> Vector:
    """topk and bottomk: the elements themselves, the first ones where values are equal, NaN last."""
    kept = np.zeros(elements.values.shape, bool)
    order: list[Indices] = []
    for members in groups.members():
        values, there = elements.values[members], elements.present[members]
        ascending = -values if descending else values
        rank = np.lexsort((np.where(np.isnan(values), 0.0, ascending), np.isnan(values), ~there), axis=0)
        places = np.empty_like(rank)
        np.put_along_axis(places, rank, np.arange(len(members))[:, None], axis=0)
        kept[members] = (places < counts) & there
        order.append(members[rank[:, 0]])
    ranking = np.concatenate(order) if elements.values.shape[1] == 1 else None
    return replace(elements.where(kept), order=ranking)


def _count_values(groups: Groups, elements: Vector, label: str) -> Vector:
    """How many elements have each value, which becomes a label."""
    found: dict[Labels, Floats] = {}
    steps = elements.values.shape[1]
    for row, members in enumerate(groups.members()):
        for member in members.tolist():
            for step in np.flatnonzero(elements.present[member]).tolist():
                labels = replaced(
                    groups.rows.labels[row], label, written(float(elements.values[member, step]))
                )
                found.setdefault(labels, np.zeros(steps))[step] += 1
    values = np.array(list(found.values())).reshape(len(found), steps)
    return Vector(Rows(tuple(found)), values, values > 0, np.zeros(len(found), bool))
