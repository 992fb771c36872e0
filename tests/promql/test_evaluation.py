"""What expressions come to, on samples small enough to check by hand."""

from __future__ import annotations

import math

import pytest

from agent.model import Sample, labels_of
from agent.promql import EvaluationError, compile, evaluate  # noqa: A004  as in Prometheus
from agent.promql.vectors import STALE
from agent.series import Series

Data = dict[str, list[float]]  # "name a=1 b=2": values at 0 s, 15 s, 30 s and so on
STEP = 15_000


def store(data: Data) -> Series:
    series = Series(window_ms=10**9)
    for text, values in data.items():
        name, *pairs = text.split()
        labels = labels_of(dict(pair.split("=") for pair in pairs))
        series.add(Sample(name, labels, i * STEP, v) for i, v in enumerate(values))
    return series


def ask(expr: str, data: Data, at: int = 4 * STEP) -> dict[str, float]:
    """Values by their labels, written "a=1 b=2"."""
    points = evaluate(compile(expr), store(data), at)
    return {" ".join(f"{k}={v}" for k, v in p.labels): p.value for p in points}


def test_a_comparison_filters_and_keeps_name_and_left_value() -> None:
    assert ask("x > 2", {"x a=1": [1], "x a=2": [3]}) == {"__name__=x a=2": 3}
    assert ask("2 < x", {"x a=1": [1], "x a=2": [3]}) == {"__name__=x a=2": 3}


def test_bool_gives_0_or_1_without_the_name() -> None:
    assert ask("x > bool 2", {"x a=1": [1], "x a=2": [3]}) == {"a=1": 0, "a=2": 1}


def test_nan_is_not_equal_to_anything() -> None:
    assert ask("x == x", {"x": [math.nan]}) == {}
    assert list(ask("x != 0", {"x": [math.nan]})) == ["__name__=x"]


@pytest.mark.parametrize(
    ("matcher", "found"),
    [
        ('a="1"', {"1"}),
        ('a!="1"', {"12", ""}),
        ('a=~"1"', {"1"}),
        ('a=~"1.*"', {"1", "12"}),
        ('a!~"1.*"', {""}),
        ('a=""', {""}),
        ('a=~"|1"', {"", "1"}),
    ],
)
def test_matchers_are_anchored_and_absent_is_empty(matcher: str, found: set[str]) -> None:
    points = evaluate(compile(f"x{{{matcher}}}"), store({"x a=1": [1], "x a=12": [1], "x b=1": [1]}), 0)
    assert {dict(p.labels).get("a", "") for p in points} == found


def test_a_dot_matches_a_newline() -> None:
    series = Series(window_ms=1000)
    series.add([Sample("x", (("a", "b\nc"),), 0, 1.0)])
    assert len(evaluate(compile('x{a=~"b.c"}'), series, 0)) == 1


def test_the_lookback_is_open_on_the_left() -> None:
    """A sample exactly five minutes old is not seen (Prometheus 3)."""
    assert ask("x", {"x": [1]}, at=299_999) == {"__name__=x": 1}
    assert ask("x", {"x": [1]}, at=300_000) == {}


def test_a_stale_marker_ends_a_series_but_not_a_window() -> None:
    series = store({"x": [1, 2, 3]})
    series.add([Sample("x", (), 50_000, STALE)])
    assert [p.value for p in evaluate(compile("x"), series, 49_999)] == [3]
    assert evaluate(compile("x"), series, 50_000) == ()
    assert [p.value for p in evaluate(compile("sum_over_time(x[1m])"), series, 50_000)] == [6]


def test_offset_looks_back_and_may_be_negative() -> None:
    assert ask("x offset 15s", {"x": [1, 2, 3]}, at=30_000) == {"__name__=x": 2}
    assert ask("x offset -15s", {"x": [1, 2, 3]}, at=0) == {"__name__=x": 2}


def test_increase_extrapolates_and_survives_a_reset() -> None:
    assert ask("increase(c[1m])", {"c": [0, 15, 30, 45, 60]}) == {"": pytest.approx(60)}
    assert ask("increase(c[1m])", {"c": [0, 100, 115, 10, 25]}) == {"": pytest.approx(40 * 60 / 45)}
    assert ask("rate(c[1m])", {"c": [0, 15, 30, 45, 60]}) == {"": pytest.approx(1)}


