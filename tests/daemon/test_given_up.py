"""An alert that was restored, and whose metric comes no more, does not fire for ever."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.alerts import Kept
from agent.daemon.loop import Daemon
from agent.daemon.service import ALERTS as ALERTS_KEPT
from agent.daemon.service import Service
from agent.daemon.sight import Sight
from agent.history import Incident
from agent.journal import Journal
from agent.model import Alert, RuleHealth, Sample
from agent.rulebook import load
from agent.series import Series

READ, HOUR = 15_000, 3_600_000
USED = "host_log_dir_used_ratio"
GIVEN_UP = f"its rule has been blind for 1h5m: nothing matches {USED}"


class Life:
    """One life of an agent that reads something, and the log dir's space or not."""

    def __init__(self, folder: Path, now: int, former: Sight | None = None, alerts: str = "") -> None:
        files = {"alerts": alerts} if alerts else {"alerts": ALERTS, "remedies": REMEDIES}
        book = load([write(folder, **files)], SPECS)
        self.sight, self.now = Sight(book, Series(2 * HOUR), lambda: None, 1), now
        self.judged: Sight | None = None  # whose rules were all judged once
        self.sight.series.want(self.sight.windows | {"up": HOUR})
        if former is not None:
            kept = msgspec.msgpack.encode(former.alerts.keep())
            self.sight.resume(msgspec.msgpack.decode(kept, type=tuple[Kept, ...]))

    def reload(self) -> None:
        """The same rules once more."""
        former, self.sight = self.sight, Sight(self.sight.book, self.sight.series, lambda: None, 1)
        self.sight.follow(former, self.now)

    def ended(self, alert: Alert) -> str:
        """What is told of its end, and whether its incident may be ended at all."""
        decision = SimpleNamespace(alert=alert.rule, labels=alert.labels)
        one = cast(Incident, SimpleNamespace(decision=decision, opened_at=0))
        history = SimpleNamespace(incidents={"one": one})
        means = SimpleNamespace(ledger=SimpleNamespace(history=history), clock=lambda: self.now)
        daemon = Daemon(cast(Any, means), self.sight)
        return self.sight.end_of(one) if daemon._judged("one") else "it is waited for"

    def see(self, passed: int, *, space: bool, down: frozenset[str] = frozenset()) -> tuple[Alert, ...]:
        for _ in range(passed // READ):
            self.now += READ
            samples = [Sample("up", (), self.now, 1.0)]
            if space:
                samples.append(Sample(USED, (("path", "/d"),), self.now, 0.9))
            touched = self.sight.take(samples, now=self.now)
            self.sight.judge(self.now, touched if self.judged is self.sight else None, down)
            self.judged = self.sight
        return self.sight.firing()


def test_it_ends_after_an_hour_and_its_incident_says_why(tmp_path: Path) -> None:
    """A log dir was taken out of the configuration, say, and the agent started again."""
    before = Life(tmp_path, 1_000_000)
    (alert,) = before.see(5 * 60_000, space=True)
    after = Life(tmp_path, before.now, before.sight)

    assert after.see(HOUR, space=False) == (alert,)
    assert after.see(10 * 60_000, space=False) == ()

    assert after.ended(alert) == GIVEN_UP


def test_its_incident_may_be_ended_later_too(tmp_path: Path) -> None:
    """What was done for it may go on for hours; meanwhile rules are reloaded, or the agent is restarted."""
    life = Life(tmp_path, 1_000_000)
    (alert,) = life.see(5 * 60_000, space=True)
    life.see(2 * HOUR, space=False)
    life.reload()
    life.see(READ, space=False)
    assert life.ended(alert) == GIVEN_UP
    after = Life(tmp_path, life.now, life.sight)
    after.see(HOUR, space=False)
    assert after.ended(alert) == GIVEN_UP
    after.see(READ, space=True)
    after.see(10 * 60_000, space=False)
    assert after.ended(alert) == "it is waited for"


async def test_the_journal_keeps_that_it_was_given_up(tmp_path: Path) -> None:
    life = Life(tmp_path, 1_000_000)
    life.see(5 * 60_000, space=True)
    life.see(2 * HOUR, space=False)
    journal = Journal(tmp_path / "state")
    await journal.open()
    service = SimpleNamespace(daemon=SimpleNamespace(sight=life.sight), journal=journal)
    await Service._keep(cast(Service, service), b"")
    saved = await journal.load(ALERTS_KEPT)
    await journal.close()
    assert saved is not None
    assert [k.given_up for k in msgspec.msgpack.decode(saved, type=tuple[Kept, ...])] == [GIVEN_UP]


RISES = """
groups:
- {name: g, rules: [{alert: Rises, expr: 'increase(host_log_dir_used_ratio[1h]) >= 0'}]}
"""
RECORDED = """
groups:
- name: g
  rules:
  - {record: rise, expr: 'increase(host_log_dir_used_ratio[1h])'}
  - {alert: Rises, expr: rise >= 0}
"""
EITHER = pytest.mark.parametrize("alerts", [RISES, RECORDED])


@EITHER
def test_what_comes_is_never_given_up_for_want_of_history(tmp_path: Path, alerts: str) -> None:
    """Its host was down for longer than its samples reach back, again and again."""
    life = Life(tmp_path, 1_000_000, alerts=alerts)
    (alert,) = life.see(2 * HOUR, space=True)
    for _ in range(6):
        life = Life(tmp_path, life.now + 600_000, life.sight, alerts)
        assert life.see(50 * 60_000, space=True) == (alert,)
        assert life.sight.alerts.health("Rises") is RuleHealth.COLD


@EITHER
def test_what_does_not_come_is_given_up_though_no_life_lasts_as_long_as_it_needs(
    tmp_path: Path, alerts: str
) -> None:
    life = Life(tmp_path, 1_000_000, alerts=alerts)
    (alert,) = life.see(2 * HOUR, space=True)
    fires = []
    for _ in range(3):
        life = Life(tmp_path, life.now + 600_000, life.sight, alerts)
        fires.append(life.see(50 * 60_000, space=False) == (alert,))
    assert (fires[0], fires[-1]) == (True, False)


def test_it_is_held_while_its_source_does_not_answer(tmp_path: Path) -> None:
    """For that nobody can say that it comes no more."""
    before = Life(tmp_path, 1_000_000)
    (alert,) = before.see(5 * 60_000, space=True)
    after = Life(tmp_path, before.now, before.sight)
    assert after.see(3 * HOUR, space=False, down=frozenset({"host"})) == (alert,)


def test_a_failed_reading_or_a_reload_each_hour_keeps_it_no_longer(tmp_path: Path) -> None:
    """Else one of them would keep it for ever."""
    life = Life(tmp_path, 1_000_000)
    life.see(5 * 60_000, space=True)
    life.see(5 * 60_000, space=False)  # until nothing matches any more
    life.see(30 * 60_000, space=False)
    life.see(READ, space=False, down=frozenset({"host"}))
    life.see(20 * 60_000, space=False)
    life.reload()
    assert life.see(14 * 60_000, space=False)
    assert life.see(60_000 + 4 * READ, space=False) == ()


def test_the_time_in_which_it_could_not_be_read_does_not_count(tmp_path: Path) -> None:
    """Nor does a restart, and all that was seen before them does."""
    life = Life(tmp_path, 1_000_000)
    life.see(5 * 60_000, space=True)
    life.see(45 * 60_000, space=False)
    life.see(3 * HOUR, space=False, down=frozenset({"host"}))
    after = Life(tmp_path, life.now + 30 * 60_000, life.sight)
    assert after.see(24 * 60_000, space=False)
    assert after.see(2 * 60_000, space=False) == ()


def test_a_value_begins_it_anew(tmp_path: Path) -> None:
    life = Life(tmp_path, 1_000_000)
    life.see(5 * 60_000, space=True)
    life.see(HOUR, space=False)
    life.see(READ, space=True)
    assert life.see(HOUR, space=False)
    assert life.see(11 * 60_000, space=False) == ()


def test_a_clock_that_is_set_forward_passes_no_time(tmp_path: Path) -> None:
    life, set_by = Life(tmp_path, 1_000_000), 0
    life.sight.steady = lambda: life.now - set_by
    life.see(5 * 60_000, space=True)
    life.see(HOUR, space=False)
    life.now, set_by = life.now + 3 * HOUR, 3 * HOUR
    assert life.see(9 * 60_000, space=False)
    assert life.see(2 * 60_000, space=False) == ()
