"""A restart, about which some of what was read vanished: its series end in the new life as in the old one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rule_files import SPECS, write

from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.model import AlertState, RuleHealth, Sample
from agent.rulebook import load
from agent.series import Series
from agent.series.snapshot import restore, written
from agent.sources import SourceFailed
from agent.sources.schedule import Polling

RULES = """\
groups:
  - name: all
    rules:
      - {alert: Stopped, expr: host_broker_stopped == 1, for: 10s}
      - {alert: Slow, expr: host_disk_write_await_seconds > 1}
      - {alert: Hidden, expr: 'ottla_source_unread{source="kernel"} == 1'}
      - {record: broker:stopped, expr: host_broker_stopped > 0}
      - {alert: OfRecorded, expr: 'broker:stopped == 1'}
"""
EVERY = 5_000
Given = dict[str, float]


class Told:
    """A source that gives what it is told to, that cannot read some of it, or that fails."""

    name, interval_ms, partial, metrics = "kernel", EVERY, True, ()

    def __init__(self) -> None:
        self.given: Given = {}
        self.unread = frozenset[str]()
        self.failed: dict[str, str] = {}
        self.fails = False

    async def read(self, now: int) -> list[Sample]:
        if self.fails:
            raise SourceFailed("it hangs")
        return [Sample(name, (), now, value) for name, value in self.given.items()]


class Host:
    """An agent over what one source reads, and its life after the next restart."""

    def __init__(self, folder: Path) -> None:
        self.now, self.source, self.series = 10_000_000_000, Told(), Series(7_200_000)
        self._book = load([write(folder, alerts=RULES)], SPECS)
        self._begin()

    def _begin(self) -> None:
        self.sight = Sight(self._book, self.series, lambda: None, 1)
        self.series.want(self.sight.windows)
        means = cast(Means, SimpleNamespace(clock=lambda: self.now))
        daemon = Daemon(means, self.sight, unread=["kernel"])
        self._polling = Polling(self.source, lambda samples: daemon.take(samples, self.now), lambda: self.now)

    def restart(self) -> None:
        kept, snapshot = self.sight.alerts.keep(), b"".join(written(self.series, set()))
        self.now += 2 * EVERY
        self.series = Series(7_200_000)
        restore(self.series, io.BytesIO(snapshot), self.now)
        self._begin()
        self.sight.resume([each for each in kept if each.alerts])

    async def read(self, readings: int = 1, **given: float) -> Sequence[str]:
        """What fires after so many readings."""
        self.source.given = given
        for _ in range(readings):
            self.now += EVERY
            await self._polling.once()
        return [a.rule for a in self.sight.alerts.active() if a.state is AlertState.FIRING]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


async def test_what_is_told_no_more_ends_with_the_second_reading(host: Host) -> None:
    """And is known to be absent: the rule is no blind spot, and its alert is not held for an hour."""
    assert await host.read(5, host_broker_up=1, host_broker_stopped=1) == ["Stopped", "OfRecorded"]
    host.restart()
    await host.read(2, host_broker_up=0)
    assert await host.read(1, host_broker_up=0) == []
    assert host.sight.alerts.health("Stopped") is RuleHealth.OK


async def test_what_a_rule_records_no_more_ends_too(host: Host) -> None:
    """A rule does not know either what it gave before."""
    assert "OfRecorded" in await host.read(5, host_broker_up=1, host_broker_stopped=1)
    host.restart()
    assert await host.read(2, host_broker_up=1, host_broker_stopped=0) == []
    assert host.sight.alerts.health("OfRecorded") is RuleHealth.OK


async def test_nothing_is_concluded_from_a_source_that_fails(host: Host) -> None:
    """Nor from what it cannot read; its first good readings tell."""
    await host.read(5, host_broker_up=1, host_broker_stopped=1)
    host.restart()
    host.source.fails = True
    assert "Stopped" in await host.read(100)
    host.source.fails, host.source.unread = False, frozenset({"host_broker_stopped"})
    assert "Stopped" in await host.read(100, host_broker_up=1)
    assert host.sight.alerts.health("Stopped") is RuleHealth.FAILING
    host.source.unread = frozenset()
    assert await host.read(2, host_broker_up=1) == []


async def test_what_takes_two_readings_goes_on(host: Host) -> None:
    """A mean of what happened between them: no alert ends for want of the first one's."""
    await host.read(5, host_disk_write_await_seconds=2)
    host.restart()
    assert await host.read(1, host_disk_io_now=1) == ["Slow"]
    assert await host.read(1, host_disk_write_await_seconds=2) == ["Slow"]
    assert await host.read(100, host_disk_write_await_seconds=2) == ["Slow"]


async def test_what_could_not_be_read_and_can_be_again(host: Host) -> None:
    """That is a series of its own, which ends with the second reading."""
    host.source.unread = frozenset({"host_broker_maps"})
    assert await host.read(5, host_broker_up=1) == ["Hidden"]
    host.restart()
    host.source.unread = frozenset()
    assert await host.read(2, host_broker_up=1) == []
