"""The notation of series: as promtool expands it."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.promql.vectors import STALE
from agent.rehearsal.notation import MAX_VALUES, BadNotation, parse_metric, parse_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2 3", [1, 2, 3]),
        ("1x3", [1, 1, 1, 1]),
        ("1+2x3", [1, 3, 5, 7]),
        ("3-1x2", [3, 2, 1]),
        ("-2+0.5x1", [-2, -1.5]),
        ("_ 4 _x2 5", [None, 4, None, None, 5]),
        ("_x0", []),
        ("1e3 .5 5. +Inf -inf", [1000, 0.5, 5, math.inf, -math.inf]),
        ("  1\n 2 ", [1, 2]),
        ("010", [8]),
        ("", []),
        ("0.1+0.1x2", [0.1, 0.2, 0.1 + 0.1 + 0.1]),
    ],
)
def test_values_expand_as_in_prometheus(text: str, values: list[float | None]) -> None:
    """A repetition has one value more than its count, a gap has not."""
    assert list(parse_values(text)) == values


def test_stale_is_the_marker_and_nan_is_a_value() -> None:
    """Told apart by their bits alone."""
    stale, nan = parse_values("stale NaN")
    assert stale is not None
    assert nan is not None
    assert struct.pack("<d", stale) == struct.pack("<d", STALE)
    assert math.isnan(nan)
    assert struct.pack("<d", nan) != struct.pack("<d", STALE)


@pytest.mark.parametrize(
    ("text", "index", "message"),
    [
        ("1 {{schema:1}} 2", 2, "native histograms are not supported"),
        ("1 two", 2, "'two' is no value"),
        ("1+1", 0, "is no value"),
        ("0x5 1x", 4, "is no value"),
        ("stalest", 0, "is no value"),
        (f"0x{MAX_VALUES}", 0, "more than"),
        ("0x" + "9" * 5_000, 0, "more than"),
    ],
)
def test_what_is_no_value_is_pointed_at(text: str, index: int, message: str) -> None:
    """By the character where it begins."""
    with pytest.raises(BadNotation, match=message) as caught:
        parse_values(text)
    assert caught.value.index == index


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("up", {"__name__": "up"}),
        (" up { job = 'a' , } ", {"__name__": "up", "job": "a"}),
        ('{__name__="up", a="b"}', {"__name__": "up", "a": "b"}),
        ('{"a metric", "a label"="b"}', {"__name__": "a metric", "a label": "b"}),
        ('sum{by="x"}', {"__name__": "sum", "by": "x"}),
        ('x{a=""}', {"__name__": "x"}),
        (r'x{a="q\"\\\n\x41\u00e9\101"}', {"__name__": "x", "a": 'q"\\\nAéA'}),
        ("x{a=`\\n`}", {"__name__": "x", "a": "\\n"}),
        ("{}", {}),
        ("", {}),
    ],
)
def test_a_series_is_its_labels(text: str, labels: dict[str, str]) -> None:
    """The name among them; an empty value is no label."""
    assert dict(parse_metric(text)) == labels


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ('up{a="b"', 8),
        ("up{a=b}", 3),
        ('up{a!="b"}', 3),
        ("up{a}", 3),
        ('up{a="b" c="d"}', 9),
        ('up{a="b",a="c"}', 9),
        ("up down", 3),
        ('up{__name__="x"}', 0),
        (r'up{a="\q"}', 5),
        ("up{1}", 3),
        ("up{", 3),
    ],
)
def test_a_series_that_is_none_is_pointed_at(text: str, index: int) -> None:
    """By the character."""
    with pytest.raises(BadNotation) as caught:
        parse_metric(text)
    assert caught.value.index == index


@given(st.text(max_size=60))
def test_any_text_is_a_series_or_a_mistake(text: str) -> None:
    """Never another error, and never slow."""
    indices = []
    for parse in (parse_metric, parse_values):
        try:
            parse(text)
        except BadNotation as error:
            indices.append(error.index)
    assert all(0 <= index <= len(text) for index in indices)


@given(st.lists(st.floats(allow_nan=False)))
def test_what_is_written_is_read(values: list[float]) -> None:
    """Every float by its shortest form."""
    assert list(parse_values(" ".join(map(repr, values)))) == values
