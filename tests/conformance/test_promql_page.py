"""docs/promql.md says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_conformance import EXPECTED

from agent.promql import BadExpression, compile  # noqa: A004  as in Prometheus
from agent.promql.functions import EXPERIMENTAL, FUNCTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "promql.md").read_text()


def test_the_counts_are_those_that_are_pinned() -> None:
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert {f"{name}.test": (int(a), int(b)) for name, a, b in rows} == EXPECTED


@pytest.mark.parametrize(
    "row", re.findall(r"^\| (?:[\w ]+|`@` before 1970) \| (`.*`) \|$", PAGE, re.MULTILINE)
)
def test_what_is_said_to_be_refused_is(row: str) -> None:
    for text in re.findall(r"`([^`]+)`", row):
        expression = {"anchored": "rate(x[1m] anchored)", "smoothed": "rate(x[1m] smoothed)"}.get(
            text, text if not text.isidentifier() else f"{text}({ARGUMENTS.get(text, 'x')})"
        )
        with pytest.raises(BadExpression, match="not supported"):
            compile(expression)


ARGUMENTS = {
    "limitk": "1, x",
    "limit_ratio": "0.5, x",
    "histogram_quantiles": 'x, "q", 0.5',
    "min_of": "1, 2",
} | {"max_of": "1, 2"}


def test_what_is_experimental_is_listed() -> None:
    section = PAGE[PAGE.index("experimental these") : PAGE.index("## What there is not")]
    listed = set(re.findall(r"`(\w+)(?:\(\))?`", section)) - {"fill", "fill_left", "fill_right"}
    stars = {name for name in FUNCTIONS if name.startswith("ts_of_")}
    assert listed | stars == EXPERIMENTAL
