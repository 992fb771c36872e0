"""The life of an alert, and the three states in which a rule neither acts nor clears."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agent.alerts import Alerts, Kept, lost
from agent.model import Alert, AlertRule, AlertState, Labels, Place, RuleHealth, Sample
from agent.promql.vectors import STALE
from agent.quantities import show_duration
from agent.series import Series, Touched

SECOND, MINUTE = 1000, 60_000
PENDING, FIRING = AlertState.PENDING, AlertState.FIRING


def rule(expr: str, for_ms: int = 0, keep: int = 0, name: str = "Full", labels: Labels = ()) -> AlertRule:
    return AlertRule(name, expr, for_ms, keep, labels, (), "disk", Place("alerts.yml", 1, 1))


def kept(of: AlertRule, *alerts: Alert, seen_at: int = 0) -> Kept:
    """What a former life knew of a rule."""
    return Kept(of.name, of.labels, of.expr, seen_at, alerts)


class Host:
    """Rules over a store that both begin at 0."""

    def __init__(self, *rules: AlertRule) -> None:
        self.alerts = Alerts(rules)
        self.series = Series(window_ms=3_600_000)

    def see(self, at: int, value: float, labels: Labels = (("path", "/d1"),), name: str = "used") -> None:
        """One sample comes, and wakes the rules that read it."""
        self.judge(at, self.series.add([Sample(name, labels, at, value)]))

    def judge(self, at: int, touched: Touched | None = None, down: frozenset[str] = frozenset()) -> None:
        self.alerts.evaluate(self.series, at, touched, since=self.series.first_at, down=down)

    @property
    def states(self) -> list[AlertState]:
        return [alert.state for alert in self.alerts.active()]

    @property
    def health(self) -> RuleHealth:
        return self.alerts.health("Full")


def test_without_for_it_fires_at_once() -> None:
    host = Host(rule("used > 0.8", labels=(("severity", "page"),)))
    host.see(0, 0.9)
    labels = (("alertname", "Full"), ("path", "/d1"), ("severity", "page"))
    assert host.alerts.active() == (Alert("Full", labels, FIRING, 0, 0.9),)


def test_for_is_waited_out_and_a_gap_begins_it_anew() -> None:
    host = Host(rule("used > 0.8", for_ms=MINUTE))
    host.see(0, 0.9)
    host.see(30 * SECOND, 0.95)
    assert [(a.state, a.active_at, a.value) for a in host.alerts.active()] == [(PENDING, 0, 0.95)]
    host.see(45 * SECOND, 0.5)
    assert host.states == []
    host.see(50 * SECOND, 0.9)
    host.see(109 * SECOND, 0.9)
    assert host.states == [PENDING]
    host.see(110 * SECOND, 0.9)
    assert host.states == [FIRING]
    host.see(120 * SECOND, 0.5)
    assert host.states == []


def test_keep_firing_for_as_promtool_has_it() -> None:
    """for 2m, keep 3m, true from 0 to 3 m: fires from 2 to 6 m, gone at 7 m."""
    host = Host(rule("used > 0.8", for_ms=2 * MINUTE, keep=3 * MINUTE))
    seen = []
    for minute in range(9):
        host.see(minute * MINUTE, 0.9 if minute <= 3 else 0.1)
        seen.append(host.states)
    assert seen == [[PENDING]] * 2 + [[FIRING]] * 5 + [[]] * 2


def test_a_return_while_kept_firing_begins_the_keeping_anew() -> None:
    host = Host(rule("used > 0.8", keep=2 * MINUTE))
    for minute, value in enumerate([0.9, 0.1, 0.9, 0.1, 0.1]):
        host.see(minute * MINUTE, value)
    assert [(a.state, a.active_at) for a in host.alerts.active()] == [(FIRING, 0)]


def test_time_alone_wakes_a_rule_at_its_deadline() -> None:
    host = Host(rule("used > 0.8", for_ms=MINUTE, keep=MINUTE))
    host.see(0, 0.9)
    assert host.alerts.next_deadline(1) == MINUTE
    host.judge(MINUTE - 1, Touched())
    assert host.states == [PENDING]
    host.judge(MINUTE, Touched())
    assert host.states == [FIRING]
    assert host.alerts.next_deadline(MINUTE) is None
    host.see(2 * MINUTE, 0.1)
    assert host.alerts.next_deadline(2 * MINUTE) == 3 * MINUTE
    assert host.alerts.next_deadline(4 * MINUTE) == 4 * MINUTE
    host.judge(4 * MINUTE, Touched())
    assert host.states == []


def test_a_deadline_that_a_cold_rule_has_seen_does_not_wake_it_again() -> None:
    cold = rule("used > 0.8 and increase(c[1h]) > 0", for_ms=MINUTE)
    host = Host(cold)
    alert = Alert("Full", (("alertname", "Full"),), PENDING, 0, 1.0)
    host.alerts.restore([kept(cold, alert)], unseen=False)
    host.see(0, 0.9)
    host.judge(MINUTE, Touched())
    assert host.alerts.next_deadline(MINUTE) is None


def test_only_rules_that_read_the_names_are_evaluated() -> None:
    host = Host(rule("used > 0.8"), rule("other > 0", name="Other"))
    host.series.add([Sample("used", (), 0, 0.9), Sample("other", (), 0, 1.0)])
    host.judge(0, Touched.by_change(frozenset({"other"})))
    assert [alert.rule for alert in host.alerts.active()] == ["Other"]
    assert host.alerts.names == {"used", "other"}


def test_cold_before_the_first_sample() -> None:
    host = Host(rule("used > 0.8"))
    assert (host.health, host.alerts.why("Full")) == (RuleHealth.COLD, "not evaluated yet")
    host.judge(0)
    assert (host.health, host.alerts.why("Full")) == (RuleHealth.COLD, "no sample has come yet")


def test_cold_until_the_window_of_a_function_over_time_is_covered() -> None:
    host = Host(rule("max_over_time(used[10m]) < 0.8"))
    host.see(0, 0.1)
    host.see(10 * MINUTE - 1, 0.1)
    assert host.health is RuleHealth.COLD
    assert host.alerts.why("Full") == "it needs 10m of samples and there are 9m59s999ms"
    assert host.states == []
    host.see(10 * MINUTE, 0.1)
    assert (host.health, host.alerts.why("Full"), host.states) == (RuleHealth.OK, "", [FIRING])


def test_absence_is_not_believed_before_it_could_have_been_presence() -> None:
    host = Host(rule("absent(missing)"))
    host.see(0, 1.0)
    host.judge(0)
    assert host.health is RuleHealth.COLD
    host.judge(5 * MINUTE)
    assert (host.health, host.states) == (RuleHealth.OK, [FIRING])


def test_cold_then_blind_where_a_selector_finds_nothing() -> None:
    host = Host(rule('used > 0.8 unless moving{path="/d1"} > 0'))
    host.see(0, 0.9)
    assert (host.health, host.states) == (RuleHealth.COLD, [])
    assert host.alerts.why("Full") == 'nothing has matched moving{path="/d1"} yet'
    host.see(5 * MINUTE, 0.9)
    assert (host.health, host.states) == (RuleHealth.BLIND, [])
    assert host.alerts.why("Full") == 'nothing matches moving{path="/d1"}'


@pytest.mark.parametrize(
    "expr", ["used > 0.8 or other > 0", "(count(other) or vector(0)) < 1", "absent(other)"]
)
def test_not_blind_where_the_expression_reckons_with_nothing(expr: str) -> None:
    host = Host(rule(expr))
    host.see(0, 0.9)
    host.judge(0)
    assert (host.health, host.states) == (RuleHealth.COLD, [])
    host.see(5 * MINUTE, 0.9)
    host.judge(5 * MINUTE)
    assert (host.health, host.states) == (RuleHealth.OK, [FIRING])


def test_blind_when_both_sides_of_or_are() -> None:
    host = Host(rule("a or b"))
    host.see(0, 0.9)
    host.judge(5 * MINUTE)
    assert (host.health, host.alerts.why("Full")) == (RuleHealth.BLIND, "nothing matches a, b")


def test_a_selector_that_is_read_twice_is_named_once() -> None:
    host = Host(rule("a - 1 > 0 or a > a / 2"))
    host.see(0, 0.9)
    host.judge(1)
    assert host.alerts.why("Full") == "nothing has matched a yet"
    host.judge(5 * MINUTE)
    assert host.alerts.why("Full") == "nothing matches a"


def test_samples_that_stop_do_not_clear_an_alert() -> None:
    """Without a stale marker nothing says that it is over: past the lookback the rule is blind."""
    host = Host(rule("used > 0.8"))
    host.see(0, 0.9)
    host.judge(4 * MINUTE)
    assert (host.health, host.states) == (RuleHealth.OK, [FIRING])
    host.judge(6 * MINUTE)
    assert (host.health, host.states) == (RuleHealth.BLIND, [FIRING])


def test_a_series_that_ended_clears_its_alert() -> None:
    host = Host(rule("used > 0.8"))
    host.see(0, 0.9)
    host.series.add([Sample("used", (("path", "/d1"),), MINUTE, STALE)])
    host.judge(MINUTE)
    assert (host.health, host.states) == (RuleHealth.OK, [])


def test_a_source_that_is_down_keeps_the_state() -> None:
    """One path's series went out of sight, another's is there: only `down` tells that it is no recovery."""
    full = rule("used > 0.8")
    host = Host(full)
    host.see(0, 0.9)
    host.see(5 * MINUTE, 0.1, (("path", "/d2"),))
    alert = Alert("Full", (("alertname", "Full"), ("path", "/d1")), FIRING, 0, 0.9)
    host.alerts.restore([kept(full, alert)], unseen=False)
    host.judge(5 * MINUTE, down=frozenset({"used"}))
    assert (host.health, host.states) == (RuleHealth.FAILING, [FIRING])
    assert host.alerts.why("Full") == "its source is down or not read yet: used"
    host.judge(5 * MINUTE)
    assert (host.health, host.states) == (RuleHealth.OK, [])


def test_an_evaluation_error_changes_nothing_and_for_runs_on() -> None:
    host = Host(rule("used > on() limit", for_ms=2 * MINUTE))
    host.series.add([Sample("limit", (("n", "1"),), 0, 0.8)])
    host.see(0, 0.9)
    host.series.add([Sample("limit", (("n", "2"),), MINUTE, 0.8)])
    host.see(MINUTE, 0.1)
    assert (host.health, host.states) == (RuleHealth.FAILING, [PENDING])
    assert "duplicate series" in host.alerts.why("Full")
    host.series.add([Sample("limit", (("n", "2"),), 2 * MINUTE, STALE)])
    host.see(2 * MINUTE, 0.9)
    assert (host.health, host.states) == (RuleHealth.OK, [FIRING])


def test_two_results_that_become_one_alert_are_a_failure() -> None:
    host = Host(rule("used > 0.8", labels=(("path", "all"),)))
    host.series.add([Sample("used", (("path", "/d1"),), 0, 0.9)])
    host.see(0, 0.9, (("path", "/d2"),))
    assert (host.health, host.states) == (RuleHealth.FAILING, [])
    assert '{alertname="Full", path="all"}' in host.alerts.why("Full")


def test_an_empty_rule_label_removes_the_label() -> None:
    host = Host(rule("used > 0.8", labels=(("path", ""),)))
    host.see(0, 0.9)
    assert host.alerts.active()[0].labels == (("alertname", "Full"),)


def test_a_restart_keeps_how_long_it_was_seen() -> None:
    """Pending from 0 to 1 m, down until 10 m: the minute counts, the nine in which nobody looked do not."""
    before = Host(rule("used > 0.8", for_ms=2 * MINUTE))
    before.see(0, 0.9)
    before.see(MINUTE, 0.9)
    after = Host(rule("used > 0.8", for_ms=2 * MINUTE), rule("used > 0.8", name="Other"))
    gone = kept(rule("gone > 0", name="Gone"), Alert("Gone", (("alertname", "Gone"),), FIRING, 0, 1.0))
    after.alerts.restore([*before.alerts.keep(), gone], unseen=True)
    assert [(a.rule, a.state, a.active_at) for a in after.alerts.active()] == [("Full", PENDING, 0)]
    after.judge(5 * MINUTE)
    assert (after.health, after.states) == (RuleHealth.COLD, [PENDING])
    after.see(10 * MINUTE, 0.9)
    assert [(a.state, a.active_at) for a in after.alerts.active()] == [
        (PENDING, 9 * MINUTE),
        (FIRING, 10 * MINUTE),
    ]
    after.see(11 * MINUTE, 0.9)
    assert after.states == [FIRING, FIRING]


def test_a_restart_keeps_what_fires_and_counts_no_time_for_its_end() -> None:
    """Missed for one minute of three, then down: two more must be seen."""
    full = rule("used > 0.8", keep=3 * MINUTE)
    before, after = Host(full), Host(full)
    for minute, value in enumerate((0.9, 0.1, 0.1)):
        before.see(minute * MINUTE, value)
    after.alerts.restore(before.alerts.keep(), unseen=True)
    seen = []
    for minute in (20, 21, 22):
        after.see(minute * MINUTE, 0.1)
        seen.append(after.states)
    assert seen == [[FIRING], [FIRING], []]


def test_after_a_long_outage_all_is_proved_anew() -> None:
    full = rule("used > 0.8", for_ms=MINUTE)
    before, after = Host(full), Host(full)
    before.see(0, 0.9)
    before.see(MINUTE, 0.9)
    after.alerts.restore(before.alerts.keep(), unseen=True)
    assert after.states == [FIRING]
    after.see(62 * MINUTE, 0.9)
    assert after.states == [PENDING]


@pytest.mark.parametrize(
    ("expr", "needs"), [("gone > 0.8", 5), ("max_over_time(gone[90m]) > 0.8", 90), ("other > on () gone", 5)]
)
def test_what_was_kept_and_comes_no_more_is_given_up_in_the_end(expr: str, needs: int) -> None:
    """An hour beyond what the rule looks back on; the agent sees other metrics all the while."""
    full = rule(expr)
    host = Host(full)
    host.alerts.restore([kept(full, Alert("Full", (("alertname", "Full"),), FIRING, 0, 0.9))], unseen=True)
    host.series.add([Sample("used", (), 0, 0.5)])
    host.judge(0)
    host.judge((60 + needs) * MINUTE)
    assert (host.states, host.alerts.given_up("Full")) == ([FIRING], "")
    host.judge((60 + needs) * MINUTE + 1)
    assert (host.states, host.health) == ([], RuleHealth.BLIND)
    bound = show_duration((60 + needs) * MINUTE)
    assert host.alerts.given_up("Full") == f"its rule has been blind for {bound}: {host.alerts.why('Full')}"


def test_what_cannot_be_read_is_not_given_up() -> None:
    """A source that is down for a day says nothing; the time counts from when it answers again."""
    full = rule("gone > 0.8")
    host = Host(full)
    host.alerts.restore([kept(full, Alert("Full", (("alertname", "Full"),), FIRING, 0, 0.9))], unseen=False)
    host.series.add([Sample("used", (), 0, 0.5)])
    host.judge(0)
    for minute in (10, 1440):
        host.judge(minute * MINUTE, down=frozenset({"gone"}))
    host.judge(1441 * MINUTE)
    host.judge(1500 * MINUTE)
    assert host.states == [FIRING]
    host.judge(1507 * MINUTE)
    assert host.states == []
    host.see(1508 * MINUTE, 0.9, name="gone")
    assert (host.states, host.alerts.given_up("Full")) == ([FIRING], "")


def test_other_rules_go_on_with_what_is_theirs() -> None:
    """A reload: no time is lost, and an alert of another expression is another alert."""
    full, other = rule("used > 0.8", for_ms=2 * MINUTE), rule("used > 0.7", name="Other")
    before = Host(full, other)
    before.see(0, 0.9)
    after = Host(rule("used > 0.75", name="Other"), rule("used > 0.8", for_ms=3 * MINUTE))
    after.alerts.restore(before.alerts.keep(), unseen=False)
    assert [(a.rule, a.state) for a in after.alerts.active()] == [("Full", PENDING)]
    after.see(3 * MINUTE, 0.9)
    assert {a.rule: (a.state, a.active_at) for a in after.alerts.active()} == {
        "Full": (FIRING, 0),
        "Other": (FIRING, 3 * MINUTE),
    }
    assert [each.name for each in lost(before.alerts.keep(), [full, replace(other, expr="1")])] == ["Other"]


def test_rules_of_one_name_are_told_apart_by_their_labels() -> None:
    warn, page = (("severity", "warn"),), (("severity", "page"),)
    rules = (rule("used > 0.8", labels=warn), rule("nowhere > 0", labels=page))
    host = Host(*rules)
    host.see(0, 0.9)
    assert host.health is RuleHealth.COLD  # of the one that is not OK
    again = Host(*reversed(rules))
    again.alerts.restore(host.alerts.keep(), unseen=False)
    again.see(0, 0.1)
    assert again.states == []


def test_each_of_two_rules_with_one_name_has_its_own_health() -> None:
    warn, page = (("severity", "warn"),), (("severity", "page"),)
    host = Host(rule("used > 0.8", labels=warn), rule("nowhere > 0", labels=page))
    host.see(0, 0.9)
    (alert,) = host.alerts.active()
    assert host.alerts.health("Full", alert.labels) is RuleHealth.OK
    assert host.alerts.health("Full", (*alert.labels[:-1], ("severity", "page"))) is RuleHealth.COLD
    assert [now.health for now in host.alerts.each()] == [RuleHealth.OK, RuleHealth.COLD]


def test_an_unknown_rule_has_no_health() -> None:
    with pytest.raises(KeyError):
        Host().alerts.health("Nobody")
