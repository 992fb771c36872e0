"""Where a text that is no PromQL goes wrong, and that what is PromQL never does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_files import complaints, write

from agent.promql import BadExpression, compile  # noqa: A004  the engine's word
from agent.rulebook.slips import slip

GOOD = [
    "up",
    "-up ^ 2 + +1 > bool 0",
    'SUM BY (a, "b c") (rate({"up", a=~"x|y", b!="",}[5m])) * ON (a) GROUP_LEFT (c) up',
    "sum(up) without () / ignoring (x) group_right sum(up)",
    "max_over_time(rate(up[5m] offset -1m)[1h:30s] @ start())",
    "min_over_time(up[1h:])",
    "max_over_time(up[1h: 30s] @ 1609746000)",
    "topk(3, up) and on () vector(1) unless (up == 1 or up atan2 time())",
    'label_replace(up, "a", "$1", "b", "(.*)") # a comment ) ]',
    "a:b:c{x='y'} % 3 or {__name__=`z`}",
    "avg_over_time(up[90])",
    "1e3 + .5 + 0x1F + Inf + 1h",
]
PIECES = [
    "up",
    "5m",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    "=",
    "==",
    "a",
    "by",
    "and",
    "on",
    "offset",
    "sum",
    '"x"',
    "@",
]


@pytest.mark.parametrize("text", GOOD)
def test_promql_has_no_slip(text: str) -> None:
    """What the parser takes, this takes."""
    compile(text)
    assert slip(text) is None


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("up = 1", "= compares nothing; write ==", "="),
        ("up > = 1", "= stands where a metric, a number or ( is expected", "="),
        ("up > 1 and", "something is missing after and", "and"),
        ("sum(up) bye (x)", "bye stands where an operator is expected; did you mean 'by'?", "bye"),
        ("up 1", "1 stands where an operator is expected", "1"),
        ('up{a="b" c="d"}', "c stands where a comma or } is expected", "c"),
        ("sum by x (up)", "x stands where ( is expected", "x"),
        ("sum by (5) (up)", "5 stands where a label's name is expected", "5"),
        ("rate(up[5m 1m])", "unexpected 1m in a duration, expected ]", "1m"),
        ("(up, up)", ", stands where an operator or ) is expected", ","),
        ("* up", "* stands where a metric, a number or ( is expected", "*"),
    ],
)
def test_the_first_token_that_cannot_stand_there_is_marked(
    tmp_path: Path, text: str, message: str, marked: str
) -> None:
    """In a file, with its place."""
    rules = (
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: >-\n          up or\n          "
    )
    (said,) = complaints(write(tmp_path, alerts=rules + text + "\n"))
    place, _, words = said.partition(": expr: ")
    words = words.removeprefix("no PromQL: ")
    line, column = (int(n) for n in place.split(":")[1:])
    assert words == message
    assert line == 7
    assert text[column - 11 :].startswith(marked)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_has_a_slip_within_it_or_none_and_promql_has_none(text: str) -> None:
    """Never an exception; never a complaint about what the parser takes."""
    found = slip(text)
    if found:
        assert 0 <= found.index <= len(text)
        with pytest.raises(BadExpression):
            compile(text)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("rat(up[5m]) > 1", "there is no function rat(); did you mean 'rate'?", 15),
        ("1 + rate(up) > 1", "expected type matrix in call to function 'rate', got vector", 19),
        ("up{a=~'('} > 1", "illegal regex for (", 21),
        ("up{a=b}", "unexpected identifier 'b' in label matching, expected string; write 'b' in quotes", 20),
        ("up{a=='b'}", "unexpected '=' in label matching, expected string; write =", 19),
        ("up > 1 && up", "unexpected character: '&'", 22),
        ("rate(up, 1)", "expected 1 argument(s) in call to 'rate', got 2", 15),
        ("up[5m]", "a range is no result that a rule can have; put it into a function, as rate(x[5m])", 15),
        ("'x'", "a text is no result that a rule can have; put it into a function, as rate(x[5m])", 15),
    ],
)
def test_what_the_engine_names_is_found_in_the_file(
    tmp_path: Path, text: str, message: str, column: int
) -> None:
    """The function, the pattern, or all of it."""
    rules = f'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: "{text}"\n'
    (said,) = complaints(write(tmp_path, alerts=rules))
    at = column if "no result" in message else column + 1
    assert said == f"disk/alerts.yml:5:{at}: expr: {message}"
