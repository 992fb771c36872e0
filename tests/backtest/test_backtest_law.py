"""The law of backtests: what they say is what the live machine does, fed the same samples tick by tick."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.alerts import Alerts
from agent.backtest.grid import Grid
from agent.backtest.history import Past
from agent.backtest.run import backtest
from agent.model import Alert, AlertRule, Labels, Place, RecordRule, Rule, RuleHealth, Sample
from agent.promql.vectors import STALE
from agent.recording.limits import Allowance, silent
from agent.recording.recorded import Recorded, track
from agent.rulebook import Rulebook
from agent.series import Series

STEP = 15_000
START = 1_780_000_000_000 // STEP * STEP
EXPRESSIONS = (
    "a > 1",
    "a",
    "rate(a[1m]) > 0",
    "max_over_time(b[45s]) >= 2",
    "absent(b)",
    "a > 1 or b > 2",
    "a / on () group_left b > 0",  # errs where b has two series
    "sum by (x) (a) > 1 unless on () (b > 2)",
    'label_replace(a, "x", "same", "", "")',  # two results may become one alert
    "a offset 1m > 1",
    "a @ start() > 1",
    "sum(increase(a[30s])) > 1 and on () (vector(time()) % 60 < 30)",
    "count_over_time((a > 1)[1m:15s]) > 2",
    "vector(1) > 0",
    "r:sum > 2",
    "count_over_time(r:sum[1m]) >= 3",
    "r:same > 1",
)
RECORDS = {"r:sum": "sum by (x) (a) > 1", "r:same": 'label_replace(a, "x", "same", "", "")'}
TEMPLATED = {"a > 1": (("severity", "{{ if gt $value 2.0 }}page{{ else }}warn{{ end }}"),)}
LABELS: tuple[Labels, ...] = ((), (("x", "1"),), (("x", "2"), ("y", "1")))
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan])
# one series: at each tick nothing, a value, or its end
TICKS = st.lists(st.one_of(st.none(), VALUES, VALUES, VALUES, st.just("end")), min_size=1, max_size=40)
SERIES = st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from(LABELS)), TICKS, max_size=4)
Ticks = list[float | str | None]


def rules(durations: list[tuple[int, int, int, int]]) -> tuple[Rule, ...]:
    """Every expression, each with a wait, a keep and an offset (in steps) and a limit of its own."""
    place = Place("alerts.yml", 1, 1)
    records = [RecordRule(name, expr, (("made", "yes"),), "g", place) for name, expr in RECORDS.items()]
    return (
        *records,
        *(
            AlertRule(
                f"R{n}",
                expr,
                wait * STEP,
                keep * STEP,
                TEMPLATED.get(expr, ()),
                (),
                "g",
                place,
                limit,
                back * STEP,
            )
            for n, (expr, (wait, keep, back, limit)) in enumerate(zip(EXPRESSIONS, durations, strict=True))
        ),
    )


@settings(max_examples=60)
@given(
    SERIES,
    st.lists(
        st.tuples(
            st.integers(0, 4), st.integers(0, 4), st.sampled_from([0, 0, 0, 1, 3]), st.sampled_from([0, 0, 1])
        ),
        min_size=len(EXPRESSIONS),
        max_size=len(EXPRESSIONS),
    ),
)
def test_a_backtest_says_what_the_live_machine_does(
    series: Mapping[tuple[str, Labels], Ticks], durations: list[tuple[int, int, int, int]]
) -> None:
    """At each tick: the same alerts in the same states since the same times, and the same health."""
    book = Rulebook(rules(durations), {}, (), "")
    grid = Grid(START, START + 45 * STEP, STEP)
    found = backtest(book, {}, Past(recorded(series), grid, ()), Allowance(), silent)
    live, store = Alerts(book.rules), Series(window_ms=3_600_000)
    for step, now in enumerate(grid.times.tolist()):
        feed(store, series, step, now)
        live.evaluate(store, now, since=store.first_at, record=store.add)
        for each in found.rules:
            name = each.rule.name
            assert each.health[step][0] is live.health(name), (name, each.rule.expr, step)
            mine = plain(each.at(step))
            assert mine == plain({a.labels: a for a in live.active() if a.rule == name}), (
                each.rule.expr,
                step,
            )


def feed(store: Series, series: Mapping[tuple[str, Labels], Ticks], step: int, now: int) -> None:
    """What comes at this tick."""
    for (name, labels), ticks in series.items():
        what = ticks[step] if step < len(ticks) else None
        if what == "end" and ended(ticks, step):
            store.add([Sample(name, labels, now, STALE)])
        elif isinstance(what, float):
            store.add([Sample(name, labels, now, what)])


def recorded(series: Mapping[tuple[str, Labels], Ticks]) -> Recorded:
    """The same as history."""
    history = Recorded()
    for (name, labels), ticks in series.items():
        there = [(START + n * STEP, what) for n, what in enumerate(ticks) if isinstance(what, float)]
        ends = [START + n * STEP for n, what in enumerate(ticks) if what == "end" and ended(ticks, n)]
        if there:
            times, values = np.array([at for at, _ in there], np.int64), np.array([v for _, v in there])
            history.put(name, labels, track(times, values, np.array(ends, np.int64)))
    return history


def ended(ticks: Ticks, at: int) -> bool:
    """Whether there is a series to end."""
    before = [what for what in ticks[:at] if what is not None]
    return bool(before) and before[-1] != "end"


def plain(active: Mapping[Labels, Alert]) -> dict[Labels, tuple[str, int, str, int | None]]:
    """What counts of alerts; NaN equals itself."""
    return {
        labels: (str(a.state), a.active_at, repr(a.value), a.keep_firing_since)
        for labels, a in active.items()
    }


def test_the_law_sees_all_states() -> None:
    """Every expression above fires somewhere, and every health is met: the law is about something."""
    seen: set[RuleHealth] = set()
    fired: set[str] = set()
    ticks: Ticks = [0.0, 3.0, 0.0, 2.0, 3.0] * 6 + ["end"] + [None] * 14
    pairs: list[dict[tuple[str, Labels], Ticks]] = [
        {("a", ()): ticks},
        {("a", ()): ticks, ("b", ()): ticks},
        {("a", LABELS[1]): ticks, ("a", LABELS[2]): ticks, ("b", LABELS[1]): ticks, ("b", LABELS[2]): ticks},
    ]
    for series in pairs:
        book = Rulebook(rules([(0, 0, 0, 1 if n == 0 else 0) for n in range(len(EXPRESSIONS))]), {}, (), "")
        grid = Grid(START, START + 80 * STEP, STEP)
        found = backtest(book, {}, Past(recorded(series), grid, ()), Allowance(), silent)
        for each in found.rules:
            seen |= {health for health, _ in each.health}
            fired |= {each.rule.expr for life in each.lives if life.fired_at is not None}
    assert seen == set(RuleHealth)
    assert set(EXPRESSIONS) - fired == set()
