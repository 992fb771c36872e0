"""The series behind an alert: what its expression compares, as lines of few points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from agent.backtest.grid import Matrix, matrix
from agent.backtest.lives import Lives
from agent.backtest.run import Backtest
from agent.model import Labels
from agent.promql import Expression
from agent.promql.nodes import Binary, Node, Number, kind
from agent.recording.limits import Allowance
from agent.rulebook.compiled import compiled

POINTS = 400  # of a line: as many columns as a plot shows, each with its lowest and its highest value
LINES = 8
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: (ms, lowest, highest) of each stretch that has any finite value."""

    labels: Labels
    points: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True)
class Behind:
    """The lines of one rule, of those that alerted first; `more` were left out."""

    curves: tuple[Curve, ...]
    more: int
    threshold: float | None


def behind(lives: Lives, found: Backtest, allowance: Allowance) -> Behind:
    """What the rule's expression compared, over the whole history. Raises BadHistory."""
    expression = compiled(lives.rule.expr)
    node = compared(expression.node)
    whole = replace(expression, node=node, kind=kind(node))
    seen = lives.matrix if node is expression.node else _matrix(whole, lives, found, allowance)
    rows = sorted(range(len(seen.labels)), key=lambda row: -_weight(seen, row, expression.threshold))
    curves = tuple(_curve(seen, row, found) for row in rows[:LINES])
    return Behind(curves, max(0, len(rows) - LINES), expression.threshold)


def compared(node: Node) -> Node:
    """The side of a comparison that is no number; of `and` and `unless` the left side's."""
    match node:
        case Binary(op="and" | "unless"):
            return compared(node.left)
        case Binary(op=op, as_bool=False, left=left, right=Number()) if op in _COMPARISONS:
            return left
        case Binary(op=op, as_bool=False, left=Number(), right=right) if op in _COMPARISONS:
            return right
        case _:
            return node


def _matrix(expression: Expression, lives: Lives, found: Backtest, allowance: Allowance) -> Matrix:
    return matrix(expression, found.store, found.grid, allowance, lives.rule.offset_ms)


def _weight(seen: Matrix, row: int, threshold: float | None) -> float:
    """How far it went from the threshold, or how high."""
    values = seen.values[row][seen.present[row] & np.isfinite(seen.values[row])]
    if not len(values):
        return -1.0
    return float(np.max(values) if threshold is None else np.max(np.abs(values - threshold)))


def _curve(seen: Matrix, row: int, found: Backtest) -> Curve:
    there = np.flatnonzero(seen.present[row] & np.isfinite(seen.values[row]))
    columns = there * POINTS // max(1, len(found.grid))
    points = []
    for column in np.unique(columns).tolist():
        steps = there[columns == column]
        values = seen.values[row, steps]
        at = found.grid.start + int(steps[len(steps) // 2]) * found.grid.step
        points.append((at, float(values.min()), float(values.max())))
    return Curve(seen.labels[row], tuple(points))
