"""A wall clock that is set forward makes nobody look for longer, and no alert wait for longer."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import decision
from test_set_back import Seeing

from agent.alerts import judge
from agent.assembly import clocks
from agent.assembly.hands import make_ports
from agent.daemon.freshness import Freshness
from agent.gate import World
from agent.model import AlertState, Policy, RuleHealth, Sample
from agent.sources.host import LogDirs

MINUTE, HOUR = 60_000, 3_600_000
READ = 15_000
COLD, OK = RuleHealth.COLD, RuleHealth.OK
STEPS = st.sampled_from([0, 0, 0, 4_000, -4_000]) | st.integers(-2 * HOUR, 2 * HOUR)
FORWARD = pytest.mark.parametrize("forward", [MINUTE, 4 * MINUTE, 10 * MINUTE, 2 * HOUR])


@FORWARD
@pytest.mark.parametrize("looked", [MINUTE, HOUR])
def test_what_looks_back_waits_until_its_window_was_seen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, forward: int, looked: int
) -> None:
    """What is in the window from before is less than the window says; what nobody saw is not absent."""
    agent = Seeing(
        tmp_path,
        "alert: A, expr: 'max_over_time(m[10m]) < 1'",
        "alert: B, expr: 'absent_over_time(n[10m])'",
        "alert: C, expr: m < 1",
    )
    agent.read(0, m=2, n=1)
    for _ in range(looked // READ):
        agent.read(READ, m=2, n=1)
    agent.read(READ, forward, m=0)
    for _ in range(10 * MINUTE // READ):
        assert {name: agent.sight.alerts.health(name) for name in "ABC"} == {"A": COLD, "B": COLD, "C": OK}
        assert agent.states == {"C": AlertState.FIRING}
        agent.read(READ, m=0)
    assert agent.states == dict.fromkeys("ABC", AlertState.FIRING)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_no_copy_is_taken_to_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes without progress end a drain, and a measured flow is what came in the time between."""
    nothing = cast(Any, SimpleNamespace(broker=SimpleNamespace(node_id=1), policy=Policy()))
    ports, real = make_ports(nothing, nothing, LogDirs([], 1_000), nothing), time.time_ns
    before = ports.steady()
    monkeypatch.setattr(time, "time_ns", lambda: real() + 11 * MINUTE * 1_000_000)
    assert 0 <= ports.steady() - before < MINUTE


@FORWARD
def test_an_alert_that_waits_goes_on_where_it_was(tmp_path: Path, forward: int) -> None:
    agent = Seeing(tmp_path, "alert: A, expr: m > 1, for: 1m")
    for _ in range(4):
        agent.read(READ, m=2)
    assert agent.states == {"A": AlertState.PENDING}
    agent.read(10_000, forward, m=2)
    assert agent.states == {"A": AlertState.PENDING}
    agent.read(5_000, m=2)
    assert agent.states == {"A": AlertState.FIRING}


@FORWARD
def test_what_fires_goes_on_and_what_is_kept_firing_ends_no_sooner(tmp_path: Path, forward: int) -> None:
    """No incident ends, and none begins, by a clock."""
    agent = Seeing(tmp_path, "alert: A, expr: m > 1", "alert: B, expr: n > 1, keep_firing_for: 1m")
    agent.read(READ, m=2, n=2)
    (before, _) = agent.sight.alerts.active()
    agent.read(READ, m=2, n=0)
    agent.read(30_000, forward, m=2, n=0)
    assert agent.sight.alerts.active()[0] == before
    assert agent.states == dict.fromkeys("AB", AlertState.FIRING)
    agent.read(30_000, m=2, n=0)
    assert agent.states == {"A": AlertState.FIRING}


