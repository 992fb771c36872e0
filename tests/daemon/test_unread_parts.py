"""A call of a source that is not answered while the others are: nothing is concluded from its silence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace
from rule_files import SPECS, write

from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.kafka.metadata import PartitionInfo
from agent.model import AlertState, RuleHealth, Sample
from agent.promql.errors import EvaluationError
from agent.rehearsal.cluster import Cluster
from agent.rulebook import load
from agent.series import Series
from agent.sources.cluster import ClusterFacts
from agent.sources.schedule import UP, Polling

ALERTS = """\
groups:
  - name: all
    rules:
      - {alert: Offline, expr: kafka_admin_offline_partitions > 0, for: 10s, labels: {severity: critical}}
      - {record: kafka:moving, expr: sum(kafka_admin_reassigning_partitions)}
      - {alert: Few, expr: kafka_admin_brokers < 3, labels: {broker: b}}
      - {record: kafka:offline, expr: sum(kafka_admin_offline_partitions)}
      - {record: kafka:never, expr: sum(kafka_admin_never)}
      - {alert: OfOthers, expr: '{__name__=~"kafka_admin_(brokers|topics)|kafka:never"} < 3'}
      - {alert: OfIt, expr: '{__name__=~"kafka_admin_(offline|lost)_partitions"} > 3'}
      - {alert: OfRecorded, expr: '{__name__=~"kafka:.+"} > 3'}
"""
REMEDIES = """\
owner: sre
remedies:
  Few:
    mode: act
    target: broker
    unless:
      - kafka_admin_offline_partitions > 0
      - kafka:moving > 0
      - kafka_admin_topic_under_min_isr_partitions > 0
    steps:
      - do: escalate
"""
EVERY = 5_000


class Watched:
    """A daemon over what the real source reads of a rehearsed cluster; no rounds are made."""

    def __init__(self, rules: Path) -> None:
        self.now = 1_000_000
        self.cluster = Cluster(clock=lambda: self.now)
        self.leaders(1)
        book = load([rules], SPECS)
        self.sight = Sight(book, Series(3_600_000), lambda: None, 1)
        self.sight.series.want(self.sight.windows)
        means = cast(Means, SimpleNamespace(clock=lambda: self.now))
        daemon = Daemon(means, self.sight, unread=["cluster"])
        facts = ClusterFacts(self.cluster, 1, EVERY)
        self._polling = Polling(facts, lambda samples: daemon.take(samples, self.now), lambda: self.now)

    def leaders(self, leader: int) -> None:
        """Of its one partition; -1: it is offline."""
        self.cluster.infos = {("t", 0): PartitionInfo("t", 0, "id", leader, (1, 2, 3), (1, 2, 3), (), ())}

    async def read(self, readings: int = 1) -> None:
        for _ in range(readings):
            self.now += EVERY
            await self._polling.once()

    @property
    def offline(self) -> tuple[list[AlertState], RuleHealth]:
        states = [alert.state for alert in self.sight.alerts.active() if alert.rule == "Offline"]
        return states, self.sight.alerts.health("Offline")

    def objections(self, *unless: str) -> tuple[str, ...]:
        few = self.sight.book.remedies["Few"]
        return self.sight.objections(replace(few, unless=unless or few.unless), (), self.now)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(write(tmp_path, alerts=ALERTS, remedies=REMEDIES))


async def test_an_alert_is_held_while_the_call_that_it_rests_on_is_not_answered(watched: Watched) -> None:
    """As where the whole source is down, however long; an answer ends it."""
    watched.leaders(-1)
    await watched.read(4)
    assert watched.offline == ([AlertState.FIRING], RuleHealth.OK)

    watched.cluster.fails["partitions"] = "unreachable"
    await watched.read()
    assert watched.offline == ([AlertState.FIRING], RuleHealth.FAILING)
    why = watched.sight.alerts.why("Offline")
    assert why == "its source is down or not read yet: kafka_admin_offline_partitions"
    assert watched.sight.alerts.health("Few") is RuleHealth.OK  # what was answered is judged
    await watched.read(100)
    assert watched.offline == ([AlertState.FIRING], RuleHealth.FAILING)

    watched.cluster.fails.clear()
    await watched.read()
    assert watched.offline == ([AlertState.FIRING], RuleHealth.OK)
    watched.leaders(1)
    await watched.read()
    assert watched.offline == ([], RuleHealth.OK)


async def test_an_objection_stands_while_nobody_can_say_whether_it_holds(watched: Watched) -> None:
    """It says why; through a recording rule, too; and what is answered with nothing is none."""
    await watched.read(2)
    assert watched.objections() == ()  # no topic is in trouble: there is no such series, and that is known

    watched.cluster.fails["reassignments"] = "unreachable"
    await watched.read()
    unknown = "(unknown: kafka_admin_reassigning_partitions cannot be read)"
    assert watched.objections() == (f"kafka:moving > 0 {unknown}",)

    watched.cluster.fails = {"partitions": "unreachable"}
    await watched.read(100)
    offline, topics = watched.objections()
    assert offline.startswith("kafka_admin_offline_partitions > 0 (unknown: kafka_admin_offline_partitions c")
    assert topics.startswith("kafka_admin_topic_under_min_isr_partitions > 0 (unknown: ")

    watched.cluster.fails.clear()
    watched.leaders(-1)
    await watched.read()
    assert watched.objections() == ("kafka_admin_offline_partitions > 0",)


async def test_a_choice_by_patterns_rests_on_what_they_match(watched: Watched) -> None:
    """Else one part that can never be read would keep all such rules from being judged."""
    watched.cluster.fails["partitions"] = "unreachable"
    await watched.read(100)
    health = watched.sight.alerts.health
    assert health("OfOthers") is RuleHealth.OK  # though one that records what it matches is blind
    assert watched.objections('{__name__=~"kafka_admin_(brokers|topics)"} > 3') == ()

    assert health("OfIt") is health("OfRecorded") is RuleHealth.FAILING
    why = "kafka:offline, which it reads, is failing: its source is down or not read yet: kafka_admin_"
    assert watched.sight.alerts.why("OfRecorded").startswith(why)
    silent = "(unknown: kafka_admin_offline_partitions cannot be read)"
    for text in ('{__name__=~"kafka_admin_off.+"} > 3', '{__name__=~"kafka:.+"} > 3'):
        (objection,) = watched.objections(text)
        assert silent in objection


async def test_what_was_deleted_is_known_to_be_gone(watched: Watched) -> None:
    """The last topic: the call is answered, with nothing in it."""
    watched.leaders(-1)
    await watched.read(4)
    watched.cluster.infos = {}
    await watched.read()
    assert watched.offline == ([], RuleHealth.OK)
    assert watched.objections() == ()


async def test_before_its_first_answer_nothing_is_known_of_a_call(watched: Watched) -> None:
    """What the store holds of it may be of a former life."""
    watched.cluster.fails["partitions"] = "unreachable"
    await watched.read()
    assert watched.offline == ([], RuleHealth.FAILING)
    assert watched.sight.alerts.health("Few") is RuleHealth.OK


async def test_an_objection_that_cannot_be_evaluated_stands(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it would say."""
    await watched.read()

    def many(*_: object) -> None:
        raise EvaluationError("many-to-many")

    monkeypatch.setattr("agent.daemon.unless.evaluate", many)
    assert watched.objections()[0] == "kafka_admin_offline_partitions > 0 (unknown: many-to-many)"


