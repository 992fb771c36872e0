"""The one table of functions: from a name to what it does with its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from agent.model import Labels
from agent.promql import buckets, elementwise, ranges, relabel
from agent.promql.grid import Scope
from agent.promql.nodes import Call, Node, Range, Selector, place
from agent.promql.ranges import OverTime
from agent.promql.vectors import ONE_ROW, Floats, Rows, Vector, number, vector

Value = Floats | Vector | str  # a scalar is an array of one number, or of one for each step
Plain = Callable[[Sequence[Value], Call, Scope], Value]


class Over(Struct, frozen=True):
    """A function of a range vector: of each window at least `least` samples long.

    `whole`: it misleads while the store does not cover its whole window. `named`: it keeps the metric name.
    `now`: it is told the time of each step (ms) after its scalar arguments. `counter`: it is meant for those.
    `steady`: of samples that are all the same it comes to the same, however many and whenever taken.
    """

    apply: OverTime
    least: int = 1
    whole: bool = True
    named: bool = False
    now: bool = False
    counter: bool = False
    steady: bool = False


class Of(Struct, frozen=True):
    """A function of evaluated arguments, the call itself and where it is evaluated."""

    apply: Plain


def _vectors(args: Sequence[Value]) -> tuple[Vector, list[Floats]]:
    """The one vector among the arguments, and the scalars."""
    found = next(arg for arg in args if isinstance(arg, Vector))
    return found, [arg for arg in args if not isinstance(arg, Vector | str)]


def _texts(args: Sequence[Value]) -> list[str]:
    return [arg for arg in args if isinstance(arg, str)]


def _each(operation: elementwise.Elementwise) -> Of:
    def apply(args: Sequence[Value], _call: Call, _scope: Scope) -> Value:
        elements, scalars = _vectors(args)
        return elements.with_values(operation(elements.values, *scalars))

    return Of(apply)


def _clamp(args: Sequence[Value], _call: Call, scope: Scope) -> Value:
    elements, (low, high) = _vectors(args)
    sound = np.broadcast_to(low <= high, (len(scope.times),)) | np.isnan(low) | np.isnan(high)
    return elements.with_values(elementwise.clamped(elements.values, low, high)).where(sound)


def _calendar(operation: elementwise.Elementwise) -> Of:
    def apply(args: Sequence[Value], _call: Call, scope: Scope) -> Value:
        elements = _vectors(args)[0] if args else _constant(scope.times / 1000, scope)
        return elements.with_values(operation(elements.values))

    return Of(apply)


def _constant(value: Floats, scope: Scope) -> Vector:
    values = np.broadcast_to(value, (1, len(scope.times)))
    return vector(ONE_ROW, values, np.ones(values.shape, bool))


def _vector(args: Sequence[Value], _call: Call, scope: Scope) -> Value:
    (value,) = args
    assert not isinstance(value, Vector | str)  # the parser has checked it
    return _constant(value, scope)


def _scalar(args: Sequence[Value], _call: Call, _scope: Scope) -> Value:
    elements, _ = _vectors(args)
    if not len(elements.rows):
        return np.full(elements.values.shape[1], np.nan)
    one = elements.present.sum(axis=0) == 1
    value = np.take_along_axis(elements.values, elements.present.argmax(axis=0)[None, :], axis=0)[0]
    return np.where(one, value, np.nan)


def _absent(args: Sequence[Value], call: Call, _scope: Scope) -> Value:
    present, _ = _vectors(args)
    gone = np.logical_not(np.any(present.present, axis=0, keepdims=True))
    rows = Rows((labels_told(call.args[0]),))
    return vector(rows, np.ones(gone.shape), gone)


def labels_told(node: Node) -> Labels:
    """What `=` matchers say of the absent series; a label that is matched twice says nothing."""
    selector = node.selector if isinstance(node, Range) else node
    if not isinstance(selector, Selector):
        return ()
    names = [m.name for m in selector.matchers]
    told = [m for m in selector.matchers if m.op == "=" and m.value and names.count(m.name) == 1]
    return tuple(sorted((m.name, m.value) for m in told if m.name != "__name__"))


def _sorted(args: Sequence[Value], call: Call, scope: Scope, *, descending: bool) -> Value:
    """By value, NaN last either way, and only in an instant query."""
    elements, _ = _vectors(args)
    if not scope.instant:
        scope.notes.idle_sort(place(call, -1))
        return elements
    values = elements.values[:, 0]
    order = np.lexsort((-values if descending else values, np.isnan(values)))
    return replace(elements, order=order)


def _by_label(args: Sequence[Value], call: Call, scope: Scope, *, descending: bool) -> Value:
    elements, _ = _vectors(args)
    if not scope.instant:
        scope.notes.idle_sort(place(call, -1))
        return elements
    return relabel.sorted_by_label(elements, _texts(args), descending=descending)


def _relabelled(change: Callable[[Vector, Sequence[str]], Vector]) -> Of:
    return Of(lambda args, _call, _scope: change(_vectors(args)[0], _texts(args)))


def _tell_bad_buckets(elements: Vector, place: str, scope: Scope) -> None:
    for rows, bound in buckets.histograms(elements.rows).bad:
        if elements.present[rows].any():
            name = dict(elements.rows.labels[int(rows[0])]).get("__name__", "")
            scope.notes.bad_bucket(name, bound, place)


def _histogram_quantile(args: Sequence[Value], call: Call, scope: Scope) -> Value:
    elements, (wanted,) = _vectors(args)
    q = np.broadcast_to(wanted, (len(scope.times),))
    for value in np.unique(q[~((q >= 0) & (q <= 1))]).tolist():
        scope.notes.bad_quantile(value, place(call, 0))
    _tell_bad_buckets(elements, place(call, 1), scope)
    names = [dict(labels).get("__name__", "") for labels in buckets.histograms(elements.rows).rows.labels]

    def of(bounds: Floats, counts: Floats, cells: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Floats:
        steps = cells % len(q)
        values, raised = buckets.quantile(bounds, counts, q[steps])
        told = np.flatnonzero(raised.any(axis=1) & (q[steps] >= 0) & (q[steps] <= 1))
        for name in sorted({names[cell] for cell in (cells[told] // len(q)).tolist()}):
            mine = np.array([row for row in told.tolist() if names[cells[row] // len(q)] == name], np.intp)
            fixed = buckets.fixed(bounds, raised[mine], scope.times[steps[mine]])
            if fixed:
                scope.notes.fixed_buckets(name, place(call, 1), fixed)
        return values

    return buckets.across(elements, of)


def _histogram_fraction(args: Sequence[Value], call: Call, scope: Scope) -> Value:
    elements, (lower, upper) = _vectors(args)
    low, high = (np.broadcast_to(each, (len(scope.times),)) for each in (lower, upper))
    _tell_bad_buckets(elements, place(call, 2), scope)
    steps = len(scope.times)
    return buckets.across(
        elements,
        lambda b, counts, cells: buckets.fraction(b, counts, low[cells % steps], high[cells % steps]),
    )


def _now(_args: Sequence[Value], _call: Call, scope: Scope) -> Value:
    return scope.times / 1000


FUNCTIONS: Mapping[str, Over | Of] = {
    "rate": Over(ranges.extrapolated(counter=True, per_second=True), 2, counter=True, steady=True),
    "increase": Over(ranges.extrapolated(counter=True, per_second=False), 2, counter=True, steady=True),
    "delta": Over(ranges.extrapolated(counter=False, per_second=False), 2, steady=True),
    "irate": Over(ranges.instant(counter=True), 2, whole=False, steady=True),
    "idelta": Over(ranges.instant(counter=False), 2, whole=False, steady=True),
    "deriv": Over(ranges.slope, 2),
    "predict_linear": Over(ranges.predicted, 2, now=True),
    "double_exponential_smoothing": Over(ranges.smoothed, 2),
    "max_over_time": Over(ranges.maximum, steady=True),
    "min_over_time": Over(ranges.minimum, steady=True),
    "avg_over_time": Over(ranges.average),
    "sum_over_time": Over(ranges.summed),
    "count_over_time": Over(ranges.count),
    "quantile_over_time": Over(ranges.quantile),
    "stddev_over_time": Over(ranges.deviation),
    "stdvar_over_time": Over(ranges.variance),
    "mad_over_time": Over(ranges.median_deviation),
    "last_over_time": Over(ranges.last, whole=False, named=True, steady=True),
    "first_over_time": Over(ranges.first, named=True, steady=True),
    "present_over_time": Over(ranges.present, steady=True),
    "ts_of_first_over_time": Over(ranges.time_of_first),
    "ts_of_last_over_time": Over(ranges.time_of_last, whole=False),
    "ts_of_max_over_time": Over(ranges.time_of(ranges.maximum)),
    "ts_of_min_over_time": Over(ranges.time_of(ranges.minimum)),
    "changes": Over(ranges.changes, steady=True),
    "resets": Over(ranges.resets, steady=True),
    "absent": Of(_absent),
    "absent_over_time": Of(_absent),  # its range has been asked for presence by then
    "vector": Of(_vector),
    "scalar": Of(_scalar),
    "time": Of(_now),
    "timestamp": Of(lambda args, _call, _scope: args[0]),  # the evaluator has put the times in
    "pi": Of(lambda _args, _call, _scope: number(np.pi)),
    "start": Of(lambda _args, _call, scope: number(scope.start / 1000)),
    "end": Of(lambda _args, _call, scope: number(scope.end / 1000)),
    "clamp": Of(_clamp),
    "clamp_min": _each(lambda values, low: elementwise.clamped(values, low=low)),
    "clamp_max": _each(lambda values, high: elementwise.clamped(values, high=high)),
    "round": _each(elementwise.rounded),
    "sort": Of(partial(_sorted, descending=False)),
    "sort_desc": Of(partial(_sorted, descending=True)),
    "sort_by_label": Of(partial(_by_label, descending=False)),
    "sort_by_label_desc": Of(partial(_by_label, descending=True)),
    "label_replace": _relabelled(relabel.label_replace),
    "label_join": _relabelled(relabel.label_join),
    "histogram_quantile": Of(_histogram_quantile),
    "histogram_fraction": Of(_histogram_fraction),
    **{name: _each(operation) for name, operation in elementwise.MATHEMATICS.items()},
    **{name: _calendar(operation) for name, operation in elementwise.CALENDAR.items()},
}
ABOUT_ABSENCE = frozenset({"absent", "absent_over_time"})
ABOUT_TIME = frozenset({"time", "timestamp", "start", "end", *elementwise.CALENDAR})
EXPERIMENTAL = frozenset(
    [
        "mad_over_time",
        "double_exponential_smoothing",
        "sort_by_label",
        "sort_by_label_desc",
        "start",
        "end",
        "ts_of_first_over_time",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
    ]
)  # as Prometheus marks them (parser/functions.go): a server without the feature flag refuses them


def whole(name: str) -> bool:
    """Whether a function misleads while the store does not cover its whole window."""
    function = FUNCTIONS[name]
    return name in ABOUT_ABSENCE or (isinstance(function, Over) and function.whole)


def steady(name: str) -> bool:
    """Whether a function of a range comes to the same of samples that are all the same."""
    function = FUNCTIONS[name]
    return isinstance(function, Over) and function.steady
