"""Answers: what a query gives people and programs, with Prometheus's annotations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from agent.model import Labels, Point
from agent.promql.errors import EvaluationError
from agent.promql.evaluation import ranged, value
from agent.promql.expression import Expression
from agent.promql.functions import Value
from agent.promql.grid import Scope
from agent.promql.labels import METADATA, without
from agent.promql.limits import Budget, Limits
from agent.promql.nodes import Range, Subquery
from agent.promql.notes import Notes
from agent.promql.vectors import Floats, Store, Times, Vector
from agent.promql.windows import windows

_SAME = "vector cannot contain metrics with the same labelset"
MAX_STEPS = 11_000  # of a range query, as in Prometheus: finer than any screen


class Line(Struct, frozen=True):
    """One series of an answer: `times` (ms) and `values`; labels with `__name__` where it is kept."""

    labels: Labels
    times: Times
    values: Floats


class Answer(Struct, frozen=True):
    """The result of a query. `kind`: scalar, vector, matrix or string (whose value is `text`).

    A scalar is one line without labels; lines of scalars and vectors have one value each.
    """

    kind: str
    lines: tuple[Line, ...] = ()
    text: str = ""
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


_NO_LIMITS = Limits()


def evaluate(expression: Expression, store: Store, at: int, limits: Limits = _NO_LIMITS) -> tuple[Point, ...]:
    """The elements of a vector or scalar at `at` (ms); a scalar is one point without labels.

    Raises EvaluationError where Prometheus would: ambiguous matches, two results with the same labels;
    TooMuch beyond the limits.
    """
    scope = _at(at, store, limits)
    with np.errstate(all="ignore"):  # division by 0 and the like have values in IEEE 754
        found = value(expression.node, scope)
    if isinstance(found, Vector):
        return tuple(Point(labels, number) for labels, number in _elements(found))
    assert not isinstance(found, str)  # no rule and no remedy is a string
    return (Point((), float(found.reshape(-1)[0])),)


def query(expression: Expression, store: Store, at: int, limits: Limits = _NO_LIMITS) -> Answer:
    """Any expression at one instant (ms). EvaluationError, and TooMuch of it where the limits end it."""
    scope = _at(at, store, limits)
    node = expression.node
    with np.errstate(all="ignore"):
        if isinstance(node, Range | Subquery):
            return _noted("matrix", tuple(_raw_lines(node, scope)), scope)
        found = value(node, scope)
    if isinstance(found, str):
        return Answer("string", text=found)
    if isinstance(found, Vector):
        lines = (Line(labels, scope.times, np.array([number])) for labels, number in _elements(found))
        return _noted("vector", tuple(lines), scope)
    return _noted("scalar", (Line((), scope.times, found.reshape(-1)[:1]),), scope)


def query_range(
    expression: Expression, store: Store, start: int, end: int, step: int, limits: Limits = _NO_LIMITS
) -> Answer:
    """A scalar or vector expression at start, start + step, ... to end (ms): a matrix, sorted by labels.

    What the expression says of `step()` and `range()` it was compiled with.
    """
    if expression.kind not in ("scalar", "vector"):
        raise EvaluationError(
            f'invalid expression type "{_NAMES[expression.kind]}" for range query, '
            "must be Scalar or instant Vector"
        )
    times = np.arange(start, end + 1, step, dtype=np.int64)
    scope = Scope(store, times, start, end, False, Budget(limits), Notes())
    scope.budget.take(len(scope.times))
    with np.errstate(all="ignore"):
        lines = _lines(value(expression.node, scope), scope)
    return _noted("matrix", lines, scope)


_NAMES = {"matrix": "range vector", "string": "string"}


def _at(at: int, store: Store, limits: Limits) -> Scope:
    return Scope(store, np.array([at], np.int64), at, at, True, Budget(limits), Notes())


def _noted(kind: str, lines: tuple[Line, ...], scope: Scope) -> Answer:
    return Answer(kind, lines, warnings=scope.notes.warnings, infos=scope.notes.infos)


def _final_labels(found: Vector) -> list[Labels]:
    """The labels of each row once names are dropped where they have to be."""
    rows = found.rows
    if not found.unnamed.any():
        return list(rows.labels)
    bare = rows.derived("bare", lambda: [without(labels, METADATA) for labels in rows.labels])
    if found.unnamed.all():
        return bare
    return [bare[row] if gone else rows.labels[row] for row, gone in enumerate(found.unnamed.tolist())]


def _elements(found: Vector) -> Iterator[tuple[Labels, float]]:
    """Labels and value of each element of one step, in the vector's order."""
    rows = np.arange(len(found.rows)) if found.order is None else found.order
    rows = rows[found.present[rows, 0]]
    if not len(rows):
        return
    labels = _final_labels(found)
    chosen = [labels[row] for row in rows.tolist()]
    if len(set(chosen)) < len(chosen):
        raise EvaluationError(_SAME)
    yield from zip(chosen, found.values[rows, 0].tolist(), strict=True)


def _lines(found: Value, scope: Scope) -> tuple[Line, ...]:
    if not isinstance(found, Vector):
        assert not isinstance(found, str)  # query_range refuses strings
        return (Line((), scope.times, np.broadcast_to(found, scope.times.shape)),)
    merged: dict[Labels, list[int]] = {}
    for row, labels in enumerate(_final_labels(found)):
        merged.setdefault(labels, []).append(row)
    lines = (_line(labels, found, rows, scope) for labels, rows in sorted(merged.items()))
    return tuple(line for line in lines if len(line.times))


def _line(labels: Labels, found: Vector, rows: list[int], scope: Scope) -> Line:
    """Rows that came to have the same labels are one line, if they are never there together."""
    present = found.present[rows]
    if len(rows) > 1 and (present.sum(axis=0) > 1).any():
        raise EvaluationError(_SAME)
    steps = np.flatnonzero(present.any(axis=0))
    return Line(labels, scope.times[steps], found.values[rows][present[:, steps].argmax(axis=0), steps])


def _raw_lines(node: Range | Subquery, scope: Scope) -> Iterator[Line]:
    """The samples of a bare range: raw, or a subquery's."""
    found = ranged(node, scope)
    labels = _final_labels(
        Vector(found.samples.rows, np.empty((0, 0)), np.empty((0, 0), bool), found.unnamed)
    )
    seen: set[Labels] = set()
    for _, window in windows(found.samples, found.starts, found.ends):
        for row, count in enumerate(window.counts.tolist()):
            if not count:
                continue
            if labels[row] in seen:
                raise EvaluationError(_SAME)
            seen.add(labels[row])
            yield Line(labels[row], window.times[row, :count], window.values[row, :count])
