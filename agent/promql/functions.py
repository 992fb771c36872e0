"""The one table of functions: from a name to what it does with its evaluated arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.model import Labels
from agent.promql import ranges
from agent.promql.nodes import Call, Node, Range, Selector
from agent.promql.vectors import Floats, Vector, Window, vector

Value = float | Vector | Window
Implementation = Callable[[Sequence[Value], Call, int], Value]  # arguments, the call itself, the time


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `whole` says that it misleads while the store does not cover its whole window."""

    apply: Implementation
    whole: bool = False


def _over(over_time: ranges.OverTime, *, whole: bool = True) -> Function:
    def apply(args: Sequence[Value], _call: Call, _at: int) -> Value:
        window = args[0]
        assert isinstance(window, Window)  # the parser has checked the arguments
        return over_time(window)

    return Function(apply, whole)


def _math(operation: Callable[[Floats], Floats]) -> Function:
    def apply(args: Sequence[Value], _call: Call, _at: int) -> Value:
        elements = args[0]
        assert isinstance(elements, Vector)
        return elements.with_values(operation(elements.values))

    return Function(apply)


def _limited(lowest: int | None, highest: int | None) -> Function:
    """clamp and its halves; the numbers say which argument is the limit."""

    def apply(args: Sequence[Value], _call: Call, _at: int) -> Value:
        elements = args[0]
        assert isinstance(elements, Vector)
        low = -np.inf if lowest is None else _number(args[lowest])
        high = np.inf if highest is None else _number(args[highest])
        if low > high:
            return elements.take(np.empty(0, np.intp))
        return elements.with_values(np.maximum(low, np.minimum(high, elements.values)))

    return Function(apply)


def _number(value: Value) -> float:
    assert isinstance(value, float)
    return value


def _round(args: Sequence[Value], _call: Call, _at: int) -> Value:
    elements = args[0]
    assert isinstance(elements, Vector)
    inverse = 1.0 / np.float64(_number(args[1]) if len(args) > 1 else 1.0)
    return elements.with_values(np.floor(elements.values * inverse + 0.5) / inverse)


def _time(_args: Sequence[Value], _call: Call, at: int) -> Value:
    return at / 1000


def _vector(args: Sequence[Value], _call: Call, _at: int) -> Value:
    return vector(((),), np.array([_number(args[0])], np.float64))


def _scalar(args: Sequence[Value], _call: Call, _at: int) -> Value:
    elements = args[0]
    assert isinstance(elements, Vector)
    return float(elements.values[0]) if len(elements.values) == 1 else float("nan")


def _absent(args: Sequence[Value], call: Call, _at: int) -> Value:
    present = args[0]
    assert isinstance(present, Vector | Window)
    if len(present.labels):
        return vector((), np.empty(0))
    return vector((_labels_told(call.args[0]),), np.ones(1))


def _labels_told(node: Node) -> Labels:
    """What `=` matchers say of the absent series; a label that is matched twice says nothing."""
    selector = node.selector if isinstance(node, Range) else node
    if not isinstance(selector, Selector):
        return ()
    names = [m.name for m in selector.matchers]
    told = [m for m in selector.matchers if m.op == "=" and m.value and names.count(m.name) == 1]
    return tuple(sorted((m.name, m.value) for m in told))


FUNCTIONS: Mapping[str, Function] = {
    "rate": _over(ranges.extrapolated(counter=True, per_second=True)),
    "increase": _over(ranges.extrapolated(counter=True, per_second=False)),
    "delta": _over(ranges.extrapolated(counter=False, per_second=False)),
    "irate": _over(ranges.instant(counter=True), whole=False),
    "idelta": _over(ranges.instant(counter=False), whole=False),
    "deriv": _over(ranges.deriv),
    "max_over_time": _over(ranges.across(lambda values: np.fmax.reduce(values, axis=1, initial=np.nan))),
    "min_over_time": _over(ranges.across(lambda values: np.fmin.reduce(values, axis=1, initial=np.nan))),
    "avg_over_time": _over(ranges.average),
    "sum_over_time": _over(ranges.summed),
    "count_over_time": _over(ranges.count),
    "last_over_time": _over(ranges.last, whole=False),
    "present_over_time": _over(ranges.across(lambda values: np.ones(len(values)))),
    "changes": _over(ranges.changes),
    "resets": _over(ranges.across(ranges.resets)),
    "absent": Function(_absent, whole=True),
    "absent_over_time": Function(_absent, whole=True),
    "vector": Function(_vector),
    "scalar": Function(_scalar),
    "time": Function(_time),
    "clamp": _limited(1, 2),
    "clamp_min": _limited(1, None),
    "clamp_max": _limited(None, 1),
    "round": Function(_round),
    "abs": _math(np.abs),
    "ceil": _math(np.ceil),
    "floor": _math(np.floor),
    "sqrt": _math(np.sqrt),
    "exp": _math(np.exp),
    "ln": _math(np.log),
    "log2": _math(np.log2),
    "log10": _math(np.log10),
    "sgn": _math(np.sign),
}
