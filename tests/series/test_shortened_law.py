"""What is judged on a series that lost samples before their time: nothing that needs these."""

from __future__ import annotations

import io
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.alerts.judgement import Ground
from agent.daemon.sight import Sight
from agent.model import AlertState, RuleHealth, Sample, labels_of
from agent.promql import compile  # noqa: A004  as in Prometheus
from agent.rulebook import load
from agent.series import Series
from agent.series.snapshot import restore, written

SECOND, MINUTE = 1_000, 60_000
NOW = 1_700_000_000_000
WINDOW = 120 * MINUTE
FAILING, OK = RuleHealth.FAILING, RuleHealth.OK


def restarted(series: Series, now: int = NOW, limit: int = 20_000, longest: int = 4096) -> Series:
    again = Series(series.window_ms, limit=limit, longest=longest)
    restore(again, io.BytesIO(b"".join(written(series, set()))), now)
    return again


def health(series: Series, expr: str, at: int = NOW) -> RuleHealth:
    ground = Ground(
        series,
        series.first_at,
        later=series.later,
        incomplete=series.incomplete,
        shortened=series.shortened_until,
    )
    return ground.obstacle(compile(expr), at)[0]


def shortened() -> Series:
    """Two hours of `slow`; of `busy`, a sample a second in one of its series, somewhat more than one."""
    series = Series(WINDOW, longest=4096)
    for at in range(NOW - WINDOW + SECOND, NOW + 1, SECOND):
        series.add([Sample("busy", labels_of({"n": "0"}), at, float(at))])
        if at % MINUTE == 0:
            series.add([Sample("slow", (), at, 0), Sample("busy", labels_of({"n": "1"}), at, 0)])
    series.cover.first_at = NOW - WINDOW
    assert series.shortened > 0
    return series


SHORT = shortened()
AGAIN = restarted(SHORT)


@pytest.mark.parametrize("series", [SHORT, AGAIN], ids=["live", "restarted"])
@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("busy > 1", OK),
        ("increase(busy[45m]) > 0", OK),
        ("increase(busy[90m]) > 0", FAILING),
        ("absent_over_time(busy[90m])", FAILING),
        ("max_over_time(rate(busy[5m])[90m:1m]) > 0", FAILING),
        ("busy offset 90m > 1", FAILING),
        ("last_over_time(busy[90m]) > 0", OK),
        ("increase(slow[90m]) >= 0", OK),
        ("increase(slow[90m]) >= 0 and on() busy > 1", OK),
        ("increase(slow[45m]) >= 0 and on() increase(busy[90m]) > 0", FAILING),
        ('count_over_time({n="0"}[90m]) > 0', FAILING),
        ('count_over_time({n="0"}[45m]) > 0', OK),
    ],
)
def test_only_a_rule_that_needs_what_is_gone_fails(series: Series, expr: str, expected: RuleHealth) -> None:
    assert health(series, expr) is expected


def test_a_daemon_s_rule_fails_and_says_why_until_they_would_be_too_old(tmp_path: Path) -> None:
    """It would fire: of the lines of an hour and a half only the last are there."""
    (tmp_path / "alerts.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'count_over_time(busy{n=\"0\"}[90m]) < 5000'}]}]"
    )
    sight = Sight(load([tmp_path], {}), restarted(SHORT), lambda: None, 1)
    sight.judge(NOW, None, frozenset())
    assert sight.alerts.health("A") is FAILING
    assert sight.alerts.why("A") == (
        "not all samples of busy that it needs are kept: ottla_series_shortened_samples_total"
    )
    until = sight.series.shortened_until["busy"] + 90 * MINUTE
    for at in range(NOW + MINUTE, until + MINUTE, MINUTE):
        sight.series.add([Sample("busy", labels_of({"n": "0"}), at, 0.0)])
    sight.judge(until - 1, None, frozenset())
    assert sight.alerts.health("A") is FAILING
    sight.judge(until, None, frozenset())
    assert [alert.state for alert in sight.alerts.active()] == [AlertState.FIRING]


steps = st.tuples(st.integers(0, 2), st.integers(1, 60))  # which series, ms that pass


@given(
    history=st.lists(steps, min_size=60, max_size=150),
    which=st.integers(0, 149),
    restart=st.booleans(),
    longest=st.sampled_from([16, 24]),
)
def test_a_rule_is_judged_just_where_its_window_is_whole(
    history: list[tuple[int, int]], which: int, restart: bool, longest: int
) -> None:
    """Against a plain list of all samples, where a window begins at one of them or beside it."""
    series, plain, now = Series(4000, longest=longest), defaultdict[str, list[int]](list), NOW
    for number, passed in history:
        now += passed
        series.add([Sample("x", labels_of({"n": f"{number}"}), now, 1.0)])
        plain[f"{number}"].append(now)
    series.cover.first_at = NOW - 4000
    if restart:
        series = restarted(series, now, longest=longest)
    every = sorted(at for times in plain.values() for at in times)
    edges = [every[which % len(every)], *series.shortened_until.values()]
    for window in (now - at + beside for at in edges for beside in (-1, 0, 1)):
        if window > 0:
            kept = int(series.select("x", (), now - window, now).counts.sum())
            whole = kept == sum(at > now - window for at in every)
            assert (health(series, f"count_over_time(x[{window}ms])", now) is OK) is whole


def test_two_hours_of_a_sample_a_second_are_whole() -> None:
    """What shipped rules may look back, and each reading as early as its jitter has it."""
    series = Series(WINDOW)
    for at in range(NOW, NOW + 3 * WINDOW, 950):
        series.add([Sample("x", (), at, float(at))])
    assert series.shortened == 0


def test_that_other_series_of_its_metric_end_makes_none_whole() -> None:
    series = Series(4000, longest=16)
    series.add([Sample("x", labels_of({"n": "ends"}), NOW, 1.0)])
    series.add(Sample("x", labels_of({"n": "0"}), at, 1.0) for at in range(NOW, NOW + 8000, 100))
    series.cover.first_at = NOW
    assert series.count == 1
    assert health(series, "count_over_time(x[3s])", NOW + 7900) is FAILING


def test_what_a_smaller_store_has_no_room_for_after_a_restart_is_lacking() -> None:
    """A release may allow fewer series than the one before it."""
    former = Series(WINDOW)
    former.add(Sample(name, labels_of({"n": f"{n}"}), NOW, 1.0) for name in "ab" for n in range(3))
    again = restarted(former, NOW + MINUTE, limit=4)
    assert again.count == 4
    assert again.incomplete == {"b"}
    assert again.dropped == {"b": 2}
    assert health(again, "count(b) < 2", NOW + MINUTE) is FAILING
    assert health(again, "count(a) < 2", NOW + MINUTE) is OK