def test_a_counter_is_not_stretched_below_its_zero() -> None:
    """The window opens 15 s before the first sample, but the counter was 0 at that sample."""
    assert ask("increase(c[1m])", {"c": [math.nan, 0, 10, 20, 30]}) == {"": 30}


def test_one_sample_has_no_rate() -> None:
    assert ask("rate(c[15s])", {"c": [0, 1, 2]}) == {}


@pytest.mark.parametrize(
    ("function", "value"),
    [("min", 1), ("max", 5), ("avg", 3), ("sum", 9), ("count", 3), ("last", 3), ("present", 1)],
)
def test_over_time(function: str, value: float) -> None:
    name = "__name__=x" if function == "last" else ""
    assert ask(f"{function}_over_time(x[45s])", {"x": [9, 9, 1, 5, 3]}) == {name: value}


def test_min_and_max_over_time_ignore_nan() -> None:
    assert ask("max_over_time(x[1m])", {"x": [0, 1, 2, math.nan, 0]}) == {"": 2}


@pytest.mark.parametrize(
    ("expr", "answer"),
    [
        ("sum(x)", {"": 6}),
        ("sum by (a) (x)", {"a=1": 3, "a=2": 3}),
        ("sum without (a) (x)", {"b=1": 4, "b=2": 2}),
        ("count by (a, none) (x)", {"a=1": 2, "a=2": 1}),
        ("avg(x)", {"": 2}),
        ("min(x)", {"": 1}),
        ("max(x)", {"": 3}),
        ("count(nothing)", {}),
        ("count(nothing) or vector(0)", {"": 0}),
    ],
)
def test_aggregation(expr: str, answer: dict[str, float]) -> None:
    assert ask(expr, {"x a=1 b=1": [1], "x a=1 b=2": [2], "x a=2 b=1": [3]}) == answer


TWO = {"x a=1": [1.0], "x a=2": [2.0], "y a=2": [20.0], "y a=3": [30.0]}


@pytest.mark.parametrize(
    ("expr", "answer"),
    [
        ("x and y", {"__name__=x a=2": 2}),
        ("x unless y", {"__name__=x a=1": 1}),
        ("x or y", {"__name__=x a=1": 1, "__name__=x a=2": 2, "__name__=y a=3": 30}),
        ("y / x", {"a=2": 10}),
        ("y > x", {"__name__=y a=2": 20}),
        ('x{a="2"} > on() vector(1)', {"": 2}),
        ("-x", {"a=1": -1, "a=2": -2}),
        ("x % 2", {"a=1": 1, "a=2": 0}),
        ("1 / (x - x)", {"a=1": math.inf, "a=2": math.inf}),
        ("absent(x)", {}),
        ('absent(z{a="1", b!="2"})', {"a=1": 1}),
        ("scalar(x)", {"": pytest.approx(math.nan, nan_ok=True)}),
        ('scalar(x{a="1"}) + 1', {"": 2}),
        ("clamp(x, 1.5, 1.7)", {"a=1": 1.5, "a=2": 1.7}),
        ("abs(-x)", {"a=1": 1, "a=2": 2}),
        ("time()", {"": 60}),
        ("2 ^ 3 ^ 0", {"": 2}),
    ],
)
def test_operators_and_functions(expr: str, answer: dict[str, float]) -> None:
    assert ask(expr, TWO) == answer


def test_group_left_takes_labels_from_the_one_side() -> None:
    data = {"x a=1 t=u": [1.0], "x a=1 t=v": [2.0], "info a=1 role=leader": [1.0]}
    both = {"a=1 role=leader t=u": 1, "a=1 role=leader t=v": 2}
    assert ask("x * on (a) group_left (role) info", data) == both
    assert ask("info * on (a) group_right (role) x", data) == both


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x + on() x", "found duplicate series"),
        ("x + on() vector(1)", "many-to-one matching must be explicit"),
        ("x * on(a) group_left(b) z", "grouping labels must ensure unique matches"),
    ],
)
def test_ambiguous_matches_are_errors(expr: str, words: str) -> None:
    data = {"x a=1 b=1": [1.0], "x a=1 b=2": [2.0], "z a=1 b=3": [1.0]}
    with pytest.raises(EvaluationError, match=words):
        ask(expr, data)


def test_two_results_with_the_same_labels_are_an_error() -> None:
    """`or` keeps both, for their names still differ; at the end abs() drops these."""
    with pytest.raises(EvaluationError, match="same labelset"):
        ask("abs(x) or on (__name__) abs(y)", {"x a=1": [1.0], "y a=1": [2.0]})
