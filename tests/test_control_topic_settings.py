"""The topic's settings (coordination.md section 1): looked at again and again; to deviate is to degrade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from fake_log import FakeLog
from virtual_clock import now

from agent.control_topic import ControlTopic, ControlUnavailable, Settings, Surroundings, Times
from agent.control_topic.creation import configs
from agent.control_topic.settings_watch import AGAIN, EVERY
from agent.kafka.errors import KafkaUnreachable
from agent.kafka.metadata import PartitionInfo
from agent.rehearsal.virtual_time import run


@dataclass
class Topic:
    """What it is like, and how often that was asked."""

    log: FakeLog
    values: dict[str, str] = field(default_factory=lambda: configs(3))
    partitions: int = 1
    replicas: tuple[int, ...] = (1, 2, 3)
    brokers: int = 3
    unreadable: bool = False
    asked: int = 0

    async def describe(self) -> tuple[Sequence[PartitionInfo], Mapping[str, str], int]:
        """As Kafka tells it."""
        self.asked += 1
        if self.unreadable:
            raise KafkaUnreachable("broker 1", "no grant")
        one = PartitionInfo("ottla-control", 0, "id", 1, self.replicas, self.replicas, (), ())
        return [one] * self.partitions, self.values, self.brokers


def play(story: Callable[[Topic, ControlTopic], Coroutine[Any, Any, None]], **values: str) -> None:
    async def whole() -> None:
        topic = Topic(FakeLog(now))
        topic.values |= values
        settings = Settings("broker-1", "h", times=Times(settle=0, probation=0), create=True)
        agent = ControlTopic(topic.log, settings, Surroundings(now, describe=topic.describe))
        await agent.start()
        await asyncio.sleep(1)
        await story(topic, agent)
        await agent._life.stop()

    run(whole())


def test_a_deviation_is_found_at_the_start_and_ends_by_a_fresh_join() -> None:
    async def story(topic: Topic, agent: ControlTopic) -> None:
        assert agent.degraded == "ottla-control is not as it must be: retention.ms is 1000, and must be -1"
        with pytest.raises(ControlUnavailable, match=r"retention\.ms is 1000"):
            await agent.claim("throttle", ["throttle"], "p", "why")
        topic.values["retention.ms"] = "-1"
        await asyncio.sleep(AGAIN + 2)
        assert agent.degraded is None
        await agent.claim("throttle", ["throttle"], "p", "why")

    play(story, **{"retention.ms": "1000"})


def test_it_is_looked_at_every_five_minutes() -> None:
    async def story(topic: Topic, agent: ControlTopic) -> None:
        before = topic.asked
        assert agent.degraded is None
        await asyncio.sleep(EVERY / 2)
        assert topic.asked == before
        topic.values["unclean.leader.election.enable"] = "true"
        await asyncio.sleep(EVERY / 2 + 1)
        assert topic.asked == before + 1
        assert "unclean.leader.election.enable is true" in (agent.degraded or "")

    play(story)


def test_fewer_replicas_than_there_are_brokers_for_deviate() -> None:
    async def story(topic: Topic, agent: ControlTopic) -> None:
        topic.replicas, topic.brokers = (1,), 1
        topic.values = configs(1)
        await asyncio.sleep(EVERY + 1)
        assert agent.degraded is None, "one broker keeps one"
        topic.brokers = 5
        await asyncio.sleep(EVERY + 1)
        assert "ottla-control is not as it must be: it has 1 of 3 replicas" in (agent.degraded or "")

    play(story)


def test_it_is_looked_at_when_the_leader_changed() -> None:
    async def story(topic: Topic, agent: ControlTopic) -> None:
        topic.partitions = 2
        topic.log.epoch += 1
        await asyncio.sleep(10)
        assert "it has 2 partitions" in (agent.degraded or "")

    play(story)


def test_what_cannot_be_read_deviates_from_nothing() -> None:
    async def story(topic: Topic, agent: ControlTopic) -> None:
        topic.unreadable = True
        topic.log.epoch += 1
        await asyncio.sleep(10)
        before = topic.asked
        assert agent.degraded is None
        await asyncio.sleep(AGAIN + 1)
        assert topic.asked > before

    play(story)
