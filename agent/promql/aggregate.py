"""Aggregations: one table from their names to what they make of a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from agent.model import Labels
from agent.promql.labels import NAME, keep, without
from agent.promql.nodes import Aggregate
from agent.promql.sums import mean, total
from agent.promql.vectors import Floats, Indices, Vector

OPERATIONS: Mapping[str, Callable[[Floats], float]] = {
    "sum": total,
    "avg": mean,
    "min": lambda values: float(np.fmin.reduce(values)),  # ignores NaN unless there is nothing else
    "max": lambda values: float(np.fmax.reduce(values)),
    "count": lambda values: float(len(values)),
    "group": lambda _values: 1.0,
}


def apply(node: Aggregate, elements: Vector) -> Vector:
    """One element for each group; nothing for no elements."""
    groups = _groups(node, elements)
    operation = OPERATIONS[node.op]
    values = np.array([operation(elements.values[rows]) for rows in groups.values()], np.float64)
    unnamed = np.array([bool(elements.unnamed[rows].any()) for rows in groups.values()], bool)
    return Vector(tuple(groups), values, unnamed)


def _groups(node: Aggregate, elements: Vector) -> dict[Labels, Indices]:
    if not len(elements.values):
        return {}
    if not node.without and not node.labels:
        return {(): np.arange(len(elements.values))}
    choose, names = (without, node.labels | {NAME}) if node.without else (keep, node.labels)
    rows: dict[Labels, list[int]] = {}
    for row, labels in enumerate(elements.labels):
        rows.setdefault(choose(labels, names), []).append(row)
    return {labels: np.array(members, np.intp) for labels, members in rows.items()}
