"""Slow rules are judged in a thread, quick ones on the loop, and neither waits for the other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from agent.daemon import judging
from agent.daemon.judging import Judging
from agent.daemon.sight import Sight
from agent.model import AlertState, RuleHealth, Sample
from agent.promql.nodes import Matcher
from agent.promql.vectors import Newest
from agent.rulebook import load
from agent.series import Series, Touched

WAIT_S = 30
SLOW = "slow"
BURNS_S = 0.03  # of processor time: far more than a quick rule


class Watched(Series):
    """Knows which threads have read what. Reading `slow` costs; while `open_` is not set it lasts."""

    def __init__(self) -> None:
        super().__init__(3_600_000)
        self.read: list[tuple[str, str]] = []
        self.looked: list[tuple[str, str]] = []  # whether there is anything of it
        self.open_ = threading.Event()
        self.open_.set()

    def latest(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Newest:
        self.read.append((name or "", threading.current_thread().name))
        if name == SLOW:
            began = time.thread_time()
            while time.thread_time() - began < BURNS_S:
                pass
            assert self.open_.wait(WAIT_S)
        return super().latest(name, matchers, start, end)

    def has(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        self.looked.append((name or "", threading.current_thread().name))
        return super().has(name, matchers, start, end)

    def threads(self, name: str) -> list[str]:
        """Who read it, in order: loop or rules."""
        return [where(thread) for n, thread in self.read if n == name]

    def looks(self, name: str) -> list[str]:
        """Who looked for it, in order: loop or rules."""
        return [where(thread) for n, thread in self.looked if n == name]


def where(thread: str) -> str:
    """What a thread is for."""
    return "rules" if thread.startswith("rules") else "loop"


class Agent:
    """Rules, a store and what judges them."""

    def __init__(self, folder: Path, *rules: str) -> None:
        self.series = Watched()
        self.now = 1_800_000_000_000
        self.series.add([Sample("any", (), self.now - 3_600_000, 0.0)])  # long enough ago for every rule
        self.sight = self.sight_of(folder, *rules)
        self.changes = 0
        self.judging = Judging(lambda: self.now, self._changed)
        self._folders = 0

    def sight_of(self, folder: Path, *rules: str) -> Sight:
        """Rules, each a line of YAML, over this store."""
        folder.mkdir(exist_ok=True)
        text = "groups:\n  - name: g\n    rules:\n" + "".join(f"      - {{{rule}}}\n" for rule in rules)
        (folder / "alerts.yml").write_text(text)
        return Sight(load([folder], {}), self.series, lambda: None, 1)

    def take(self, **values: float) -> None:
        """New samples, a moment later; each is taken for a change, whatever it says."""
        self.now += 1
        touched = self.sight.take([Sample(name, (), self.now, value) for name, value in values.items()])
        self.judging.ask(self.sight, self.now, Touched.by_change(touched.names), frozenset())

    def firing(self) -> set[str]:
        """The names of what fires."""
        active = self.sight.alerts.active()
        return {alert.rule for alert in active if alert.state is AlertState.FIRING}

    def health(self, name: str) -> RuleHealth:
        """Of the alert with this name."""
        return self.sight.alerts.health(name)

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Fails with `what` when it does not come true, or when the judging has ended."""
        deadline = time.monotonic() + WAIT_S
        while not true():
            assert time.monotonic() < deadline, f"{what}; read: {Counter(self.series.read)}"
            await asyncio.sleep(0.002)

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    """One slow rule and one quick one, both judged twice, so that it is known what they cost."""
    made = Agent(tmp_path / "rules", "alert: Slow, expr: slow > 1", "alert: Quick, expr: quick > 1")
    running = asyncio.create_task(made.judging.run())
    for round_ in (1, 2):
        made.take(slow=0, quick=0)
        await made.until(partial(settled, made, round_), "both findings are taken")
    yield made
    made.series.open_.set()
    running.cancel()
    made.judging.close()
    await asyncio.gather(running, return_exceptions=True)


def settled(agent: Agent, times: int) -> bool:
    """Whether so many findings of each rule are in."""
    return agent.sight.alerts.judged[RuleHealth.OK] == 2 * times


async def test_what_was_slow_is_judged_in_the_thread_and_what_was_quick_on_the_loop(agent: Agent) -> None:
    """What it costs nobody knows the first time."""
    assert agent.series.threads(SLOW) == ["rules", "rules"]
    assert agent.series.threads("quick") == ["rules", "loop"]
    agent.take(slow=2, quick=2)
    await agent.until(lambda: agent.firing() == {"Slow", "Quick"}, "both fire")
    assert agent.series.threads(SLOW)[-1] == "rules"
    assert agent.series.threads("quick")[-1] == "loop"


