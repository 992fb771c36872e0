"""Evaluates a compiled expression at one instant over the samples of a store."""

from __future__ import annotations

import numpy as np

from agent.model import Point
from agent.promql import aggregate, binary
from agent.promql.errors import EvaluationError
from agent.promql.expression import Expression
from agent.promql.functions import FUNCTIONS, Value
from agent.promql.labels import NAME, without
from agent.promql.nodes import Aggregate, Binary, Call, Negate, Node, Number, Range, Selector
from agent.promql.vectors import Store, Vector, Window


def evaluate(expression: Expression, store: Store, at: int) -> tuple[Point, ...]:
    """The elements of the result at `at` (ms); a scalar is one point without labels.

    Raises EvaluationError where Prometheus would: ambiguous matches, two results with the same labels.
    """
    with np.errstate(all="ignore"):  # division by 0 and the like have values in IEEE 754
        value = _value(expression.node, store, at)
    if isinstance(value, float):
        return (Point((), value),)
    assert isinstance(value, Vector)  # compile() refuses a bare range
    return _points(value)


def _points(elements: Vector) -> tuple[Point, ...]:
    rows = zip(elements.labels, elements.values.tolist(), elements.unnamed.tolist(), strict=True)
    points = tuple(Point(without(labels, {NAME}) if bare else labels, value) for labels, value, bare in rows)
    if len({point.labels for point in points}) < len(points):
        raise EvaluationError("vector cannot contain metrics with the same labelset")
    return points


def _value(node: Node, store: Store, at: int) -> Value:
    match node:
        case Number():
            return node.value
        case Selector():
            end = at - node.offset_ms
            return store.latest(node.name, node.matchers, end - node.window_ms, end)
        case Range():
            return _window(node, store, at)
        case Call():
            arguments = [_value(argument, store, at) for argument in node.args]
            return FUNCTIONS[node.function].apply(arguments, node, at)
        case Aggregate():
            return aggregate.apply(node, _elements(node.expr, store, at))
        case Binary():
            return binary.apply(node, _operand(node.left, store, at), _operand(node.right, store, at))
        case Negate():
            value = _operand(node.expr, store, at)
            return value.with_values(-value.values) if isinstance(value, Vector) else -value


def _window(node: Range, store: Store, at: int) -> Window:
    end = at - node.offset_ms
    selector = node.selector
    return store.select(selector.name, selector.matchers, end - node.window_ms, end).without_stale()


def _operand(node: Node, store: Store, at: int) -> float | Vector:
    value = _value(node, store, at)
    assert not isinstance(value, Window)  # the parser has checked it
    return value


def _elements(node: Node, store: Store, at: int) -> Vector:
    value = _value(node, store, at)
    assert isinstance(value, Vector)
    return value
