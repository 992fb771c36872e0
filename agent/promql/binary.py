"""Operators between scalars and vectors, and how elements of two vectors find each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from agent.model import Labels
from agent.promql.errors import EvaluationError
from agent.promql.labels import NAME, keep, render, without
from agent.promql.nodes import Binary, Matching, Node, Number
from agent.promql.vectors import Flags, Floats, Indices, Vector

Ufunc = Callable[..., Floats]
_ARITHMETIC: dict[str, Ufunc] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: dict[str, Callable[..., Flags]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}
_SETS = frozenset({"and", "or", "unless"})
OPERATORS = frozenset(_ARITHMETIC) | frozenset(COMPARISONS) | _SETS


def fold(node: Binary) -> Node:
    """A constant where both sides are constants, else the node."""
    if isinstance(node.left, Number) and isinstance(node.right, Number):
        with np.errstate(all="ignore"):
            return Number(_scalars(node.op, node.left.value, node.right.value))
    return node


def apply(node: Binary, left: float | Vector, right: float | Vector) -> float | Vector:
    """The operator on two values. EvaluationError where elements do not match one to one (or many to one)."""
    if isinstance(left, Vector):
        return (
            _between(node, left, right)
            if isinstance(right, Vector)
            else _with_scalar(node, left, left, right)
        )
    return (
        _with_scalar(node, right, left, right)
        if isinstance(right, Vector)
        else _scalars(node.op, left, right)
    )


def _scalars(op: str, left: float, right: float) -> float:
    operation: Callable[..., Floats | Flags] = _ARITHMETIC.get(op) or COMPARISONS[op]
    return float(operation(np.float64(left), np.float64(right)))


def _with_scalar(node: Binary, vector: Vector, left: float | Vector, right: float | Vector) -> Vector:
    a = left.values if isinstance(left, Vector) else left
    b = right.values if isinstance(right, Vector) else right
    if node.op in _ARITHMETIC:
        return vector.with_values(_ARITHMETIC[node.op](a, b))
    flags = COMPARISONS[node.op](a, b)
    return vector.with_values(flags.astype(np.float64)) if node.as_bool else vector.where(flags)


def _signatures(vector: Vector, matching: Matching) -> list[Labels]:
    if matching.on:
        return [keep(labels, matching.labels) for labels in vector.labels]
    ignored = matching.labels | {NAME}
    return [without(labels, ignored) for labels in vector.labels]


def _between(node: Binary, left: Vector, right: Vector) -> Vector:
    if node.op == "or":
        return _union(left, right, node.matching)
    if node.op in _SETS:
        present = set(_signatures(right, node.matching))
        hits = np.array([s in present for s in _signatures(left, node.matching)], bool)
        return left.where(hits if node.op == "and" else ~hits)
    return _matched(node, left, right)


def _union(left: Vector, right: Vector, matching: Matching) -> Vector:
    present = set(_signatures(left, matching))
    new = np.array([s not in present for s in _signatures(right, matching)], bool)
    added = right.where(new)
    return Vector(
        [*left.labels, *added.labels],
        np.concatenate([left.values, added.values]),
        np.concatenate([left.unnamed, added.unnamed]),
    )


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    if not len(left.values) or not len(right.values):
        return left.take(np.empty(0, np.intp))
    swapped = node.matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    rows, partners = _pairs(many, one, node.matching)
    a, b = (one.values[partners], many.values[rows]) if swapped else (many.values[rows], one.values[partners])
    labels = _result_labels(node, many, one, rows, partners)
    unnamed = many.unnamed[rows] | node.as_bool
    if node.op in _ARITHMETIC:
        return Vector(labels, _ARITHMETIC[node.op](a, b), unnamed)
    flags = COMPARISONS[node.op](a, b)
    if node.as_bool:
        return Vector(labels, flags.astype(np.float64), unnamed)
    return Vector(labels, a, unnamed).where(flags)


def _pairs(many: Vector, one: Vector, matching: Matching) -> tuple[Indices, Indices]:
    """Which rows of `many` have a partner, and its row in `one`."""
    partner: dict[Labels, int] = {}
    for row, signature in enumerate(_signatures(one, matching)):
        if signature in partner:
            side = "left" if matching.many == "right" else "right"
            twins = ", ".join(sorted(render(one.labels[i]) for i in (partner[signature], row)))
            raise EvaluationError(
                f"found duplicate series for the match group {render(signature)} on the {side} hand-side of "
                f"the operation: [{twins}];many-to-many matching not allowed: "
                "matching labels must be unique on one side"
            )
        partner[signature] = row
    signatures = _signatures(many, matching)
    rows = [row for row, signature in enumerate(signatures) if signature in partner]
    if not matching.many and len({signatures[row] for row in rows}) < len(rows):
        raise EvaluationError(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )
    return np.array(rows, np.intp), np.array([partner[signatures[row]] for row in rows], np.intp)


def _result_labels(
    node: Binary, many: Vector, one: Vector, rows: Indices, partners: Indices
) -> Sequence[Labels]:
    matching = node.matching
    drop = {NAME} if node.op in _ARITHMETIC else set[str]()
    if not matching.many and not matching.on:
        drop |= matching.labels
    labels = (
        [without(many.labels[row], drop) for row in rows.tolist()]
        if drop
        else [many.labels[row] for row in rows.tolist()]
    )
    if not matching.many:
        return [keep(each, matching.labels) for each in labels] if matching.on else labels
    labels = [
        _included(each, one.labels[partner], matching)
        for each, partner in zip(labels, partners.tolist(), strict=True)
    ]
    if len(set(labels)) < len(labels):
        raise EvaluationError("multiple matches for labels: grouping labels must ensure unique matches")
    return labels


def _included(labels: Labels, source: Labels, matching: Matching) -> Labels:
    """The labels with those of `include` taken from the other side, or removed where it has none."""
    taken = keep(source, frozenset(matching.include))
    return tuple(sorted((*without(labels, frozenset(matching.include)), *taken)))