def test_a_shipped_alert_tells_of_a_source_from_the_first_reading_on() -> None:
    """That no part of one was ever unread is no reason to wait."""
    book = load([Path(__file__).resolve().parents[2] / "rules/ottla"], SPECS)
    sight = Sight(book, Series(3_600_000), lambda: None, 1)
    sight.series.want(sight.windows)
    fired = dict[str, int]()
    for now in range(0, 400_000, EVERY):
        samples = [Sample(UP, (("source", name),), now, 0.0) for name in ("jmx", "host")]
        samples.append(Sample("kafka_probe_up", (), now, 1.0))
        sight.judge(now, sight.take(samples, now=now), frozenset())
        for alert in sight.firing():
            fired.setdefault(alert.rule, now)
    assert fired == {"HostSourceFails": 120_000, "SourceFails": 300_000}


def test_shipped_alerts_tell_of_a_login_that_is_refused_and_not_of_a_broker_that_is_silent() -> None:
    """Nothing is known of it then: what reads the probe is failing, and other rules have to say so."""
    rules = Path(__file__).resolve().parents[2] / "rules"
    sight = Sight(load([rules / "ottla", rules / "host"], SPECS), Series(3_600_000), lambda: None, 1)
    sight.series.want(sight.windows)
    down = frozenset({"cluster", "protocol_probe"})
    for now in range(0, 400_000, EVERY):
        samples = [Sample(UP, (("source", name),), now, float(name == "jmx")) for name in (*down, "jmx")]
        sight.take(samples, now=now)
        sight.judge(now, None, down)
    assert {(alert.rule, alert.label("source")) for alert in sight.firing()} == {
        ("HostSourceFails", "protocol_probe"),
        ("SourceFails", "cluster"),
    }
    assert sight.alerts.health("BrokerDoesNotAnswer") is RuleHealth.FAILING


async def test_a_shipped_alert_tells_of_a_call_that_is_not_answered() -> None:
    """A right that was taken away: the rules on it are failing for ever, so another one has to say so."""
    watched = Watched(Path(__file__).resolve().parents[2] / "rules/ottla")
    alerts = watched.sight.alerts
    await watched.read(120)
    assert (watched.sight.firing(), alerts.health("SourceFails")) == ((), RuleHealth.OK)

    watched.cluster.fails["reassignments"] = "unreachable"
    await watched.read(120)
    assert [alert.rule for alert in watched.sight.firing()] == ["SourceFails"]

    watched.cluster.fails.clear()
    await watched.read()
    assert (list(watched.sight.firing()), alerts.health("SourceFails")) == ([], RuleHealth.OK)
