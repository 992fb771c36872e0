"""Series and samples as lines of OpenMetrics."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.model import Labels
from agent.recording.openmetrics import end_line, sample_line
from agent.sources.series_text import parse_series, series_text

NAMES = st.one_of(st.from_regex(r"[a-z_:][a-z0-9_:]{0,9}", fullmatch=True), st.text(min_size=1, max_size=8))
VALUES = st.text(min_size=1, max_size=8)


@settings()  # machines are busy
@given(
    NAMES,
    st.dictionaries(NAMES.filter(lambda name: name != "__name__"), VALUES, max_size=3).map(
        lambda pairs: tuple(sorted(pairs.items()))
    ),
)
@example("a", (("x", 'quote " backslash \\ newline \n brace } comma , space'),))
@example("my.name", ())
@example("a", (("my.label", "1"),))
def test_a_series_comes_back_as_it_was(name: str, labels: Labels) -> None:
    """Whatever its name and labels hold, on one line."""
    text = series_text(name, labels)
    assert "\n" not in text
    assert parse_series(text) == (name, labels)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{__name__="up",job="kafka"}', ("up", (("job", "kafka"),))),
        ("up{}", ("up", ())),
        ('up{ job = "kafka" , }', ("up", (("job", "kafka"),))),
        ('up{b="2",a="1",c=""}', ("up", (("a", "1"), ("b", "2")))),
    ],
)
def test_it_reads_what_other_tools_write(text: str, found: tuple[str, Labels]) -> None:
    """promtool's dump names the metric within the braces; labels have any order; an empty one is none."""
    assert parse_series(text) == found


@pytest.mark.parametrize(
    "text", ["", "9x", 'up{job="kafka"', "up{job=kafka}", '{job="kafka"}', 'up{job="a"x="b"}']
)
def test_what_is_no_series_is_refused(text: str) -> None:
    """With words."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_series(text)


def test_times_keep_their_milliseconds() -> None:
    """And values their digits."""
    assert sample_line("up", 1_780_000_000_007, 0.1) == "up 0.1 1780000000.007\n"
    assert sample_line("up", 0, float("nan")) == "up NaN 0.000\n"
    assert sample_line("up", 1000, float("-inf")) == "up -Inf 1.000\n"


def test_an_end_names_its_series() -> None:
    """As a label, which comes back."""
    line = end_line('up{job="a b"}', 5000)
    assert line == 'ottla_recording_series_end{series="up{job=\\"a b\\"}"} 1.0 5.000\n'
    _, labels = parse_series(line.rsplit(" ", 2)[0])
    assert parse_series(dict(labels)["series"]) == ("up", (("job", "a b"),))
