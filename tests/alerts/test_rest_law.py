"""Rules that rest while the newest values stay as they are miss nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.daemon.sight import IDLE_MS, Sight
from agent.model import Alert, AlertRule, Place, RecordRule, Rule, RuleHealth, Sample
from agent.promql import compile as compiled
from agent.promql import evaluate
from agent.promql.elementwise import CALENDAR
from agent.promql.functions import FUNCTIONS, Of
from agent.promql.nodes import LOOKBACK_MS
from agent.promql.vectors import STALE
from agent.rulebook import Rulebook
from agent.series import Series, Touched

EXAMPLES = int(os.environ.get("OTTLA_EXAMPLES", "25"))
NAMES = "abc"
EXPRESSIONS = (
    # what rests
    "a > 0",
    "a > 0 and on () b > 0",
    "a > 0 or b > 0",
    "a > 0 unless on () b > 0",
    "1 / a < 0",
    "a / on (n) b > 0.5",
    "sum by (n) (a) > 1",
    "count(a) > 1",
    "topk(1, a) > 0",
    "count_values('v', a) > 0",
    "absent(a)",
    "a > scalar(b)",
    "abs(a) > 0",
    '{__name__=~"a|b"} > 0',
    # what does not
    "timestamp(a) % 2 == 1",
    "a + on () group_left () vector(time() % 2) > 1",
    "minute() % 2 == 1 and on () a",
    "a offset 20s > 0",
    "a offset -20s > 0",
    "a @ 30 > 0",
    "max_over_time(a[30s]) > 0",
    "absent_over_time(a[30s])",
    "increase(a[1m]) > 0",
    "max_over_time((a > 0)[30s:10s]) > 0",
    "recorded > 0",
    "count_over_time(recorded[30s]) > 3",
)
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, float("nan"), STALE])
SERIES = st.tuples(st.sampled_from(NAMES), st.sampled_from("12"))  # a name, and the label n
Values = Mapping[tuple[str, str], float]
Round = tuple[int, Values, frozenset[str]]
Results = dict[str, frozenset[tuple[object, ...]]]  # of each rule
DOWN = st.sampled_from(
    [frozenset[str](), frozenset[str](), *map(frozenset, NAMES)]
)  # sources, called as names
CHANGES = st.dictionaries(SERIES, VALUES, max_size=4)
ROUNDS = st.lists(st.tuples(st.integers(1, 12_000), CHANGES, DOWN), min_size=5, max_size=25)


def rules(*expressions: str, for_ms: int = 0, keep_ms: int = 0) -> tuple[Rule, ...]:
    place = Place("alerts.yml", 1, 1)
    said = (("said", "{{ $value }}"),)
    record = RecordRule("recorded", "sum by (n) (a)", (), "g", place)
    alerts = (AlertRule(f"A{n}", e, for_ms, keep_ms, (), said, "g", place) for n, e in enumerate(expressions))
    return record, *alerts


@dataclass
class Host:
    """Rules that are judged when samples come and when their time does. `rests`: those that may rest do.

    The source of a metric has its name.
    """

    rules: tuple[Rule, ...]
    rests: bool
    limit: int = 100
    window_ms: int = 3_600_000
    down: frozenset[str] = frozenset()
    judged: list[int] = field(default_factory=lambda: [0])

    def __post_init__(self) -> None:
        self.series = Series(self.window_ms, limit=self.limit)
        book = Rulebook(self.rules, {}, (), "")
        self.sight = Sight(book, self.series, lambda: None, 1, giving=lambda name: frozenset({name}))
        self.sight.judge(0, None, frozenset())

    def see(self, at: int, values: Values, down: frozenset[str]) -> None:
        """New samples; but first what time makes due until then, each at its instant."""
        while (due := self.sight.alerts.next_deadline(self.judged[-1] + 1)) is not None and due <= at:
            self._judge(due, Touched())
        touched = self.sight.take([Sample(name, (("n", n),), at, v) for (name, n), v in values.items()])
        touched |= Touched.by_change(self.sight.given_by(down ^ self.down))
        self.down = down
        self._judge(at, touched if self.rests else Touched.by_change(touched.names))

    def look(self, at: int) -> None:
        """Judge everything."""
        self._judge(at, None)

    def _judge(self, at: int, touched: Touched | None) -> None:
        self.judged.append(at)
        self.sight.judge(at, touched, self.down)

    @property
    def health(self) -> list[RuleHealth]:
        return [each.health for each in self.sight.alerts.each()]

    @property
    def active(self) -> list[tuple[object, ...]]:
        """Everything that is, and how long; values to the last bit."""
        return [(*_shown(alert), alert.state, alert.active_at) for alert in self.sight.alerts.active()]

    @property
    def results(self) -> Results:
        """What each rule gives, however long it has."""
        alerts = self.sight.alerts.active()
        return {r.name: frozenset(_shown(a) for a in alerts if a.rule == r.name) for r in self.rules}


def _shown(alert: Alert) -> tuple[object, ...]:
    return alert.rule, alert.labels, repr(alert.value), alert.annotations


def scrapes(rounds: Sequence[Round]) -> Iterator[Round]:
    """At which time which series have which values: what has not changed is told again and again."""
    at, values = 1_000, {("a", "1"): 0.0, ("b", "1"): 0.0}
    for pause, changes, down in rounds:
        at += pause
        values |= changes
        yield at, values, down
        values = {series: value for series, value in values.items() if value is not STALE}


@settings(max_examples=EXAMPLES)
@given(ROUNDS, st.sampled_from([0, 7_000]), st.sampled_from([0, 9_000]), st.sampled_from([4, 100]))
def test_what_rests_comes_to_what_is_judged_always(
    rounds: Sequence[Round], for_ms: int, keep_ms: int, limit: int
) -> None:
    """At each instant: alerts, their values and times, and what can be judged."""
    own = rules(*EXPRESSIONS, for_ms=for_ms, keep_ms=keep_ms)
    window_ms = 90_000  # more than any of them looks back; and then it is forgotten that series were dropped
    always, resting = Host(own, False, limit, window_ms), Host(own, True, limit, window_ms)
    for at, values, down in scrapes(rounds):
        always.see(at, values, down)
        resting.see(at, values, down)
        assert resting.active == always.active
        assert resting.health == always.health


STEADY = (
    "increase(a[5m]) > 0",
    "rate(a[6m]) == 0",
    "sum(irate(a[5m])) == 0 or b > 1",
    "delta(a[5m]) < 0 or -idelta(b[5m]) > 0",
    "changes(a[5m]) > 0 and on (n) b == 0",
    "abs(resets(a[10m])) == 0",
    "max_over_time(a[5m]) > 1 unless on () min_over_time(b[5m]) < 1",
    "last_over_time(a[5m]) > 0",
    "first_over_time(b[5m]) > 0 or present_over_time(a[5m]) > 0",
    # what does not rest
    "increase(a[2m]) == 0",
    "max_over_time(a[5m] offset 1m) > 0",
    "max_over_time(a[5m] @ 300) > 0",
    "max_over_time(a[5m:1m]) > 0",
    "count_over_time(a[5m]) > 0",
    "sum_over_time(a[5m]) > 0",
    "avg_over_time(a[5m]) > 0.5",
    "increase(recorded[5m]) > 0",
    'increase({__name__=~"a|b"}[5m]) > 0',
    "time() - ts_of_last_over_time(a[5m]) > 20",
)
NONE = st.just(dict[tuple[str, str], float]())
RARE = st.one_of(NONE, NONE, NONE, CHANGES)
GAPS = st.sampled_from([5_000, 30_000, 75_000, 75_000, 75_001, 150_000])


@settings(max_examples=EXAMPLES // 3)
@given(st.lists(st.tuples(GAPS, RARE), min_size=8, max_size=16), st.sampled_from([0, 9_000]))
def test_what_looks_back_rests_where_nothing_has_changed_for_as_long(
    rounds: Sequence[tuple[int, Values]], for_ms: int
) -> None:
    """Whatever a window holds beside: new series, those that ended, samples far apart, a restart's."""
    own = rules(*STEADY, for_ms=for_ms)
    always, resting = Host(own, False), Host(own, True)
    for at, values, down in scrapes([(gap, changes, frozenset()) for gap, changes in rounds]):
        always.see(at, values, down)
        resting.see(at, values, down)
        assert resting.active == always.active
        assert resting.health == always.health


