"""Floats as Go writes them; tests/templates holds `general` to the real promtool."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.promql.numbers import general, written


@pytest.mark.parametrize(
    ("value", "plain", "short"),
    [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (999_999.0, "999999", "999999"),
        (1e6, "1000000", "1e+06"),
        (123_456_789.5, "123456789.5", "1.234567895e+08"),
        (0.0001, "0.0001", "0.0001"),
        (-2.5e-7, "-0.00000025", "-2.5e-07"),
        (math.inf, "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN"),
    ],
)
def test_both_ways_of_go(value: float, plain: str, short: str) -> None:
    assert (written(value), general(value)) == (plain, short)


@given(st.floats(allow_nan=False))
def test_they_read_back_as_the_same_value(value: float) -> None:
    assert float(written(value)) == float(general(value)) == value
