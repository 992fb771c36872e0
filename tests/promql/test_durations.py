"""Arithmetic in durations: what it comes to, what is refused and where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from agent.model import Sample
from agent.promql import (
    BadExpression,
    compile,  # noqa: A004  as in Prometheus
    evaluate,
    query_range,
)
from agent.promql.nodes import Binary, Node, Range, Selector, Subquery
from agent.promql.positions import place
from agent.series import Series

SECOND, MINUTE = 1000, 60_000


def node(text: str, step_ms: int = 0, range_ms: int = 0) -> Node:
    return compile(text, step_ms=step_ms, range_ms=range_ms).node


def window(text: str, step_ms: int = 0, range_ms: int = 0) -> int:
    found = node(f"x[{text}]", step_ms, range_ms)
    assert isinstance(found, Range)
    return found.window_ms


def offset(text: str, step_ms: int = 0, range_ms: int = 0) -> int:
    found = node(f"x offset {text}", step_ms, range_ms)
    assert isinstance(found, Selector), found
    return found.offset_ms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5m*2", 10 * MINUTE),
        (" 5m\n* 2 ", 10 * MINUTE),
        ("5m * # twice\n 2 # enough\n", 10 * MINUTE),
        ("(5m)", 5 * MINUTE),
        ("+5", 5 * SECOND),
        ("--5", 5 * SECOND),
        ("5m+30s-1", 329 * SECOND),
        ("1h/7", 514_285),
        ("1h30m%1h", 30 * MINUTE),
        ("-7 % 5 + 10", 8 * SECOND),  # the sign is the dividend's
        ("2^3^2", 512 * SECOND),
        ("-2^2+10", 6 * SECOND),
        ("2^-2", 250),
        ("10 - 2 - 3", 5 * SECOND),
        ("2*3+4", 10 * SECOND),
        ("2+3*4", 14 * SECOND),
        (".5", 500),
        ("1e-3*5", 5),
        ("0x1F*1", 31 * SECOND),
        ("017*1", 15 * SECOND),  # octal, as in Go
        ("08*1", 8 * SECOND),
        ("0.7*3", 2099),  # cut to milliseconds, as in Prometheus
        ("min_of(1h, 5m*2)", 10 * MINUTE),
        ("Max_Of(1, (2))", 2 * SECOND),
        ("max_of(step(), 5m)", 5 * MINUTE),
        ("9e9", 9_000_000_000_000),
    ],
)
def test_a_range_may_be_worked_out(text: str, expected: int) -> None:
    assert window(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-(2^2)", -4 * SECOND),
        ("(2^2)", 4 * SECOND),
        ("(1h/2)", 30 * MINUTE),
        ("(5m) * 2", 10 * MINUTE),  # brackets open an expression that goes on, as in Prometheus
        ("--5 * 2", 10 * SECOND),
        ("-5m", -5 * MINUTE),
        ("- 5m", -5 * MINUTE),
        ("0s", 0),
        ("(1-1)", 0),
        ("step()", 0),
        ("-range()", 0),
        ("-min_of(1m, 2m)", -MINUTE),
    ],
)
def test_an_offset_may_be_worked_out(text: str, expected: int) -> None:
    assert offset(text) == expected


@pytest.mark.parametrize("text", ["5m*2", "-5m*2", "step()*2", "-(5m)*2", "max_of(5m, 1m)*2", "5m^2", "5m-2"])
def test_an_offset_ends_with_its_first_operand(text: str) -> None:
    found = node(f"x offset {text}")
    assert isinstance(found, Binary)
    assert isinstance(found.left, Selector)
    assert abs(found.left.offset_ms) in (0, 5 * MINUTE)


def test_a_step_may_be_worked_out_and_each_place_is_told_from_the_others() -> None:
    found = node("((x offset (2*1)) + y offset 1)[1h*2:(30s+30s)] offset -(3)")
    assert isinstance(found, Subquery)
    assert (found.window_ms, found.step_ms, found.offset_ms) == (120 * MINUTE, MINUTE, -3 * SECOND)
    assert isinstance(found.expr, Binary)
    sides = (found.expr.left, found.expr.right)
    assert [side.offset_ms for side in sides if isinstance(side, Selector)] == [2 * SECOND, SECOND]


def test_words_that_touch_an_offset_stay_apart() -> None:
    found = compile("x offset(1*2)and y offset-(3)or offset offset 5m").selectors
    assert [(each.selector.name, each.offset_ms) for each in found] == [
        ("x", 2 * SECOND),
        ("y", -3 * SECOND),
        ("offset", 5 * MINUTE),
    ]


def test_what_is_no_duration_is_let_alone() -> None:
    text = 'sum by (offset) (x{offset="[5m*2] offset (3"}) # [ offset (\n'
    assert compile(text).names == {"x"}
    assert str(compile(text).selectors[0]) == 'x{offset="[5m*2] offset (3"}'


def test_steps_and_ranges_are_those_of_the_query() -> None:
    query = (15 * SECOND, 60 * MINUTE)
    assert window("step()", *query) == 15 * SECOND
    assert window("2*STEP ( ) + range()", *query) == 30 * SECOND + 60 * MINUTE
    assert offset("-step()", *query) == -15 * SECOND
    assert window("min_of(range(), 5m)", *query) == 5 * MINUTE


def test_what_an_expression_needs_knows_the_durations() -> None:
    expression = compile("max_over_time(rate(c[5m*2])[1h:(1m)] offset (2*1m))")
    assert (expression.window_ms, expression.history_ms) == (72 * MINUTE, 72 * MINUTE)
    assert str(compile("rate(c[5m*2])").selectors[0]) == "c[10m]"


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("x[5m/0]", "division by zero", 5),
        ("x[1h % (1-1)]", "modulo by zero", 6),
        ("x offset (4d/0)", "division by zero", 13),
        ("x[5m-10m]", "duration must be greater than 0", 3),
        ("x[0s]", "duration must be greater than 0", 3),
        ("x[ -5m]", "duration must be greater than 0", 4),
        ("x[5m:0]", "duration must be greater than 0", 6),
        ("x[5m:1-2]", "duration must be greater than 0", 6),
        ("x[5m*0] + y[step()]", "duration must be greater than 0", 3),
        ("x + y[step()]", "step() and range() are 0 at one instant, and so in a rule", 7),
        ("x[5m:range()/2]", "step() and range() are 0 at one instant, and so in a rule", 6),
        ("x[2^1e9]", "duration is NaN or infinite", 3),
        ("x offset ((-1)^0.5)", "duration is NaN or infinite", 10),
        ("x[0^-1]", "duration is NaN or infinite", 3),
        ("x[9e9*2]", "duration is out of range", 3),
        ("x[1 + 9.3e9]", "duration is out of range", 7),
        ("x[" + "9" * 400 + "y]", "duration is out of range", 3),
        ("x[1 + 5mm]", "5mm is no duration", 7),
        ("x[5m1h]", "5m1h is no duration", 3),
        ("x[1.5m*2]", "1.5m is no duration", 3),
        ("x[]", "unexpected ] in a duration, expected a number", 3),
        ("x[5m 5m]", "unexpected 5m in a duration, expected ]", 6),
        ("x[5m*]", "unexpected ] in a duration, expected a number", 6),
        ("x[Inf]", "unexpected Inf in a duration", 3),
        ("x[step]", "unexpected ] in a duration, expected (", 7),
        ("x[step(1)]", "unexpected 1 in a duration, expected )", 8),
        ("x[min_of(1)]", "unexpected ) in a duration, expected ,", 11),
        ("x[max_of(1, 2, 3)]", "unexpected , in a duration, expected )", 14),
        ("x[5m == 5m]", "unexpected = in a duration, expected ]", 6),
        ('x["5m"]', 'unexpected " in a duration', 3),
        ("x[5m:1m:1m]", "unexpected : in a duration, expected ]", 8),
        ("x offset", "unexpected end in a duration", 8),
        ("x offset foo", "unexpected foo in a duration", 10),
        ("x offset (1h) + y", "write (x offset (1h)) + y", 17),
        ("x[(5m]", "] closes nothing", 6),
        ("x[5m", "[ is not closed", 2),
        ("x[" + "-" * 5000 + "1]", "nested deeper than 100 levels", None),
        ("x @ (5*2)", "", None),
        ("step()", "step() is experimental in Prometheus and not supported", 1),
        ("min_of(1, 2)", "min_of() is experimental in Prometheus and not supported", 1),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str, column: int | None) -> None:
    with pytest.raises(BadExpression) as caught:
        compile(text)
    assert message in caught.value.message
    assert column in (caught.value.column, None)


class Reckoned:
    """A number under Python's operators, whose grammar is PromQL's but for the sign of %."""

    def __init__(self, value: float) -> None:
        self.value = np.float64(value)

    def __neg__(self) -> Reckoned:
        return Reckoned(-self.value)

    def __pos__(self) -> Reckoned:
        return self

    def __add__(self, other: Reckoned) -> Reckoned:
        return Reckoned(self.value + other.value)

    def __sub__(self, other: Reckoned) -> Reckoned:
        return Reckoned(self.value - other.value)

    def __mul__(self, other: Reckoned) -> Reckoned:
        return Reckoned(self.value * other.value)

    def __truediv__(self, other: Reckoned) -> Reckoned:
        if not other.value:
            raise ZeroDivisionError("division by zero")
        return Reckoned(self.value / other.value)

    def __mod__(self, other: Reckoned) -> Reckoned:
        if not other.value:
            raise ZeroDivisionError("modulo by zero")
        return Reckoned(np.fmod(self.value, other.value))

    def __pow__(self, other: Reckoned) -> Reckoned:
        return Reckoned(self.value**other.value)


LITERALS = {"5m": 300, "1h30m": 5400, "500ms": 0.5, "0": 0, "1": 1, "2": 2, "0.5": 0.5, "7": 7, "1e2": 100}
QUERY = {"step()": 15.0, "range()": 3600.0}
spaces = st.sampled_from(["", "", " ", "\n", " # [offset (\n"])
operands = st.sampled_from([(text, f"R({seconds})") for text, seconds in (LITERALS | QUERY).items()])


def longer(inner: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """A duration, and the same for Python."""
    operators = st.sampled_from("+-*/%^").map(lambda sign: (sign, sign.replace("^", "**")))
    signs = st.sampled_from("+-").map(lambda sign: (sign, sign))
    picks = st.sampled_from([("min_of", "least"), ("max_of", "most")])
    between = st.tuples(inner, spaces, operators, spaces, inner)
    return (
        between.map(lambda t: (t[0][0] + t[1] + t[2][0] + t[3] + t[4][0], f"{t[0][1]} {t[2][1]} {t[4][1]}"))
        | st.tuples(signs, spaces, inner).map(lambda t: (t[0][0] + t[1] + t[2][0], t[0][1] + t[2][1]))
        | inner.map(lambda t: (f"({t[0]})", f"({t[1]})"))
        | st.tuples(picks, inner, spaces, inner).map(
            lambda t: (f"{t[0][0]}({t[1][0]},{t[2]}{t[3][0]})", f"{t[0][1]}({t[1][1]}, {t[3][1]})")
        )
    )


durations = st.recursive(operands, longer, max_leaves=8)


def reckoned(source: str) -> float:
    """Seconds. ZeroDivisionError."""
    names = {
        "R": Reckoned,
        "least": lambda a, b: Reckoned(np.minimum(a.value, b.value)),
        "most": lambda a, b: Reckoned(np.maximum(a.value, b.value)),
    }
    with np.errstate(all="ignore"):
        return float(eval(source, names).value)


@given(durations)
def test_what_is_worked_out_is_what_python_makes_of_it(duration: tuple[str, str]) -> None:
    text, source = duration
    query = (15_000, 3_600_000)
    try:
        seconds = reckoned(source)
    except ZeroDivisionError as error:
        with pytest.raises(BadExpression, match=str(error)):
            offset(f"({text})", *query)
        return
    if not np.isfinite(seconds):
        with pytest.raises(BadExpression, match="NaN or infinite"):
            offset(f"({text})", *query)
        return
    if abs(seconds) > 2**63 / 1e9:
        with pytest.raises(BadExpression, match="out of range"):
            window(text, *query)
        return
    assert offset(f"({text})", *query) == int(seconds * 1000)
    if seconds > 0 and not text.strip("0123456789."):
        assert window(text, *query) == round(seconds * 1000)
    elif seconds > 0:
        assert window(text, *query) == int(seconds * 1000)
    else:
        with pytest.raises(BadExpression, match="must be greater than 0"):
            window(text, *query)


@given(durations, durations)
def test_places_behind_a_duration_are_the_authors(first: tuple[str, str], second: tuple[str, str]) -> None:
    query = (15_000, 3_600_000)
    try:
        wanted = (window(first[0], *query), offset(f"({second[0]})", *query))
    except BadExpression:
        reject()
    text = f"rate(x[{first[0]}] offset ({second[0]})) + y"
    expression = compile(text, step_ms=15_000, range_ms=3_600_000)
    assert (expression.selectors[0].window_ms, expression.selectors[0].offset_ms) == wanted
    assert expression.selectors[1].selector.place == place(text, len(text))
    wrong = f"{text} + limitk(1, z)"
    with pytest.raises(BadExpression, match="limitk") as caught:
        compile(wrong, step_ms=15_000, range_ms=3_600_000)
    assert caught.value.column == wrong.index("limitk") + 1


pieces = st.sampled_from(
    [
        *(
            "x",
            "[",
            "]",
            ":",
            "(",
            ")",
            ",",
            " ",
            "\n",
            "#",
            '"',
            "{",
            "}",
            "@",
            "offset ",
            "offset",
            "1e",
            "é",
        ),
        *(
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "5m",
            "1",
            ".",
            "0x",
            "step()",
            "range()",
            "min_of(",
            "max_of",
            "9e999",
        ),
    ]
)


@given(
    st.lists(pieces, max_size=14).map("".join), st.sampled_from(["{}", "x[{}]", "x offset {}", "x[5m:{}]"])
)
def test_whatever_stands_there_is_taken_or_refused_with_a_place(text: str, around: str) -> None:
    whole = around.replace("{}", text)
    column = None
    try:
        compile(whole, step_ms=1, range_ms=10**12)
    except BadExpression as bad:
        column = bad.column
    assert column is None or 1 <= column <= len(whole)


def test_so_many_durations_that_none_is_left_to_stand_for_one_are_refused() -> None:
    text = "+".join(f"x[{n}]" for n in range(1, 1001)) + "+x[1*2]"
    with pytest.raises(BadExpression, match="too many other durations") as caught:
        compile(text)
    assert caught.value.column == text.index("1*2") + 1


def counting() -> Series:
    series = Series(window_ms=10**9)
    series.add(Sample("x", (), n * SECOND, float(n)) for n in range(101))
    return series


def test_a_range_query_and_an_instant_give_what_prometheus_gives() -> None:
    series = counting()

    def values(text: str, step: int) -> list[float]:
        expression = compile(text, step_ms=step, range_ms=10 * SECOND)
        (line,) = query_range(expression, series, 50 * SECOND, 60 * SECOND, step).lines
        return list(map(float, line.values))

    assert values("count_over_time(x[step()+1])", 5 * SECOND) == [6, 6, 6]
    assert values("x offset -step()", 5 * SECOND) == [55, 60, 65]
    assert values("count_over_time(x[range()])", 10 * SECOND) == [10, 10]
    assert values("max_over_time(x[range()] @ end())", 7 * SECOND) == [60, 60]  # the end, not the last step
    assert [each.value for each in evaluate(compile("x offset range()"), series, 50 * SECOND)] == [50]
