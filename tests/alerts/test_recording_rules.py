"""Recording rules, limits and templates in the live life of alerts."""

from __future__ import annotations

from agent.alerts import Alerts
from agent.model import AlertRule, AlertState, Labels, Place, RecordRule, Rule, RuleHealth, Sample
from agent.series import Series

PLACE = Place("alerts.yml", 1, 1)
SUM = RecordRule("path:used:max", "max by (path) (used)", (("by", "us"),), "disk", PLACE)
FULL = AlertRule(
    "Full",
    "path:used:max > 0.8",
    0,
    0,
    (("at", "{{ $labels.path }}"),),
    (("said", "{{ $value | humanizePercentage }}"),),
    "disk",
    PLACE,
)


class Host:
    """Rules over a store, told of samples as they come."""

    def __init__(self, *rules: Rule) -> None:
        self.series = Series(window_ms=3_600_000)
        self.alerts = Alerts(rules)

    def see(self, at: int, *values: float, down: frozenset[str] = frozenset()) -> None:
        samples = [Sample("used", (("path", f"/d{n}"),), at, value) for n, value in enumerate(values)]
        names = self.series.add(samples)
        self.alerts.evaluate(self.series, at, names, self.series.first_at, down, self.series.add)

    def firing(self) -> list[Labels]:
        return [a.labels for a in self.alerts.active() if a.state is AlertState.FIRING]


def test_what_is_recorded_is_read_at_the_same_instant() -> None:
    """A sample of one metric wakes the rule that records, and that one the alert."""
    host = Host(SUM, FULL)
    host.see(0, 0.9, 0.1)
    labels = (("alertname", "Full"), ("at", "/d0"), ("by", "us"), ("path", "/d0"))
    assert host.firing() == [labels]
    assert host.alerts.active()[0].annotations == (("said", "90%"),)


def test_a_recorded_series_ends_when_its_rule_gives_it_no_more() -> None:
    recorded = RecordRule("hot", "used > 0.8", (), "disk", PLACE)
    host = Host(recorded, AlertRule("Hot", "hot", 0, 0, (), (), "disk", PLACE))
    host.see(0, 0.9)
    assert len(host.firing()) == 1
    host.see(1000, 0.1)
    assert host.firing() == []


def test_a_record_that_cannot_be_judged_records_nothing() -> None:
    host = Host(SUM, FULL)
    host.see(0, 0.9, down=frozenset({"used", "path:used:max"}))
    assert host.series.labels_of("path:used:max", (), -1, 10**6) == ()
    host.alerts.evaluate(host.series, 0, None, 0, frozenset({"used", "path:used:max"}), host.series.add)
    assert host.alerts.health("Full") is RuleHealth.FAILING


def test_more_results_than_the_limit_are_a_storm_and_the_state_is_kept() -> None:
    limited = AlertRule("Full", "used > 0.8", 0, 0, (), (), "disk", PLACE, limit=1)
    host = Host(limited)
    host.see(0, 0.9)
    before = host.firing()
    host.see(1000, 0.9, 0.95)
    assert host.alerts.health("Full") is RuleHealth.STORM
    assert "2 results at once, and its group's limit is 1" in host.alerts.why("Full")
    assert host.firing() == before
    host.see(2000, 0.1, 0.95)
    assert host.alerts.health("Full") is RuleHealth.OK


def test_an_offset_of_the_group_looks_into_the_past() -> None:
    late = AlertRule("Full", "used > 0.8", 0, 0, (), (), "disk", PLACE, offset_ms=60_000)
    host = Host(late)
    host.see(0, 0.1)
    host.see(30_000, 0.9)
    host.see(60_000, 0.1)
    assert host.firing() == []
    host.see(90_000, 0.1)
    assert len(host.firing()) == 1