@FORWARD
def test_nor_does_a_restart_right_after_it_count_it(tmp_path: Path, forward: int) -> None:
    """Nor twice: what is kept tells when the rule was seen by the clock as it is set now."""
    agent = Seeing(tmp_path, rule := "alert: A, expr: m > 1, for: 1m")
    for _ in range(3):
        agent.read(READ, m=2)
    agent.step(forward)
    again = Seeing(tmp_path, rule)
    again.now = agent.now
    again.sight.resume(agent.sight.alerts.keep())
    again.read(0, other=0)  # the rule is not judged by that
    again.step(forward)
    for _ in range(2):
        again.read(READ, m=2)
        assert again.states == {"A": AlertState.PENDING}
    again.read(READ, m=2)
    assert again.states == {"A": AlertState.FIRING}


def test_a_finding_from_before_begins_no_alert(tmp_path: Path) -> None:
    """It would have waited for as long as the clock was set forward."""
    agent = Seeing(tmp_path, "alert: A, expr: m > 1, for: 5m")
    agent.sight.take([Sample("m", (), agent.now, 2)])
    ground, turn = agent.sight.begin(agent.now, None, frozenset())
    task = agent.sight.alerts.next(turn)
    assert task is not None
    agent.step(HOUR)
    agent.sight.learn(judge(task, ground), turn)
    assert agent.states == {}


def test_a_broker_that_came_back_has_as_long_until_its_replicas_are_in_sync(tmp_path: Path) -> None:
    agent = Seeing(tmp_path, "alert: A, expr: m > 1")

    def returning(fenced: set[int]) -> bool:
        agent.sight.world = lambda: World(agent.now, 2, frozenset(fenced))
        return agent.sight.view(decision(), Freshness(0, 0), None, agent.now).returning

    agent.read(READ, m=0)
    assert returning({1})
    agent.read(READ, 2 * HOUR, m=0)
    assert returning(set())
    agent.read(MINUTE, m=0)
    assert not returning(set())


@pytest.mark.parametrize("set_by", [4_000, -4_000])
def test_a_small_step_disturbs_nothing(tmp_path: Path, set_by: int) -> None:
    agent = Seeing(tmp_path, "alert: A, expr: 'increase(m[5m]) > 1'")
    for n in range(80):
        agent.read(READ, m=float(n))
    agent.read(READ, set_by, m=80.0)
    assert agent.states == {"A": AlertState.FIRING}


def test_readings_that_are_far_apart_are_no_step(tmp_path: Path) -> None:
    agent = Seeing(tmp_path, "alert: A, expr: 'increase(m[30m]) > 1'")
    for n in range(7):
        agent.read(5 * MINUTE, m=float(n))
    assert agent.states == {"A": AlertState.FIRING}


@given(
    steps=st.lists(st.tuples(st.integers(1, 30_000), STEPS), max_size=30),
    window=st.sampled_from([MINUTE, 5 * MINUTE]),
)
def test_no_clock_makes_a_rule_warm_before_it_looked(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], window: int
) -> None:
    """Nor before it looked for so long since the last step; the small ones are borne."""
    agent = Seeing(
        tmp_path_factory.mktemp("rules"), f"alert: A, expr: 'count_over_time(m[{window // MINUTE}m]) < 0'"
    )
    agent.read(0, m=1)
    since = borne = 0.0
    for after_ms, set_by in steps:
        agent.read(after_ms, set_by, m=1)
        if set_by > 5_000:
            since, borne = agent.ran, 0
        borne += max(set_by, 0) if set_by <= 5_000 else 0
        if agent.ran - since + borne < window:
            assert agent.sight.alerts.health("A") is COLD


def test_nor_does_it_shorten_the_time_for_which_the_agent_looks_before_it_acts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, ran = 1_000 * HOUR, 5_000.0
    monkeypatch.setattr(clocks, "clock", lambda: now)
    monkeypatch.setattr(clocks, "steady", lambda: ran)
    woke = ran
    for passes, set_by in ((0, 0), (10_000, 0), (1_000, 2 * HOUR), (1_000, -5 * HOUR)):
        ran += passes
        now += passes + set_by
        assert now - clocks.looking_since(woke) == ran - woke