async def test_a_quick_rule_does_not_wait_for_a_slow_one(agent: Agent) -> None:
    agent.series.open_.clear()
    agent.take(slow=2)
    await agent.until(lambda: len(agent.series.threads(SLOW)) == 3, "the thread is at it")
    before = agent.changes
    agent.take(quick=2)
    await agent.until(lambda: agent.firing() == {"Quick"}, "it fires")
    assert agent.changes > before
    agent.series.open_.set()
    await agent.until(lambda: agent.firing() == {"Slow", "Quick"}, "the slow one fires as well")


async def test_a_slow_rule_that_is_asked_for_often_is_judged_once_more(agent: Agent) -> None:
    """And sees the newest sample then."""
    agent.series.open_.clear()
    agent.take(slow=0)
    await agent.until(lambda: len(agent.series.threads(SLOW)) == 3, "the thread is at it")
    for value in (0, 0, 0, 2):
        agent.take(slow=value, quick=value)
        await agent.until(lambda: not agent.judging._wake.is_set(), "the turn is over")
    agent.series.open_.set()
    await agent.until(lambda: "Slow" in agent.firing(), "the newest sample is seen")
    assert len(agent.series.threads(SLOW)) == 4


async def test_what_a_slow_rule_records_is_read_by_others(tmp_path: Path) -> None:
    agent = Agent(
        tmp_path / "rules",
        "record: slow:max, expr: max(slow)",
        "alert: OfTheRecord, expr: slow:max > 1",
    )
    running = asyncio.create_task(agent.judging.run())
    agent.take(slow=2)
    await agent.until(lambda: agent.firing() == {"OfTheRecord"}, "what was recorded wakes its reader")
    agent.take(slow=0)
    await agent.until(lambda: agent.firing() == set(), "and so does what is recorded next")
    running.cancel()
    agent.judging.close()


async def test_what_comes_from_rules_that_are_out_of_force_is_not_taken(agent: Agent, tmp_path: Path) -> None:
    agent.series.open_.clear()
    agent.take(slow=2)
    await agent.until(lambda: len(agent.series.threads(SLOW)) == 3, "the thread is at it")
    agent.sight = agent.sight_of(tmp_path / "other", "alert: Other, expr: quick > 1")
    agent.take(quick=0)
    judged = agent.sight.alerts.judged
    await agent.until(lambda: bool(agent.judging._sight is agent.sight), "the others are judged")
    agent.series.open_.set()
    await agent.until(lambda: judged[RuleHealth.OK] == 1, "the new rule has been judged")
    agent.take(quick=0)
    await agent.until(lambda: judged[RuleHealth.OK] == 2, "and once more")
    assert agent.firing() == set()


async def test_a_rule_that_lacks_its_series_costs_no_thread(tmp_path: Path) -> None:
    """It is looked for on the loop; when it is there, what the rule costs is not known yet."""
    agent = Agent(tmp_path / "rules", "alert: Lacking, expr: lacking > 1 and any >= 0")
    running = asyncio.create_task(agent.judging.run())
    for times in (1, 2, 3):
        agent.take(any=0)
        await agent.until(lambda: agent.sight.alerts.judged.total() == times, "it is judged")  # noqa: B023
        assert agent.health("Lacking") is RuleHealth.BLIND
    assert agent.series.looks("lacking") == ["rules", "loop", "loop"]
    assert agent.series.threads("lacking") == []

    agent.take(lacking=2)
    await agent.until(lambda: agent.firing() == {"Lacking"}, "it fires")
    assert agent.series.threads("lacking") == ["rules"]
    running.cancel()
    agent.judging.close()
    await asyncio.gather(running, return_exceptions=True)


async def test_many_quick_rules_leave_the_loop_to_others_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "SLICE_S", 0.0)
    agent = Agent(tmp_path / "rules", *(f"alert: A{n}, expr: quick > {n}" for n in range(50)))
    running = asyncio.create_task(agent.judging.run())
    agent.take(quick=0.5)
    await agent.until(lambda: agent.sight.alerts.judged[RuleHealth.OK] == 50, "their cost is known")
    agent.take(quick=1.5)
    seen = set[int]()
    while agent.sight.alerts.judged[RuleHealth.OK] < 100:
        seen.add(agent.sight.alerts.judged[RuleHealth.OK])
        await asyncio.sleep(0)
    assert len(seen) > 25, "others came between most of them"
    running.cancel()
    agent.judging.close()


async def test_a_rule_that_takes_too_long_fails_in_words(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "RULE_S", -1.0)
    agent.take(slow=0)
    await agent.until(lambda: agent.health("Slow") is RuleHealth.FAILING, "it fails")
    assert "longer than it may" in agent.sight.alerts.why("Slow")


async def test_a_fault_of_ours_ends_the_judging(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes on as if its rules were judged."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    own = Judging(lambda: agent.now, lambda: None)
    monkeypatch.setattr(judging, "judge", broken)
    own.ask(agent.sight, agent.now, None, frozenset())
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(own.run(), WAIT_S)
    own.close()
