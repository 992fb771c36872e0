"""Operators between scalars and vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from agent.model import Labels
from agent.promql import matching
from agent.promql.nodes import Binary, Matching, Node, Number
from agent.promql.vectors import Flags, Floats, Indices, Rows, Vector, nothing, number

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
            return Number(float(_scalars(node.op, number(node.left.value), number(node.right.value))))
    return node


def apply(node: Binary, left: Floats | Vector, right: Floats | Vector) -> Floats | Vector:
    """The operator on two values. EvaluationError where elements do not match one to one (or many to one)."""
    if isinstance(left, Vector):
        if isinstance(right, Vector):
            return _between(node, left, right)
        return _with_scalar(node, left, left.values, right)
    if isinstance(right, Vector):
        return _with_scalar(node, right, left, right.values)
    return _scalars(node.op, left, right)


def _scalars(op: str, left: Floats, right: Floats) -> Floats:
    operation: Callable[..., Floats | Flags] = _ARITHMETIC.get(op) or COMPARISONS[op]
    return operation(left, right).astype(np.float64)


def _with_scalar(node: Binary, elements: Vector, left: Floats, right: Floats) -> Vector:
    if node.op in _ARITHMETIC:
        return elements.with_values(_ARITHMETIC[node.op](left, right))
    flags = COMPARISONS[node.op](left, right)
    return elements.with_values(flags.astype(np.float64)) if node.as_bool else elements.where(flags)


def _between(node: Binary, left: Vector, right: Vector) -> Vector:
    if node.op in _SETS:
        return _set_operation(node, left, right)
    if node.matching.fill != (None, None):
        return _filled(node, left, right)
    return _matched(node, left, right)


def _set_operation(node: Binary, left: Vector, right: Vector) -> Vector:
    if node.op == "or":
        return _union(left, right, node.matching)
    hits = _matched_rows(left, right, node.matching)
    return left.where(hits if node.op == "and" else ~hits)


def _matched_rows(left: Vector, right: Vector, how: Matching) -> Flags:
    """Which left elements have an element of the same signature on the right [row, step]."""
    index, count = left.rows.derived((right.rows, how, "set"), lambda: _indexed(left.rows, right.rows, how))
    there = np.zeros((count + 1, right.present.shape[1]), bool)  # the last row: signatures of the left alone
    np.logical_or.at(there, index[1], right.present)
    hits: Flags = there[index[0]]
    return hits


def _indexed(left: Rows, right: Rows, how: Matching) -> tuple[tuple[Indices, Indices], int]:
    numbers: dict[Labels, int] = {}
    of_right = [numbers.setdefault(s, len(numbers)) for s in matching.signatures(right, how)]
    of_left = [numbers.get(s, len(numbers)) for s in matching.signatures(left, how)]
    return (np.array(of_left, np.intp), np.array(of_right, np.intp)), len(numbers)


def _union(left: Vector, right: Vector, how: Matching) -> Vector:
    added = right.where(~_matched_rows(right, left, how))
    if not len(right.rows):
        return left
    if not len(left.rows):
        return added
    return Vector(
        left.rows.derived((right.rows, "or"), lambda: Rows([*left.rows.labels, *right.rows.labels])),
        np.concatenate([left.values, added.values]),
        np.concatenate([left.present, added.present]),
        np.concatenate([left.unnamed, added.unnamed]),
    )


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    if not len(left.rows) or not len(right.rows):
        return nothing(left.values.shape[1])
    many, one = (right, left) if node.matching.many == "right" else (left, right)
    found = matching.pairs(many.rows, one.rows, node.matching, unnamed=node.op in _ARITHMETIC)
    if found.twins:
        active = np.logical_and(many.present.any(axis=0), one.present.any(axis=0))
        matching.refuse_twins(found, one.rows, one.present, active, node.matching)
    present = many.present[found.many] & one.present[found.one]
    matching.refuse_clashes(found.clashes, present, node.matching)
    a, b = many.values[found.many], one.values[found.one]
    result = Vector(found.rows, a, present, many.unnamed[found.many] | node.as_bool)
    return _operated(node, result, *((b, a) if node.matching.many == "right" else (a, b)))


def _operated(node: Binary, result: Vector, left: Floats, right: Floats) -> Vector:
    if node.op in _ARITHMETIC:
        return Vector(result.rows, _ARITHMETIC[node.op](left, right), result.present, result.unnamed)
    flags = COMPARISONS[node.op](left, right)
    if node.as_bool:
        return Vector(result.rows, flags.astype(np.float64), result.present, result.unnamed)
    return Vector(result.rows, left, result.present & flags, result.unnamed)


def _filled(node: Binary, left: Vector, right: Vector) -> Vector:
    """fill(), fill_left(), fill_right(): elements without a partner meet a constant instead.

    With group_right Prometheus takes "left" for the many side, as it swaps the sides and not the constants.
    """
    how = node.matching
    swapped = how.many == "right"
    many, one = (right, left) if swapped else (left, right)
    for_many, for_one = how.fill
    parts = [_matched_part(node, many, one)]
    if for_one is not None:
        rows = list(_signed(many, how))
        made = _lonely(node, many, many.where(~_matched_rows(many, one, how)).present, rows)
        parts.append((many.values, np.full_like(many.values, for_one), made))
    if for_many is not None:
        rows = [(signature, labels) for labels, signature in _signed(one, how)]
        made = _lonely(node, one, one.where(~_matched_rows(one, many, how)).present, rows)
        parts.append((np.full_like(one.values, for_many), one.values, made))
    a, b = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    result = Vector(
        Rows([labels for part in parts for labels in part[2].rows.labels]),
        a,
        np.concatenate([part[2].present for part in parts]),
        np.concatenate([part[2].unnamed for part in parts]),
    )
    return _operated(node, result, *((b, a) if swapped else (a, b)))


_Part = tuple[Floats, Floats, Vector]  # the many side's values, the one side's, and the elements they make


def _matched_part(node: Binary, many: Vector, one: Vector) -> _Part:
    found = matching.pairs(many.rows, one.rows, node.matching, unnamed=node.op in _ARITHMETIC)
    active = np.logical_or(many.present.any(axis=0), one.present.any(axis=0))
    matching.refuse_twins(found, one.rows, one.present, active, node.matching)
    present = many.present[found.many] & one.present[found.one]
    matching.refuse_clashes(found.clashes, present, node.matching)
    values, unnamed = many.values[found.many], many.unnamed[found.many] | node.as_bool
    return values, one.values[found.one], Vector(found.rows, values, present, unnamed)


def _signed(elements: Vector, how: Matching) -> Iterator[tuple[Labels, Labels]]:
    """Labels and signature of each row."""
    return zip(elements.rows.labels, matching.signatures(elements.rows, how), strict=True)


def _lonely(node: Binary, elements: Vector, alone: Flags, pairs: Sequence[tuple[Labels, Labels]]) -> Vector:
    """What elements without a partner make; `pairs`: labels of the many side and of the one side.

    The partner that is not there has the labels of the match and no others.
    """
    drop = node.op in _ARITHMETIC
    rows = Rows([matching.result_labels(*pair, node.matching, unnamed=drop) for pair in pairs])
    return Vector(rows, elements.values, alone, elements.unnamed | node.as_bool)
