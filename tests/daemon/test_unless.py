"""An `unless` objects while nobody can say what it would find: not only where its source does not answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from rule_files import SPECS, write

from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.model import Alert, AlertState, Sample
from agent.rulebook import load
from agent.series import Series

EVERY, HOUR = 15_000, 3_600_000
ALERTS = """\
groups:
  - name: all
    rules:
      - {record: kafka:worst, expr: "max(max_over_time(kafka_admin_quorum_voters[1h]))"}
      - {record: kafka:asleep, expr: "sum(kafka_admin_asleep)"}
      - {alert: Few, expr: kafka_admin_brokers < 3, for: 10s}
"""
REMEDIES = """\
owner: sre
remedies:
  Few:
    mode: act
    target: broker
    unless: [%s]
    steps: [{do: escalate}]
"""
NOW = "kafka_admin_offline_partitions > 0"
LATELY = "max_over_time(kafka_admin_offline_partitions[1h]) > 0"
RECORDED = "kafka:asleep > 0 or kafka:worst > 0"


class Guarded:
    """A daemon whose one alert fires, and what its remedy's `unless` says of that."""

    def __init__(self, folder: Path, unless: str = "") -> None:
        self.folder, self.now, self.ran = folder, 1_000_000_000, 0.0
        sight = self._sight(unless, Series(2 * HOUR, longest=1_000))
        sight.series.want(sight.windows)
        self.daemon = Daemon(cast(Means, SimpleNamespace(clock=lambda: self.now)), sight)

    def _sight(self, unless: str, series: Series) -> Sight:
        quoted = f'"{unless}"' if unless else ""
        book = load([write(self.folder, alerts=ALERTS, remedies=REMEDIES % quoted)], SPECS)
        sight = Sight(book, series, lambda: None, 1)
        sight.steady = lambda: self.ran
        return sight

    @property
    def sight(self) -> Sight:
        return self.daemon.sight

    def pass_by(self, ms: int, set_by: int = 0) -> None:
        self.now, self.ran = self.now + ms + set_by, self.ran + ms

    def reload(self, unless: str) -> None:
        """As the assembly does it."""
        sight = self._sight(unless, self.sight.series)
        sight.follow(self.sight, self.now)
        sight.series.want(sight.windows)
        self.daemon.replace(sight)
        sight.judge(self.now, None, frozenset())

    def read(self, offline: float | None = None, *, every: int = EVERY, began: float | None = None) -> None:
        """The cluster answers, with a number of offline partitions or with nothing in it."""
        self.pass_by(every)
        found = [Sample("kafka_admin_brokers", (), self.now, 2.0)]
        found.append(Sample("kafka_admin_quorum_voters", (), self.now, 0.0))
        if offline is not None:
            found.append(Sample("kafka_admin_offline_partitions", (), self.now, offline))
        up = Sample("ottla_source_up", (("source", "cluster"),), self.now, 1.0)
        self.daemon.take([*found, up], (self.ran if began is None else began) / 1_000)

    def objections(self) -> tuple[str, ...]:
        assert [alert.state for alert in self._few()] == [AlertState.FIRING]
        return self.sight.objections(self.sight.book.remedies["Few"], (), self.now)

    def _few(self) -> list[Alert]:
        return [alert for alert in self.sight.alerts.active() if alert.rule == "Few"]


def test_what_a_reload_brings_objects_until_its_metric_was_asked_for(tmp_path: Path) -> None:
    """A reading that was under way at the reload did not ask; what the next lacks is known to be absent."""
    guarded = Guarded(tmp_path)
    for _ in range(40):
        guarded.read()
    guarded.pass_by(1_000)
    guarded.reload(NOW)
    unknown = f"{NOW} (unknown: kafka_admin_offline_partitions was not read yet)"
    assert guarded.objections() == (unknown,)

    guarded.read(began=guarded.ran - 500)
    assert guarded.objections() == (unknown,)
    guarded.reload(NOW)  # nothing new is named, and still nobody has asked
    assert guarded.objections() == (unknown,)

    guarded.read()
    assert guarded.objections() == ()
    guarded.read(7)
    assert guarded.objections() == (NOW,)


def test_a_window_that_is_not_covered_yet_objects(tmp_path: Path) -> None:
    """After a reload as after a start, in words that a cold rule has; what was found is told as it is."""
    guarded = Guarded(tmp_path)
    for _ in range(40):
        guarded.read(0)
    guarded.reload(LATELY)
    guarded.read(0)
    assert guarded.objections() == (f"{LATELY} (unknown: it needs 1h of samples and there are 15s)",)
    guarded.read(1)
    assert guarded.objections() == (LATELY,)
    for _ in range(HOUR // EVERY + 1):
        guarded.read(0)
    assert guarded.objections() == ()


def test_a_window_from_which_samples_went_objects(tmp_path: Path) -> None:
    """The one that would have objected is among them."""
    guarded = Guarded(tmp_path, LATELY)
    for number in range(2_000):
        guarded.read(float(number < 100), every=500)
    (words,) = guarded.objections()
    assert words.startswith(f"{LATELY} (unknown: not all samples of kafka_admin_offline_partitions that it ")


def test_after_the_clock_was_set_back_it_objects_until_it_is_known_again(tmp_path: Path) -> None:
    """An alert that fired is kept, and what was seen is forgotten."""
    guarded = Guarded(tmp_path, LATELY)
    for _ in range(2 * HOUR // EVERY):
        guarded.read(0)
    assert guarded.objections() == ()
    guarded.pass_by(0, set_by=-60_000)
    guarded.sight.take([], now=guarded.now)
    assert guarded.objections() == (f"{LATELY} (unknown: kafka_admin_offline_partitions was not read yet)",)
    guarded.read(0)
    assert guarded.objections() == (f"{LATELY} (unknown: it needs 1h of samples and there are 0s)",)


def test_a_recording_rule_that_is_cold_objects_beside_one_that_is_blind(tmp_path: Path) -> None:
    """What nothing gives is known to be absent, and hides nothing of the other."""
    guarded = Guarded(tmp_path, RECORDED)
    for _ in range(40):
        guarded.read(0)
    guarded.sight.judge(guarded.now, None, frozenset())  # as the loop's first round
    cold = "kafka:worst, which it reads, is cold: it needs 1h of samples and there are 9m45s"
    assert guarded.objections() == (f"{RECORDED} (unknown: {cold})",)
    for _ in range(HOUR // EVERY):
        guarded.read(0)
    assert guarded.objections() == ()
