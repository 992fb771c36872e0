"""Parameters as Prometheus's clients write them: what is read, and what is refused in which words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.prometheus_forms import BadParameter, Form


def form(**pairs: str) -> Form:
    return Form(list(pairs.items()))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("4", 4_000),
        ("1435781451.781", 1_435_781_451_781),
        ("1.4357814517814e9", 1_435_781_451_781),
        ("-1.5", -1_500),
        ("2015-07-01T20:10:51.781Z", 1_435_781_451_781),
        ("2015-07-01T22:10:51.781+02:00", 1_435_781_451_781),
        ("2015-07-01T20:10:51Z", 1_435_781_451_000),
        ("1790000000000", 253_402_300_799_999),  # milliseconds for seconds, as Grafana asks for exemplars
        ("-9223309901257974.000", -253_402_300_799_999),  # "ever" of Prometheus's own client
    ],
)
def test_instants(text: str, at: int) -> None:
    assert form(time=text).instant("time") == at


@pytest.mark.parametrize(
    "text",
    ["", "now", "nan", "inf", "1_000", " 1", "0x10", "2015-07-01", "2015-07-01T20:10:51",
     "2015-02-31T00:00:00Z", "٣", "1e999", "20150701T201051Z"],
)  # fmt: skip
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(BadParameter) as refused:
        form(time=text).instant("time")
    assert str(refused.value) == f'invalid parameter "time": cannot parse "{text}" to a valid timestamp'


def test_an_absent_instant_has_its_default() -> None:
    assert form().instant("time", 7) == 7
    with pytest.raises(BadParameter):
        form().instant("start")


@pytest.mark.parametrize(
    ("text", "ms"),
    [("15", 15_000), ("0.5", 500), ("1.001", 1_001), ("1m30s", 90_000), ("5ms", 5), ("-1", -1_000)],
)
def test_durations(text: str, ms: int) -> None:
    assert form(step=text).duration("step") == ms


@pytest.mark.parametrize("text", ["", "foo", "1x", "nan", "1e30", "-1m", "99999999999y"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="to a valid duration"):
        form(step=text).duration("step")


@pytest.mark.parametrize("text", ["x", "1.5", "-1", "٣", "9" * 30])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match='invalid parameter "limit"'):
        form(limit=text).limit()


def test_limits() -> None:
    assert (form().limit(), form(limit="0").limit(), form(limit="40000").limit()) == (0, 0, 40_000)


def test_flags() -> None:
    assert not any(form(f=text).flag("f") for text in ("", "0", "false", "F"))
    assert all(form(f=text).flag("f") for text in ("1", "true", "T", "True"))
    with pytest.raises(BadParameter, match="neither true nor false"):
        form(f="yes").flag("f")


def test_the_first_value_counts_and_all_can_be_asked() -> None:
    """A body's pairs come before those of the URL."""
    asked = Form([("a", "body"), ("a", "url")])
    assert (asked.text("a"), asked.many("a"), asked.text("b"), asked.many("b")) == (
        "body",
        ["body", "url"],
        "",
        [],
    )


@pytest.mark.parametrize("text", ["{}", '{a=~".*"}', '{a!="b"}', "up[5m]", "sum(up)", "up{", ""])
def test_what_selects_nothing_or_everything_is_refused(text: str) -> None:
    """match[] is one instant selector, with a matcher that the empty string does not meet."""
    with pytest.raises(BadParameter, match=r"match\[\]"):
        Form([("match[]", text)]).selectors()


def test_selectors() -> None:
    """A name, or labels alone, or a pattern of the name."""
    found = Form(
        [("match[]", 'up{a="1"}'), ("match[]", '{b=~"x.+"}'), ("match[]", '{__name__=~"a|b"}')]
    ).selectors()
    assert [(s.name, [m.name for m in s.matchers]) for s in found] == [
        ("up", ["a"]), (None, ["b"]), (None, ["__name__"])
    ]  # fmt: skip


@given(st.text(max_size=30))
def test_no_text_breaks_the_readers(text: str) -> None:
    """A value or a refusal, whatever a client sends."""
    asked = form(x=text)
    for read in (asked.instant, asked.duration, asked.limit, asked.flag):
        try:
            assert math.isfinite(read("x"))
        except BadParameter:
            continue
