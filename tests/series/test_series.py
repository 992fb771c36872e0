"""The window store: what it keeps, finds, forgets, refuses and counts."""

from __future__ import annotations

import math
import time
from collections import defaultdict

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from agent.alerts.judgement import Ground
from agent.model import Labels, RuleHealth, Sample, labels_of
from agent.promql import compile, evaluate  # noqa: A004  as in Prometheus
from agent.promql.nodes import Matcher
from agent.promql.vectors import STALE
from agent.promql.windows import without_stale
from agent.series import Series, Touched

A, B = (("a", "1"),), (("a", "2"),)
IS_A = (Matcher("a", "=", "1"),)


def latest(series: Series, name: str = "x", at: int = 10**6) -> dict[Labels, float]:
    newest = series.latest(name, (), at - 10**7, at)
    rows = zip(newest.rows.labels, newest.values.tolist(), newest.found.tolist(), strict=True)
    return {labels: value for labels, value, found in rows if found}


def named(labels: Labels) -> Labels:
    return (("__name__", "x"), *labels)


def test_only_wanted_names_are_kept_and_told() -> None:
    series = Series(window_ms=1000, wanted={"x": 1000})
    assert series.add([Sample("x", A, 1, 1.0), Sample("y", A, 1, 1.0)]).names == {"x"}
    assert series.count == 1
    assert series.first_at == 1


def test_samples_that_are_not_newer_are_refused_and_counted() -> None:
    series = Series(window_ms=1000)
    samples = [Sample("x", A, 5, 1.0), Sample("x", A, 5, 2.0), Sample("x", A, 4, 3.0)]
    assert series.add(samples).names == {"x"}
    assert series.refused == 2
    assert series.add([Sample("x", A, 5, 9.0)]) == Touched()
    assert latest(series) == {named(A): 1.0}


def test_series_beyond_the_limit_are_dropped_and_counted() -> None:
    series = Series(window_ms=1000, limit=1)
    series.add([Sample("x", A, 1, 1.0), Sample("x", B, 1, 1.0), Sample("x", A, 2, 2.0)])
    assert (series.count, series.dropped) == (1, {"x": 1})
    assert latest(series) == {named(A): 2.0}


def test_series_that_ended_make_room_for_new_ones() -> None:
    series = Series(window_ms=1000, limit=2)
    series.add([Sample("x", A, 1, 1.0), Sample("x", B, 1, 1.0)])
    series.add([Sample("x", A, 2000, 1.0)])
    series.add([Sample("y", A, 2000, 1.0)])
    assert not series.dropped
    assert latest(series) == {named(A): 1.0}
    assert latest(series, "y") == {(("__name__", "y"), *A): 1.0}


def test_a_new_series_is_found_by_selections_made_before() -> None:
    series = Series(window_ms=1000)
    series.add([Sample("x", B, 1, 1.0)])
    assert not series.has("x", IS_A, 0, 10)
    series.add([Sample("x", A, 1, 1.0)])
    assert series.has("x", IS_A, 0, 10)


READINGS = st.lists(st.tuples(st.integers(1, 300), st.sets(st.sampled_from([A, B]))), min_size=1, max_size=8)


@given(READINGS, st.integers(-50, 900), st.integers(0, 600), st.sampled_from([(), IS_A]))
def test_what_is_there_is_what_can_be_listed(
    readings: list[tuple[int, set[Labels]]], start: int, length: int, matchers: tuple[Matcher, ...]
) -> None:
    """Also of the past, of the future, and after series were forgotten or put back."""
    series, at = Series(window_ms=200), 0
    for pause, labels in readings:
        at += pause
        series.add(Sample("x", each, at, 1.0) for each in sorted(labels))
    other = Series(window_ms=200)
    other.resume(series.held(), at)
    for piece in series.pieces("x"):
        other.put_back("x", *piece)
    for each in (series, other):
        listed = each.labels_of("x", matchers, start, start + length)
        assert each.has("x", matchers, start, start + length) == bool(listed)


def test_a_stale_marker_hides_the_series_from_then_on_but_proves_it_was_there() -> None:
    series = Series(window_ms=1000)
    series.add([Sample("x", A, 1, 1.0), Sample("x", B, 1, 1.0)])
    series.add([Sample("x", A, 5, STALE)])
    assert latest(series, at=4) == {named(A): 1.0, named(B): 1.0}
    assert latest(series, at=5) == {named(B): 1.0}
    assert series.has("x", IS_A, 4, 5)
    series.add([Sample("x", A, 7, 2.0)])
    assert latest(series) == {named(A): 2.0, named(B): 1.0}


