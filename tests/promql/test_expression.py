"""What compile() takes, what it says of an expression, and how it complains."""

from __future__ import annotations

import pytest

from agent.promql import BadExpression, compile  # noqa: A004  as in Prometheus

MINUTE = 60_000


@pytest.mark.parametrize(
    ("text", "names", "window", "history"),
    [
        ("up == 0", {"up"}, 5 * MINUTE, 0),
        ("a > 1 and b offset 10m < 2", {"a", "b"}, 15 * MINUTE, 10 * MINUTE),
        ("rate(c[1h])", {"c"}, 60 * MINUTE, 60 * MINUTE),
        ("increase(c[10m] offset 5m) > 0", {"c"}, 15 * MINUTE, 15 * MINUTE),
        ("last_over_time(c[1h])", {"c"}, 60 * MINUTE, 0),
        ("irate(c[1h])", {"c"}, 60 * MINUTE, 0),
        ("absent(x)", {"x"}, 5 * MINUTE, 5 * MINUTE),
        ("absent(sum(x) > 2)", {"x"}, 5 * MINUTE, 5 * MINUTE),
        ("x offset -10m", {"x"}, 0, 0),
        ("time() > bool 5", set(), 0, 0),
        ('{"x", a="b"}', {"x"}, 5 * MINUTE, 0),
        ('{__name__=~"x.*"}', set(), 5 * MINUTE, 0),
        ("max_over_time(rate(c[5m])[1h:1m] offset 1m)", {"c"}, 66 * MINUTE, 66 * MINUTE),
    ],
)
def test_it_knows_what_it_reads(text: str, names: set[str], window: int, history: int) -> None:
    expression = compile(text)
    assert expression.names == names
    assert (expression.window_ms, expression.history_ms) == (window, history)


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("x > 5", 5.0),
        ("5 < x", 5.0),
        ("(x / y) >= (0.8)", 0.8),
        ("x > 2 * 1024", 2048.0),
        ("x > -2^2", -4.0),
        ("x > 0.9 unless on() y > 0", 0.9),
        ("x > bool 5", None),
        ("x > y", None),
        ("x > 1 or y > 2", None),
        ("x", None),
    ],
)
def test_it_knows_the_number_it_compares_with(text: str, threshold: float | None) -> None:
    assert compile(text).threshold == threshold


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("sum(x", "( is not closed", 4),
        ("x) > 2", ") closes nothing", 2),
        ("sum(x]", "] closes nothing", 6),
        ('x{a="b', "does not end", 5),
        ("rat(x[5m])", "there is no function rat()", 1),
        ('sum by (rat) (rat(x{rat="rat("}))', "there is no function rat()", 15),
        ("1 +\n  limitk(3, x)", "limitk() is experimental in Prometheus and not supported", 7),
        ("rate(x[5m] smoothed)", "smoothed is experimental in Prometheus and not supported", 12),
        ('x{a="\\xff"}', "half a character", 6),
        ("histogram_count(x)", "works on native histograms, which are not supported", 1),
        ("holt_winters(x[1m], 1, 1)", "is called double_exponential_smoothing since Prometheus 3.0", 1),
        ('x{a="b" or c="d"}', "'or' between matchers is not PromQL", 9),
        ("rate(x)", "expected type matrix", None),
        ("x @ Inf", "Inf is beyond all time", 3),
        ("x @ 1e300", "1e300 is beyond all time", 3),
        ("x @ -5", "a time before 1970 is not supported", 3),
        ("rate(x[99999999y])", "duration is out of range", 8),
        ("", "no expression", None),
        ('x{a=~"("}', "illegal regex", None),
        ("(" * 5000 + "x" + ")" * 5000, "longer than", None),
        ("(" * 101 + "x" + ")" * 101, "nest deeper", None),
        ("-" * 1000 + "x", "nested deeper", None),
        ("x" + "+x" * 1000, "nested deeper", None),
        ("# only a comment", "", None),
    ],
)
def test_complaints_say_what_and_where(text: str, message: str, column: int | None) -> None:
    with pytest.raises(BadExpression) as caught:
        compile(text)
    assert message in caught.value.message
    assert caught.value.column == column
