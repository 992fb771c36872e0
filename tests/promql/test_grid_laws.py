"""A range query is its instants: the grid is a way to be quick and must not show."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Labels, Sample
from agent.promql import (
    EvaluationError,
    Limits,
    TooMuch,
    compile,  # noqa: A004  as in Prometheus
    evaluate,
    query,
    query_range,
)
from agent.promql.vectors import STALE
from agent.series import Series

START, END, STEP = 300_000, 480_000, 20_000
values = st.sampled_from([0.0, 1.0, 2.0, 3.5, 100.0, math.inf, math.nan, STALE])
points = st.tuples(
    st.sampled_from(["x", "y"]),
    st.sampled_from([(), (("a", "1"),), (("a", "2"),), (("a", "2"), ("b", "1"))]),
    st.integers(0, 48).map(lambda n: n * 10_000 + 7),
    values,
)
buckets = st.tuples(
    st.just("h_bucket"),
    st.sampled_from([(("le", "0.1"),), (("le", "1"),), (("le", "+Inf"),)]),
    st.integers(0, 12).map(lambda n: n * 40_000 + 7),
    st.integers(0, 9).map(float),
)
stores = st.lists(points | buckets, max_size=60)
leaves = st.sampled_from(
    """x|y|x{a="2"}|x offset 1m|x @ 400|y @ end()|{__name__=~"[xy]"}|rate(x[2m])|increase(x[1m] offset 20s)
    |max_over_time(x[3m])|quantile_over_time(0.5, y[2m])|deriv(x[2m])|predict_linear(x[2m], 60)|changes(y[2m])
    |avg_over_time(x[2m])|stddev_over_time(x[2m])|last_over_time(x[1m])|absent_over_time(y[30s])|timestamp(x)
    |sum_over_time(x[2m:30s])|max_over_time(rate(x[1m])[2m:20s] @ 450)|vector(time())|irate(x[2m])
    |histogram_quantile(0.9, h_bucket)|histogram_quantile(0.5, rate(h_bucket[3m]))|hour(x)|resets(x[3m])
    |label_replace(x, "b", "$1", "a", "(.*)")|double_exponential_smoothing(x[2m], 0.5, 0.5)""".replace(
        "\n    ", ""
    ).split("|")
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.sampled_from(
        [
            "+",
            "/",
            "> bool",
            "<",
            "== on(a)",
            "* ignoring(b)",
            "and",
            "or",
            "unless on(a)",
            "+ on(a) group_left()",
        ]
    )
    around = st.sampled_from(
        [
            *(
                "sum({})",
                "sum by (a)({})",
                "avg without (b)({})",
                "count({})",
                "topk(1, {})",
                "bottomk(2, {})",
            ),
            *("stddev({})", "quantile(0.5, {})", 'count_values("v", {})', "absent({})", "-({})", "abs({})"),
            *("({}) > 1", "2 * ({})", "clamp_max({}, 2)", "max_over_time(({})[2m:40s])", "round({}, 2)"),
            *("vector(scalar({}))", "group by (b)({})", "min({})", "sum_over_time(({})[1m:20s] offset 20s)"),
        ]
    )
    return st.builds("({}) {} ({})".format, inner, pairs, inner) | st.builds(str.format, around, inner)


def filled(data: list[tuple[str, Labels, int, float]]) -> Series:
    series = Series(window_ms=10**9)
    series.add(Sample(*one) for one in sorted(data, key=lambda one: one[2]))
    return series


def bits(value: float) -> bytes:
    return b"NaN" if math.isnan(value) else struct.pack("<d", value)


@given(st.recursive(leaves, larger, max_leaves=5), stores)
def test_a_range_query_is_its_instants(text: str, data: list[tuple[str, Labels, int, float]]) -> None:
    """To the last bit. An error at any instant is an error of the whole."""
    if "@ end()" in text:
        text = text.replace("@ end()", f"@ {END // 1000}")  # an instant query's end is its own
    expression, series = compile(text), filled(data)
    try:
        wanted = {
            (labels, at): bits(value)
            for at in range(START, END + 1, STEP)
            for labels, value in ((p.labels, p.value) for p in evaluate(expression, series, at))
        }
    except EvaluationError:
        with pytest.raises(EvaluationError):
            query_range(expression, series, START, END, STEP)
        return
    answer = query_range(expression, series, START, END, STEP)
    found = {
        (line.labels, at): bits(value)
        for line in answer.lines
        for at, value in zip(line.times.tolist(), line.values.tolist(), strict=True)
    }
    assert found == wanted


def test_limits_on_samples_and_time_end_a_query() -> None:
    series = filled([("x", (), at, 1.0) for at in range(0, 400_000, 1000)])
    long = compile("sum_over_time(x[5m:1s])")
    assert query(long, series, 400_000).lines[0].values.tolist() == [300.0]
    with pytest.raises(TooMuch, match="more than 100 samples"):
        query(long, series, 400_000, Limits(samples=100))
    with pytest.raises(TooMuch, match="longer than it may"):
        query(long, series, 400_000, Limits(expired=lambda: True))


def test_a_bare_range_gives_its_raw_samples() -> None:
    series = filled([("x", (), 1000, 1.0), ("x", (), 2000, STALE), ("x", (), 3000, 3.0)])
    (line,) = query(compile("x[1m]"), series, 5000).lines
    assert (line.times.tolist(), line.values.tolist()) == ([1000, 3000], [1.0, 3.0])
    with pytest.raises(EvaluationError, match="range vector"):
        query_range(compile("x[1m]"), series, 0, 5000, 1000)


def test_a_text_is_an_answer_of_its_own_kind() -> None:
    answer = query(compile('"a"'), filled([]), 0)
    assert (answer.kind, answer.text) == ("string", "a")