def test_what_looks_back_is_judged_less_often_after_its_window() -> None:
    hosts = [Host(rules("increase(a[5m]) > 0"), rests) for rests in (False, True)]
    for at in range(5_000, 905_000, 5_000):
        for host in hosts:
            host.see(at, {("a", "1"): float(at >= 150_000)}, frozenset())
    always, resting = (host.sight.alerts.judged[RuleHealth.OK] for host in hosts)
    assert always - resting == 60  # of 90 from 455 s on: each third comes by time alone


def test_one_change_is_seen_for_as_long_as_it_is_in_sight() -> None:
    """By a burst that ended, with readings now and then a little late."""
    hosts = [Host(rules(*STEADY), rests) for rests in (False, True)]
    for number, at in enumerate(range(5_000, 705_000, 5_000)):
        values = {("a", "1"): float(at < 150_000), ("b", "1"): 2.0}
        for host in hosts:
            host.see(at + 2_000 * (number % 3 == 1), values, frozenset())
        assert hosts[1].active == hosts[0].active


PAUSES = st.sampled_from([1_000, 5_000, 11_000, LOOKBACK_MS - 5_000, LOOKBACK_MS, LOOKBACK_MS + 30_000])


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(PAUSES, CHANGES), min_size=2, max_size=4))
def test_what_falls_silent_is_missed_in_time(rounds: Sequence[tuple[int, Values]]) -> None:
    """A series that comes no more, and is not said to have ended, is too old some time later."""
    own = rules("a > 0", "absent(a)", "a > 0 unless on () b > 0", "count(a) > 1", '{__name__=~"a|b"} > 0')
    always, resting = Host(own, False), Host(own, True)
    former: list[tuple[int, Results]] = []
    at = 0
    for pause, changes in rounds:
        until = at + pause
        while at < until:
            at = max(at + 5_000, until - 40_000) if until - at > 5_000 else until
            values = changes if at == until else {("c", "1"): 1.0, ("b", "2"): 1.0}
            known = len(resting.judged)
            resting.see(at, values, frozenset())
            for instant in resting.judged[known:-1]:
                always.look(instant)
                former.append((instant, always.results))
            always.see(at, values, frozenset())
            former = [(t, found) for t, found in (*former, (at, always.results)) if at - t <= IDLE_MS]
            for name, found in resting.results.items():
                assert found in [results[name] for _, results in former], name


