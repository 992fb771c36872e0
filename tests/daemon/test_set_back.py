"""After the wall clock was set back rules see nothing old as new, and go on at once."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from test_judging import SLOW, Agent

from agent.alerts import Alerts
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.model import AlertState, RuleHealth, Sample
from agent.rulebook import load
from agent.series import Series, Touched

BACK = 900_000
START = 1_800_000_000_000


class Seeing:
    """A daemon over some rules, and the clock; each reading is judged at once."""

    def __init__(self, folder: Path, *rules: str) -> None:
        text = "groups:\n  - name: g\n    rules:\n" + "".join(f"      - {{{rule}}}\n" for rule in rules)
        (folder / "alerts.yml").write_text(text)
        self.now = START
        self.ran = 0.0
        self.series = Series(3_600_000)
        self.sight = Sight(load([folder], {}), self.series, lambda: None, 1)
        self.sight.steady = lambda: self.ran
        self.daemon = Daemon(cast(Means, SimpleNamespace(clock=lambda: self.now)), self.sight)

    def read(self, after_ms: int, set_by: int = 0, **values: float) -> None:
        self.now += after_ms + set_by
        self.ran += after_ms
        self.daemon.take([Sample(name, (), self.now, value) for name, value in values.items()], 0)

    def step(self, set_by: int) -> None:
        """The clock is set, and no rule is judged yet."""
        self.now += set_by
        self.sight.take([], 0, self.now)

    @property
    def states(self) -> dict[str, AlertState]:
        return {alert.rule: alert.state for alert in self.sight.alerts.active()}


def test_no_old_value_is_judged_and_each_new_one_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Meanwhile alerts stay as they were: what cannot be judged neither ends nor begins anything."""
    agent = Seeing(tmp_path, "alert: A, expr: m > 1", "alert: B, expr: m < 1", "alert: C, expr: absent(m)")
    for _ in range(80):
        agent.read(15_000, m=2, other=0)
    assert agent.states == {"A": AlertState.FIRING}

    agent.read(0, -BACK, other=0)
    assert agent.states == {"A": AlertState.FIRING}
    assert {agent.sight.alerts.health(name) for name in "ABC"} == {RuleHealth.COLD}
    agent.read(1_000, m=0, other=0)
    assert agent.states == {"B": AlertState.FIRING}
    agent.read(15_000, m=2, other=0)
    assert agent.states == {"A": AlertState.FIRING}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert agent.series.set_back == 1


def test_what_looks_back_waits_until_its_window_is_covered_again(tmp_path: Path) -> None:
    agent = Seeing(tmp_path, "alert: A, expr: 'max_over_time(m[5m]) < 1 and increase(m[5m]) < 1'")
    for _ in range(80):
        agent.read(15_000, m=2)
    agent.read(0, -BACK, m=0)
    for _ in range(19):
        assert agent.sight.alerts.health("A") is RuleHealth.COLD
        agent.read(15_000, m=0)
    agent.read(15_000, m=0)
    assert agent.states == {"A": AlertState.FIRING}


def test_an_alert_that_waits_goes_on_where_it_was(tmp_path: Path) -> None:
    agent = Seeing(tmp_path, "alert: A, expr: m > 1, for: 1m")
    for _ in range(5):
        agent.read(10_000, m=2)
    agent.read(0, -BACK, m=2)
    assert agent.states == {"A": AlertState.PENDING}
    agent.read(10_000, m=2)
    assert agent.states == {"A": AlertState.PENDING}
    agent.read(10_000, m=2)
    assert agent.states == {"A": AlertState.FIRING}


def test_a_small_step_disturbs_nothing(tmp_path: Path) -> None:
    agent = Seeing(tmp_path, "alert: A, expr: 'increase(m[5m]) > 1'")
    for n in range(80):
        agent.read(15_000, m=float(n))
    agent.read(0, -3_000, m=80.0)
    agent.read(15_000, m=81.0)
    assert (agent.states, agent.series.set_back) == ({"A": AlertState.FIRING}, 0)


def test_a_turn_under_way_ends_and_the_next_one_judges_all(tmp_path: Path) -> None:
    """The samples that the rest of it would look at are gone, and what they covered with them."""
    agent = Seeing(tmp_path, "alert: A, expr: m > 1", "alert: B, expr: n > 1")
    alerts: Alerts = agent.sight.alerts
    turn = alerts.begin(START, None)
    assert alerts.next(turn) is not None
    alerts.begin_anew()
    assert alerts.next(turn) is None
    turn = alerts.begin(START + 1, Touched())
    assert [task.rule.name for task in iter(lambda: alerts.next(turn), None)] == ["A", "B"]


async def test_what_a_thread_found_meanwhile_means_nothing(tmp_path: Path) -> None:
    """It looked at the store when that was empty already: no alert ends by that."""
    agent = Agent(tmp_path / "rules", "alert: Slow, expr: slow > 1")
    running = asyncio.create_task(agent.judging.run())
    agent.take(slow=2)
    await agent.until(lambda: agent.firing() == {"Slow"}, "it fires")
    agent.series.open_.clear()
    reads = len(agent.series.threads(SLOW))
    agent.take(slow=2)
    await agent.until(lambda: len(agent.series.threads(SLOW)) > reads, "the thread is at it")
    agent.now -= BACK
    agent.take(other=0)
    await agent.until(lambda: agent.series.set_back == 1, "the clock is looked at")
    agent.series.open_.set()
    await agent.until(lambda: agent.health("Slow") is RuleHealth.COLD, "it is judged by what there is")
    assert agent.firing() == {"Slow"}
    running.cancel()
    agent.judging.close()