def test_a_nan_is_a_value_and_no_stale_marker() -> None:
    series = Series(window_ms=1000)
    series.add([Sample("x", A, 1, math.nan)])
    assert math.isnan(latest(series)[named(A)])


def test_series_are_chosen_by_patterns_of_their_name_too() -> None:
    series = Series(window_ms=1000)
    series.add([Sample("x", A, 1, 1.0), Sample("xy", B, 2, 2.0), Sample("y", A, 1, 3.0)])
    of_x = (Matcher("__name__", "=~", "x.*", re2.compile("x.*")),)
    assert set(series.labels_of(None, of_x, 0, 10)) == {named(A), (("__name__", "xy"), *B)}
    assert series.labels_of(None, (*of_x, *IS_A), 0, 10) == (named(A),)
    assert series.latest(None, of_x, 0, 10).values.tolist() == [1.0, 2.0]
    assert series.select(None, of_x, 0, 10).counts.tolist() == [1, 1]
    assert series.labels_of(None, of_x, 5, 10) == ()


def test_a_series_with_too_many_samples_loses_its_oldest_and_they_are_counted() -> None:
    series = Series(window_ms=10**6, longest=4096)
    series.add(Sample("x", A, at, float(at)) for at in range(1, 6001))
    times = series.select("x", (), 0, 10**6).times[0]
    assert series.shortened == 6000 - len(times) > 0
    assert times[-1] == 6000
    assert list(times) == list(range(int(times[0]), 6001))


def test_what_was_shortened_is_counted_on_when_its_metric_is_gone() -> None:
    """It told of fewer from then on, as a counter of a process that restarted."""
    series = Series(60_000, longest=64)
    for at in range(100_000, 101_000):
        series.see(at)
        series.add([Sample("burst", (), at, 1.0)])
    before = series.shortened
    series.see(200_000)
    series.add([Sample("calm", (), 200_000, 1.0)])
    assert (series.names, series.shortened) == (("calm",), before)
    assert before > 0
    series.see(150_000)
    assert (series.set_back, series.shortened) == (1, before)


steps = st.tuples(st.integers(0, 2), st.integers(1, 400), st.booleans())  # series, time that passes, stale?


@given(st.lists(steps, max_size=120), st.integers(0, 4000), st.integers(0, 4000))
def test_a_window_holds_just_the_samples_of_its_time(
    history: list[tuple[int, int, bool]], a: int, b: int
) -> None:
    """Against a plain list, for any window within the store's."""
    series, plain, now = Series(window_ms=4000), defaultdict(list), 0
    for number, passed, stale in history:
        now += passed
        labels = (("n", str(number)),)
        if stale:
            series.add([Sample("x", labels, now, STALE)])
        else:
            series.add([Sample("x", labels, now, float(now))])
            plain[named(labels)].append((now, float(now)))
    start, end = sorted((now - a, now - b))
    found = without_stale(series.select("x", (), start, end))
    cells = zip(
        found.rows.labels, found.times.tolist(), found.values.tolist(), found.counts.tolist(), strict=True
    )
    seen = {labels: list(zip(t, v, strict=True))[:count] for labels, t, v, count in cells if count}
    wanted = {labels: [s for s in kept if start < s[0] <= end] for labels, kept in plain.items()}
    assert seen == {labels: kept for labels, kept in wanted.items() if kept}


MINUTE = 60_000


def test_after_the_clock_was_set_back_nothing_old_is_told_as_new() -> None:
    """A step by more than the uptime, too: all is forgotten, and what is covered begins anew."""
    series = Series(window_ms=60 * MINUTE)
    for at in range(100 * MINUTE, 120 * MINUTE, 15_000):
        assert not series.see(at)
        series.add([Sample("x", A, at, 1.0), Sample("y", A, at, 1.0)])
    now = 105 * MINUTE
    assert series.see(now)
    assert (series.set_back, series.count, series.first_at) == (1, 0, None)
    assert evaluate(compile("x"), series, now) == ()
    series.add([Sample("x", A, now, 2.0)])
    assert [point.value for point in evaluate(compile("x"), series, now)] == [2.0]
    assert (series.first_at, series.refused) == (now, 0)
    assert not series.see(now + 15_000)


def test_a_clock_that_is_slewed_changes_nothing() -> None:
    """Nor one that is stepped by a few seconds, as NTP does at the start."""
    series = Series(window_ms=60 * MINUTE)
    series.see(100 * MINUTE)
    series.add([Sample("x", A, 90 * MINUTE, 1.0), Sample("x", A, 100 * MINUTE, 1.0)])
    assert not series.see(100 * MINUTE - 4_000)
    assert (series.first_at, series.set_back, series.count) == (100 * MINUTE, 0, 1)