def test_what_returns_as_it_was_is_seen_at_once() -> None:
    host = Host(rules("a > 0"), True)
    states = []
    for at, is_there in (
        (1_000, True),
        (LOOKBACK_MS - 30_000, False),
        (LOOKBACK_MS + 30_000, False),
        (LOOKBACK_MS + 31_000, True),
    ):
        other = {("a", "2"): 0.0}
        host.see(at, other | ({("a", "1"): 1.0} if is_there else {}), frozenset())
        states.append(len(host.active))
    assert states == [1, 1, 0, 1]


def test_what_cannot_be_judged_does_not_rest() -> None:
    """It may become well by time alone: here when no series was dropped for as long as samples are kept."""
    hosts = [Host(rules("a > 0"), rests, limit=2, window_ms=20_000) for rests in (False, True)]
    seen = []
    for at in range(1_000, 41_000, 3_000):
        values = {("a", "1"): 1.0} | ({("a", "2"): 1.0} if at == 4_000 else {})
        for host in hosts:
            host.see(at, values, frozenset())
        assert hosts[1].health == hosts[0].health
        seen.append(hosts[1].health[1])
    assert seen[1] is RuleHealth.FAILING
    assert seen[-1] is RuleHealth.OK


def test_what_gives_way_to_a_recorded_series_is_noticed() -> None:
    """Its readers were judged in the same turn, on what stood there before."""
    hosts = [Host(rules("a > 0"), rests, limit=4) for rests in (False, True)]
    values = {("a", "1"): 1.0, ("a", "2"): STALE, ("b", "1"): 0.0, ("c", "1"): 0.0}
    for host in hosts:
        host.see(1_000, values, frozenset())
        assert host.series.dropped["a"] == 1
        host.see(2_000, {("a", "1"): 1.0, ("b", "1"): 0.0, ("c", "1"): 0.0}, frozenset())
        assert host.health[1] is RuleHealth.FAILING


def test_what_rests_is_judged_less_often() -> None:
    """And that it rests at all: else the laws say nothing."""
    own = rules("a > 0", "increase(a[1m]) > 0")
    hosts = Host(own, False), Host(own, True)
    for at in range(5_000, 605_000, 5_000):
        for host in hosts:
            host.see(at, {("a", "1"): 1.0}, frozenset())
    always, resting = (host.sight.alerts.judged[RuleHealth.OK] for host in hosts)
    assert always - resting == 80  # of 120: each third comes by time alone


def test_to_rest_is_to_be_seen() -> None:
    """What a successor is told: it does not count the rest as a time in which nobody looked."""
    host = Host(rules("a > 0"), True)
    for at in (1_000, 6_000, 11_000):
        host.see(at, {("a", "1"): 1.0}, frozenset())
    assert host.sight.alerts.judged[RuleHealth.OK] == 3 + 1  # the rule that records, and the alert once
    assert [each.seen_at for each in host.sight.alerts.keep() if each.alerts] == [11_000]


CALLS = {
    **{name: f"{name}()" for name in ("time", "pi", "start", "end", *CALENDAR)},
    "vector": "vector(scalar(a))",
    "absent_over_time": "absent_over_time(a[1m])",
    "clamp": "clamp(a, 0, 1)",
    "clamp_min": "clamp_min(a, 0)",
    "clamp_max": "clamp_max(a, 0)",
    "sort_by_label": "sort_by_label(a, 'le')",
    "sort_by_label_desc": "sort_by_label_desc(a, 'le')",
    "label_replace": "label_replace(a, 'x', '$1', 'le', '(.*)')",
    "label_join": "label_join(a, 'x', '', 'le')",
    "histogram_quantile": "histogram_quantile(0.5, a)",
    "histogram_fraction": "histogram_fraction(0, 1, a)",
}


def test_no_function_of_time_rests() -> None:
    """Of all that there are, those that do come to the same at any other instant."""
    written = {
        name: compiled(CALLS.get(name, f"{name}(a)")) for name, f in FUNCTIONS.items() if isinstance(f, Of)
    }
    timeless = {name for name, each in written.items() if not each.steady_ms}
    assert {"abs", "absent", "sort", "histogram_quantile"} <= timeless
    found = []
    for taken, seen in ((1_000_000, 1_000_001), (1_100_000, 1_233_002)):
        store = Series(3_600_000)
        store.add(Sample("a", (("le", le),), taken, float(le)) for le in ("1", "+Inf"))
        found.append({name: repr(evaluate(written[name], store, seen)) for name in timeless})
    assert found[0] == found[1]
