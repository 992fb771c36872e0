"""The agent's own series are text that Prometheus reads as they were meant."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as read

from agent.families import Family, counter, gauge, written

WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
)


@given(st.dictionaries(WORDS, st.floats()))
def test_any_label_and_any_value_is_read_as_it_was(values: dict[str, float]) -> None:
    """As prometheus_client reads it."""
    family = Family(
        "a_total", "counter", "About", [((("l", label),), value) for label, value in values.items()]
    )
    (found,) = read(written([family]).decode())
    assert (found.type, found.documentation) == ("counter", "About")
    assert {sample.labels["l"]: str(sample.value) for sample in found.samples} == {
        label: str(value) for label, value in values.items()
    }


def test_what_has_no_labels_has_no_braces() -> None:
    """Nor is there a difference between whole numbers and others."""
    families = [
        gauge("a", "Of \\ and\nmore", math.inf),
        counter("b_total", "B", 2),
        Family("c", "gauge", "C", []),
    ]
    assert written(families).decode().splitlines() == [
        r"# HELP a Of \\ and\nmore",
        "# TYPE a gauge",
        "a +Inf",
        "# HELP b_total B",
        "# TYPE b_total counter",
        "b_total 2.0",
        "# HELP c C",
        "# TYPE c gauge",
    ]