def test_what_is_covered_begins_when_the_first_sample_comes_whatever_time_it_has() -> None:
    """A rule that looks back must not take the time before for one in which nothing was."""
    series, now = Series(window_ms=120 * MINUTE), 1000 * MINUTE
    absent = compile("absent_over_time(y[30m])")
    for at in (now, now + 29 * MINUTE, now + 30 * MINUTE):
        series.see(at)
        series.add([Sample("x", A, at - 60 * MINUTE, 1.0)])
        expected = RuleHealth.OK if at == now + 30 * MINUTE else RuleHealth.COLD
        assert Ground(series, series.first_at).obstacle(absent, at)[0] is expected, at
    assert (series.first_at, series.old) == (now, 0)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("clock", [False, True])
def test_samples_from_before_all_that_is_kept_are_refused_and_counted(known: bool, clock: bool) -> None:
    """An exporter that stamps them in seconds, or an hour late; and as long as its metric is kept it may."""
    now = 1_700_000_000_000
    series = Series(120 * MINUTE, {"x": 30 * MINUTE, "y": 30 * MINUTE})
    if clock:
        series.see(now)
    if known or not clock:
        series.add([Sample("x" if known else "y", A, now, 1.0)])
    count, first_at = series.count, series.first_at
    assert series.add(Sample("x", B, at, 1.0) for at in (now // 1000, now - 30 * MINUTE)) == Touched()
    assert (series.count, series.first_at, series.old, series.refused) == (count, first_at, 2, 0)
    assert series.add([Sample("x", B, now - 30 * MINUTE + 1, 1.0)]).names == {"x"}
    assert (series.first_at, series.old) == (now, 2)


def test_a_sample_whose_reading_began_before_the_clock_was_set_back_keeps_no_later_one_out() -> None:
    series = Series(window_ms=60 * MINUTE)
    series.see(120 * MINUTE)
    series.add([Sample("x", A, 120 * MINUTE, 1.0)])
    series.see(105 * MINUTE)
    series.add([Sample("x", A, 120 * MINUTE, 1.0)])
    series.see(105 * MINUTE + 15_000)
    assert series.add([Sample("x", A, 105 * MINUTE + 15_000, 2.0)]) == Touched.by_change(frozenset({"x"}))
    assert [p.value for p in evaluate(compile("x"), series, 105 * MINUTE + 15_000)] == [2.0]


@pytest.mark.parametrize("others", [0, 1])
def test_a_window_has_nothing_of_what_was_taken_back(others: int) -> None:
    """It was from ten minutes ahead of the clock, and the metric seemed to have samples there for as long."""
    series = Series(window_ms=60 * MINUTE)
    now = 1_000 * MINUTE
    series.see(now)
    series.add([Sample("x", A, now + 10 * MINUTE, 1.0)])
    series.add(Sample("x", labels_of({"n": f"{n}"}), now, 1.0) for n in range(others))
    series.see(now + 1_000)
    series.add([Sample("x", A, now + 1_000, 1.0)])
    assert series.cut() == {"x"}
    series.see(now + 11 * MINUTE)
    assert not series.has("x", (), now + 5 * MINUTE, now + 11 * MINUTE)
    assert series.has("x", (), now, now + 11 * MINUTE)


def test_an_exporter_that_is_ahead_costs_no_other_series_its_history() -> None:
    """Prometheus takes samples up to ten minutes ahead: age is counted from now, and not from them."""
    series = Series(window_ms=60 * MINUTE, wanted={"x": 5 * MINUTE, "ahead": 5 * MINUTE})
    for step in range(100):
        now = 1000 * MINUTE + step * 15_000
        assert not series.see(now)
        series.add([Sample("x", A, now, 15.0 * step), Sample("ahead", A, now + 9 * MINUTE, 15.0 * step)])
    for name in ("x", "ahead"):
        (point,) = evaluate(compile(f"increase({name}[5m])"), series, now)
        assert point.value == pytest.approx(300, rel=0.01), name


def test_comparing_a_thousand_series_takes_well_under_a_millisecond() -> None:
    """CPU time of the best of many, so that a busy machine does not matter."""
    series = Series(window_ms=600_000)
    for step in range(20):
        series.add(Sample("x", (("n", str(n)),), step * 15_000, float(n)) for n in range(1000))
    expression = compile('x{n!=""} > 990')
    best = math.inf
    for _ in range(50):
        began = time.thread_time()
        assert len(evaluate(expression, series, 300_000)) == 9
        best = min(best, time.thread_time() - began)
    assert best == pytest.approx(0, abs=0.0005)
