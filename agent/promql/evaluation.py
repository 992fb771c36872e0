"""Evaluates a compiled expression over the samples of a store, at one instant or over a grid of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from agent.promql import aggregate, binary
from agent.promql.functions import FUNCTIONS, Over, Value
from agent.promql.grid import Scope
from agent.promql.labels import NAME, value_of
from agent.promql.nodes import (
    Aggregate,
    Binary,
    Call,
    Negate,
    Node,
    Number,
    Range,
    Selector,
    String,
    Subquery,
    place,
)
from agent.promql.vectors import NO_SAMPLES, Flags, Floats, Rows, Samples, Times, Vector, number, vector
from agent.promql.windows import newest, samples_of, steps_within, windows, without_stale


def value(node: Node, scope: Scope) -> Value:
    """What the node comes to at every step of the scope. Raises EvaluationError where Prometheus would."""
    match node:
        case Number():
            return number(node.value)
        case String():
            return node.value
        case Selector():
            return _selected(node, scope)
        case Range() | Subquery():
            return _presence(node, scope)
        case Call():
            return _called(node, scope)
        case Aggregate():
            return _aggregated(node, scope)
        case Binary():
            return binary.apply(node, _operand(node.left, scope), _operand(node.right, scope))
        case Negate():
            operand = _operand(node.expr, scope)
            return operand.with_values(-operand.values) if isinstance(operand, Vector) else -operand


def _operand(node: Node, scope: Scope) -> Floats | Vector:
    found = value(node, scope)
    assert not isinstance(found, str)  # the parser has checked it
    return found


def _aggregated(node: Aggregate, scope: Scope) -> Vector:
    param = None if node.param is None else value(node.param, scope)
    elements = value(node.expr, scope)
    assert isinstance(elements, Vector)
    assert not isinstance(param, Vector)
    if node.op == "quantile" and param is not None and not isinstance(param, str):
        _tell_bad_quantiles(param, place(node, 0), scope)
    scope.budget.take(elements.values.size)
    return aggregate.apply(node, elements, param)


def _selected(node: Selector, scope: Scope, *, times: bool = False) -> Vector:
    """The newest sample of each series; with `times` when it was taken (in seconds) in its place."""
    ends = scope.ends(node.at, node.offset_ms)
    if len(ends) == 1:
        end = int(ends[0])
        found = scope.store.latest(node.name, node.matchers, end - node.window_ms, end)
        scope.budget.take(len(found.rows))
        values = found.times / 1000 if times else found.values
        return vector(found.rows, values[:, None], found.found[:, None], unnamed=times)
    samples = _raw(node, ends - node.window_ms, ends, scope)
    scope.budget.take(len(samples.rows) * len(ends))
    taken, values, present = newest(samples, ends, node.window_ms)
    return vector(samples.rows, taken / 1000 if times else values, present, unnamed=times)


def _raw(node: Selector, starts: Times, ends: Times, scope: Scope) -> Samples:
    samples = scope.store.select(node.name, node.matchers, int(starts[0]), int(ends[-1]))
    scope.budget.take(samples.values.size)
    return samples


class Ranged(Struct, frozen=True):
    """All samples that any window of a range needs, without stale markers; where windows start and end.

    `unnamed` marks the rows that had lost their metric name already.
    """

    samples: Samples
    starts: Times
    ends: Times
    unnamed: Flags


def ranged(node: Range | Subquery, scope: Scope) -> Ranged:
    """What a range or subquery sees at the steps of the scope."""
    ends = scope.ends(node.at, node.offset_ms)
    starts = ends - node.window_ms
    if isinstance(node, Range):
        found = without_stale(_raw(node.selector, starts, ends, scope))
        return Ranged(found, starts, ends, np.zeros(len(found.rows), bool))
    scope.budget.take(int(ends[-1] - starts[0]) // node.step_ms)  # before they fill the memory
    times = steps_within(starts, ends, node.step_ms)
    if not len(times):
        return Ranged(NO_SAMPLES, starts, ends, np.zeros(0, bool))
    inner = value(node.expr, scope.at(times))
    assert isinstance(inner, Vector)
    return Ranged(samples_of(inner, times), starts, ends, inner.unnamed)


def _presence(node: Range | Subquery, scope: Scope) -> Vector:
    """Which series have any sample in the window: what absent_over_time asks for."""
    found = ranged(node, scope)
    rows, steps = found.samples.rows, len(found.ends)
    present = np.zeros((len(rows), steps), bool)
    for part, window in windows(found.samples, found.starts, found.ends):
        present[:, part] = (window.counts > 0).reshape(present[:, part].shape)
    return Vector(rows, np.ones(present.shape), present, found.unnamed)


def _called(node: Call, scope: Scope) -> Value:
    function = FUNCTIONS[node.function]
    if isinstance(function, Over):
        return _over(node, function, scope)
    if node.function == "timestamp":
        return _timestamp(node, scope)
    arguments = [value(argument, scope) for argument in node.args]
    scope.budget.take(sum(each.values.size for each in arguments if isinstance(each, Vector)))
    return function.apply(arguments, node, scope)


def _timestamp(node: Call, scope: Scope) -> Vector:
    """When the samples were taken; of anything but a selector: when it is evaluated."""
    (argument,) = node.args
    if isinstance(argument, Selector):
        return _selected(argument, scope, times=True)
    elements = value(argument, scope)
    assert isinstance(elements, Vector)
    return elements.with_values(np.broadcast_to(scope.times / 1000, elements.values.shape))


def _over(node: Call, function: Over, scope: Scope) -> Vector:
    """A function of a range vector; where every step has the same window it is worked out once."""
    argument = next(each for each in node.args if isinstance(each, Range | Subquery))
    scalars = [_scalar(each, scope) for each in node.args if each is not argument]
    if argument.at is not None and len(scope.times) > 1 and not scalars and not function.now:
        once = _over(node, function, scope.at(scope.times[:1]))
        shape = (len(once.rows), len(scope.times))
        values, present = np.broadcast_to(once.values, shape), np.broadcast_to(once.present, shape)
        return Vector(once.rows, values, present, once.unnamed)
    found = ranged(argument, scope)
    values, present = _applied(found, function, scalars, scope)
    _tell(node, found.samples.rows, present, scalars, scope)
    unnamed = found.unnamed if function.named else np.ones(len(found.unnamed), bool)
    return Vector(found.samples.rows, values, present, unnamed)


def _scalar(node: Node, scope: Scope) -> Floats:
    found = value(node, scope)
    assert not isinstance(found, Vector | str)  # the parser has checked it
    return found


def _applied(found: Ranged, function: Over, scalars: Sequence[Floats], scope: Scope) -> tuple[Floats, Flags]:
    count, steps = len(found.samples.rows), len(found.ends)
    values, present = np.empty((count, steps)), np.empty((count, steps), bool)
    for part, window in windows(found.samples, found.starts, found.ends):
        scope.budget.take(window.values.size)
        extra = [np.tile(np.broadcast_to(each, (steps,))[part], count) for each in scalars]
        if function.now:
            extra.append(np.tile(scope.times[part], count))
        shape = values[:, part].shape
        values[:, part] = function.apply(window, *extra).reshape(shape)
        present[:, part] = (window.counts >= function.least).reshape(shape)
    return values, present


def _tell(node: Call, rows: Rows, present: Flags, scalars: Sequence[Floats], scope: Scope) -> None:
    """The annotations of a function over a range."""
    if node.function == "quantile_over_time" and present.any():
        _tell_bad_quantiles(scalars[0], place(node, 0), scope)
    elif node.function in ("rate", "increase"):
        seen = rows.derived("names", lambda: [value_of(labels, NAME) for labels in rows.labels])
        for name in {seen[row] for row in np.flatnonzero(present.any(axis=1)).tolist()}:
            scope.notes.not_a_counter(name, place(node, 0))


def _tell_bad_quantiles(q: Floats, where: str, scope: Scope) -> None:
    each = np.atleast_1d(q)
    for bad in np.unique(each[~((each >= 0) & (each <= 1))]).tolist():
        scope.notes.bad_quantile(bad, where)
