"""Whether an agent says that it is ready: its sources, its journal, and the log it belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from test_control_topic import Cluster, eventually

from agent.control_topic import ControlTopic
from agent.daemon.desk import Desk
from agent.daemon.scenes import Local
from agent.history import History
from agent.model import Policy, Sample
from agent.sources import MetricInfo, SourceFailed
from agent.sources.schedule import UP, Polling

NOW = 1_000_000


@dataclass
class Ledger:
    """Why its journal cannot be written."""

    failed: str | None = None
    history: History = field(default_factory=History)


@dataclass
class Answering:
    """A source, and what its next reading comes to."""

    name: str
    error: str = ""
    interval_ms: int = 1_000
    partial: bool = False
    metrics: tuple[MetricInfo, ...] = ()

    async def read(self, now: int) -> list[Sample]:
        """Nothing, or the error."""
        if self.error:
            raise SourceFailed(self.error)
        return []


def polled(source: Answering) -> Polling:
    """It, before its first reading has ended."""
    return Polling(source, lambda _: None, lambda: NOW)


@dataclass
class Parts:
    """What `ready` asks of the agent's means."""

    control: ControlTopic | None
    ledger: Ledger = field(default_factory=Ledger)
    started_at: int = 0

    def clock(self) -> int:
        """Long after the start, unless told otherwise."""
        return NOW

    async def local(self) -> Local:
        """Without a stop file."""
        return Local(1, Policy(), self.started_at)


@dataclass
class Daemon:
    """It carries nothing."""

    carriers: dict[str, object] = field(default_factory=dict)


def desk(parts: Parts, *pollings: Polling) -> Desk:
    """No part of it but those is asked."""
    unasked: Any = None
    return Desk(
        "broker-1",
        "0",
        cast(Any, parts),
        cast(Any, Daemon()),
        cast(Any, list(pollings)),
        unasked,
        0,
    )


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    it = Cluster()
    yield it
    for agent in it.agents:
        await Cluster.kill(agent)


async def test_an_agent_is_not_ready_while_the_log_cannot_be_used_and_is_again_after_it(
    cluster: Cluster,
) -> None:
    """Degraded mode, with its reason in the words that /readyz answers."""
    agent = await cluster.start(1)
    own = desk(Parts(agent))
    assert await own.ready() == (True, "ready")

    cluster.log.unwritable = "it is down"
    cluster.log.wake()
    await eventually(lambda: agent.degraded is not None, "degraded mode")
    ready, words = await own.ready()
    assert (ready, words) == (False, agent.degraded)
    assert words.startswith("control topic unreadable since ")

    cluster.log.unwritable = ""
    await eventually(lambda: agent.degraded is None and agent.caught_up, "the fresh join")
    assert await own.ready() == (True, "ready")


async def test_an_agent_that_has_not_joined_yet_is_not_ready(cluster: Cluster) -> None:
    agent = cluster.agent(1)
    assert await desk(Parts(agent)).ready() == (False, "not joined yet")


async def test_a_source_that_is_down_and_a_journal_that_cannot_be_written_are_said_together() -> None:
    down, up = polled(Answering("jmx", "no answer")), polled(Answering("host"))
    await down.once()
    await up.once()
    own = desk(Parts(None, Ledger("disk full")), down, up)
    assert await own.ready() == (False, "disk full; jmx: no answer")
    assert await desk(Parts(None), up).ready() == (True, "ready")


async def test_a_source_that_was_never_read_is_not_said_to_be_up() -> None:
    """Its first reading may hang for as long as the deadline is."""
    hung, up = polled(Answering("jmx")), polled(Answering("host"))
    await up.once()
    own = desk(Parts(None), hung, up)
    assert await own.ready() == (False, "jmx: not read yet")
    told = [(p.source.name, sample.value) for p in own.pollings for sample in p.own(NOW) if sample.name == UP]
    assert told == [("jmx", 0.0), ("host", 1.0)]
    assert [(s["name"], s["up"], s["why"]) for s in own.sources()] == [
        ("jmx", False, "not read yet"),
        ("host", True, ""),
    ]
    await hung.once()
    assert await own.ready() == (True, "ready")


async def test_an_agent_that_only_looks_yet_is_not_ready() -> None:
    grace = Policy().startup_grace_ms
    young = desk(Parts(None, started_at=NOW - grace + 1))
    assert await young.ready() == (False, "the agent looks for 30s before it acts")
    assert await desk(Parts(None, started_at=NOW - grace)).ready() == (True, "ready")
