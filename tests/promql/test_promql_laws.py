"""Laws that hold for all expressions and samples."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Sample
from agent.promql import BadExpression, EvaluationError, compile, evaluate  # noqa: A004  as in Prometheus
from agent.promql.functions import FUNCTIONS
from agent.promql.sums import mean, means, total, totals
from agent.series import Series

values = st.floats(width=64) | st.sampled_from([0.0, 1.0, 2.0, math.inf, -math.inf, math.nan])
samples = st.builds(
    Sample,
    name=st.sampled_from("xy"),
    labels=st.sampled_from([(), (("a", "1"),), (("a", "2"),), (("a", "2"), ("b", "1"))]),
    at=st.integers(0, 40).map(lambda n: n * 15_000),
    value=values,
)
stores = st.lists(samples, max_size=40)


def filled(data: list[Sample]) -> Series:
    series = Series(window_ms=10**9)
    series.add(sorted(data, key=lambda sample: sample.at))
    return series


selectors = st.sampled_from(["x", "y", 'x{a="2"}', 'x{a!~"1|"}', "x offset 1m", "missing"])
ranges = st.sampled_from(["x[1m]", "y[5m]", 'x{a=~".+"}[10m] offset 30s', "missing[1h]"])
over_time = st.sampled_from(
    [
        name
        for name in FUNCTIONS
        if name.endswith(("_over_time", "rate", "delta")) and name != "quantile_over_time"
    ]
)
leaves = (
    selectors
    | st.builds("{}({})".format, over_time, ranges)
    | st.sampled_from(["vector(1)", "vector(time())"])
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(
        ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "> bool", "<", "<= on(a)", "* ignoring(b)"]
    )
    sets = st.sampled_from(["and", "or", "unless", "and on(a)", "unless ignoring(a)"])
    outer = st.sampled_from(
        ["sum", "sum by (a)", "min without (a)", "max by (a, b)", "avg", "count by (b)", "abs", "absent", "-"]
    )
    return (
        st.builds("({}) {} ({})".format, inner, operators | sets, inner)
        | st.builds("{} ({})".format, outer, inner)
        | st.builds("({}) {} {}".format, inner, st.sampled_from([">", "*", "<= bool"]), st.just("2"))
        | st.builds("clamp({}, 0, scalar({}))".format, inner, inner)
    )


@given(st.recursive(leaves, larger, max_leaves=6), stores)
def test_evaluation_fails_only_with_evaluation_error(text: str, data: list[Sample]) -> None:
    with suppress(EvaluationError):
        points = evaluate(compile(text), filled(data), 600_000)
        assert len({point.labels for point in points}) == len(points)


tokens = st.sampled_from(
    [
        *("x", "sum", "rate", "by", "on", "or", "offset", "topk", "start()", "Inf", "1", "0x", "é"),
        *("(", ")", "{", "}", "[5m]", "[5m:]", '"', "'a'", "`", "a=", ",", "@", "-", "> bool", "#", "\n"),
    ]
)


@given(st.text(max_size=40) | st.lists(tokens, max_size=12).map(" ".join))
def test_compiling_fails_only_with_bad_expression(text: str) -> None:
    with suppress(BadExpression):
        compile(text)


@given(st.lists(tokens, max_size=12).map(" ".join))
def test_the_column_of_a_mistake_lies_in_the_expression(text: str) -> None:
    try:
        compile(text)
        column = None
    except BadExpression as bad:
        column = bad.column
    assert column is None or 1 <= column <= len(text)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=40))
def test_increase_is_never_negative(counts: list[int]) -> None:
    series = filled([Sample("c", (), i * 15_000, float(count)) for i, count in enumerate(counts)])
    points = evaluate(compile("increase(c[10m])"), series, 600_000)
    assert all(point.value >= 0 for point in points)


@given(st.lists(st.integers(0, 100), min_size=4, max_size=30))
def test_increase_is_what_was_seen_and_at_most_a_spacing_more_a_side(
    steps: list[int],
) -> None:
    counts = np.cumsum([0, *steps])
    series = filled([Sample("c", (), i * 15_000, float(count)) for i, count in enumerate(counts)])
    window = 15_000 * len(steps)
    (point,) = evaluate(compile(f"increase(c[{window + 1}ms])"), series, window)
    assert counts[-1] <= point.value * (1 + 1e-12)
    assert point.value <= counts[-1] * (1 + 2.2 / len(steps))


@given(stores)
def test_set_operators(data: list[Sample]) -> None:
    series = filled(data)

    def answer(text: str) -> str:
        return repr(sorted(evaluate(compile(text), series, 600_000), key=lambda point: point.labels))

    assert answer("x and x") == answer("x or x") == answer("x unless missing") == answer("x")
    assert answer("x unless x") == "[]"


@given(st.lists(st.lists(values, min_size=70, max_size=70), min_size=1, max_size=3))
def test_sums_are_the_same_in_one_go_and_step_by_step(rows: list[list[float]]) -> None:
    """Short rows are summed by Python's loop, long ones by numpy: an implementation must not show."""
    with np.errstate(all="ignore"):
        for size in (1, 5, 64, 65, 70):
            matrix = np.array([row[:size] for row in rows])
            counts = np.full(len(rows), size)
            for row, together, average in zip(matrix, totals(matrix), means(matrix, counts), strict=True):
                assert total(row) == pytest.approx(together, nan_ok=True)
                assert mean(row) == pytest.approx(average, nan_ok=True)
