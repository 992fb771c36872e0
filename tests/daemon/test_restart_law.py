"""A restart with snapshot and journal of different ages: no counter of log lines jumps or drops by itself."""

from __future__ import annotations

import asyncio
import io
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.daemon.sight import Sight
from agent.daemon.snapshots import Snapshots
from agent.model import LogPattern, Place, RuleHealth, Sample
from agent.rulebook import load
from agent.series import Series
from agent.series.snapshot import restore, written
from agent.sources.agent_itself import Saved
from agent.sources.logs import LogTail

PATTERN = LogPattern("bad", "*", r"bad line of (?P<topic>\w+)", "Lines", Place("logs.yml", 1, 1))
INTERVAL = 1000
MINUTE = 60_000


class Journal:
    """The one value that the log tail keeps; it may refuse to be written."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.full = False

    async def load(self) -> bytes | None:
        return self.value

    async def save(self, value: bytes) -> None:
        if self.full:
            raise OSError("no space")
        self.value = value


class Host:
    """A log, the agent's journal and snapshot on the disk, and one life of the agent after another."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "server.log"
        self.log.write_text("older line\n")
        self.folder, self.journal = folder, Journal()
        self.now, self.lines = 1_000_000_000, 0

    async def live(self) -> None:
        self.series = Series(60 * MINUTE)
        self.tail = LogTail([str(self.log)], [PATTERN], self.journal, INTERVAL, window_ms=60 * MINUTE)
        self.snapshots = Snapshots(self.series, self.folder, lambda: self.now, Saved(), self.tail.keep)
        await self.snapshots.load()

    async def read(self) -> None:
        self.now += INTERVAL
        try:
            self.series.add(await self.tail.read(self.now))
        except OSError:
            assert self.journal.full

    async def do(self, what: str) -> None:
        match what:
            case "write":
                with self.log.open("a") as file:
                    file.write("bad line of orders\nanother\n")
                self.lines += 1
            case "read":
                await self.read()
            case "glance":
                self.now += INTERVAL // 8
                self.series.add(await self.tail.glance(self.now))
            case "snapshot":
                await self.snapshots.save()
            case "crash":
                self.tail.close()
                self.now += 250  # sooner than the interval
                await self.live()
            case "long gone":
                self.tail.close()
                self.now += 3 * MINUTE
                await self.live()
            case "full" | "room":
                self.journal.full = what == "full"

    def grown(self) -> tuple[float, float]:
        """What the series of the lines grew by in all, a drop being a start from zero; and its last value."""
        found = self.series.select("log_bad_total", (), 0, self.now)
        every = [
            found.values[row, : found.counts[row]].tolist()
            for row, labels in enumerate(found.rows.labels)
            if ("topic", "orders") in labels
        ]
        if not every:
            return 0.0, 0.0
        values = every[0]
        steps = [b - a if b >= a else b for a, b in pairwise(values)]
        return sum(steps), values[-1] - values[0]


steps = st.sampled_from(
    ["write", "write", "read", "read", "glance", "glance", "snapshot", "crash", "long gone", "full", "room"]
)


@given(st.lists(steps, max_size=25))
@example(["write", "read", "full", "write", "read", "snapshot", "crash"])  # a journal older than the store
@example(["write", "read", "snapshot", "write", "read", "crash"])  # a newer one
@example(["snapshot", "write", "read", "crash"])  # a series that the store has never seen
@example(["snapshot", "write", "read", "write", "read", "read", "long gone"])
@example(["write", "read", "write", "glance", "snapshot", "long gone"])  # what no reading has saved yet
@example(["write", "read", "full", "write", "glance", "snapshot", "long gone"])  # or can save
@settings(max_examples=150)
def test_a_counter_of_lines_grows_by_the_lines_whatever_is_newer(what: list[str]) -> None:
    async def story(host: Host) -> None:
        await host.live()
        await host.read()
        for each in what:
            await host.do(each)
        await host.do("room")
        for _ in range(3):
            await host.read()
        host.tail.close()

    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder))
        asyncio.run(story(host))
        grown, difference = host.grown()
        assert grown == difference == host.lines  # it never fell


def sight_of(folder: Path, series: Series) -> Sight:
    expr = "increase(log_bad_total[10m]) > 0"
    alerts = ALERTS.replace("host_log_dir_used_ratio > 0.85", expr).replace("for: 1m", "for: 0s")
    sight = Sight(load([write(folder, alerts=alerts, remedies=REMEDIES)], SPECS), series, lambda: None, 1)
    series.want(sight.windows)
    return sight


@pytest.mark.parametrize(
    ("away", "health"), [(4 * MINUTE, RuleHealth.OK), (6 * MINUTE, RuleHealth.COLD)], ids=["short", "long"]
)
def test_a_range_rule_is_judged_at_once_after_a_restart_within_the_lookback(
    tmp_path: Path, away: int, health: RuleHealth
) -> None:
    """After a longer one nobody knows what was in between: it is cold until its window is full again."""
    now, labels = 1_000_000_000, (("path", "/d"),)
    former = Series(60 * MINUTE)
    sight_of(tmp_path, former)
    former.add(Sample("log_bad_total", labels, now - at, 1.0) for at in range(11 * MINUTE, -1, -15_000))
    series = Series(60 * MINUTE)
    restore(series, io.BytesIO(b"".join(written(former, set()))), now + away)
    sight = sight_of(tmp_path, series)
    at = now + away
    sight.judge(at, sight.take([Sample("log_bad_total", labels, at, 3.0)]), frozenset())
    assert sight.alerts.health("LogDirFillingUp") is health
    assert bool(sight.firing()) is (health is RuleHealth.OK)


def test_a_metric_that_a_reload_brings_is_cold_alone(tmp_path: Path) -> None:
    """Its window is not full because others' are."""
    now, labels = 1_000_000_000, (("path", "/d"),)
    series = Series(60 * MINUTE, {"other": 11 * MINUTE})
    series.add(Sample("other", labels, now - at, 1.0) for at in range(30 * MINUTE, -1, -15_000))
    sight = sight_of(tmp_path, series)
    for at in (now + 15_000, now + 9 * MINUTE, now + 10 * MINUTE + 15_000):
        sight.judge(at, sight.take([Sample("log_bad_total", labels, at, float(at))]), frozenset())
        cold = sight.alerts.health("LogDirFillingUp") is RuleHealth.COLD
        assert cold is (at < now + 10 * MINUTE)
