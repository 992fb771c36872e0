"""An agent that may make the control topic (`control.create: true`), in virtual time over a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from fake_log import FakeLog
from fenced_cluster import TIMES, boot_ms

from agent.control_topic import ControlTopic, Settings, Surroundings
from agent.control_topic.creation import TOPIC_ALREADY_EXISTS, configs
from agent.kafka.errors import KafkaRefused, KafkaUnreachable
from agent.kafka.metadata import PartitionInfo
from agent.rehearsal.virtual_time import run

HOUR = 3_600.0


class Unmade(FakeLog):
    """Its topic may be missing; its id is known once it was asked."""

    def __init__(self, *, there: bool) -> None:
        super().__init__(boot_ms, "")
        self.there = there

    async def bounds(self) -> tuple[int, int]:
        """Of the topic, if it is there."""
        await asyncio.sleep(0.01)
        if not self.there:
            raise KafkaUnreachable("topic ottla-control", "it has no partition 0")
        self.topic_id = "topic-1"
        return await super().bounds()


@dataclass
class Scene:
    """The topic, and what an agent asks of it."""

    log: Unmade
    forbidden: str = ""
    silent: bool = False  # nothing tells whether it is there
    unlooked: bool = False  # its settings may not be asked for
    tries: int = 0

    async def create(self, *_: object) -> None:
        """CreateTopics."""
        self.tries += 1
        if self.forbidden:
            raise KafkaRefused("create_topics", 29, self.forbidden)
        if self.log.there:
            raise KafkaRefused("create_topics", TOPIC_ALREADY_EXISTS, None)
        self.log.there = True

    async def describe(self) -> Any:
        """As it must be."""
        if self.silent:
            raise KafkaUnreachable("broker 1", "no answer")
        if self.unlooked:
            raise KafkaRefused("describe_configs", 29, None)
        made = PartitionInfo("ottla-control", 0, "topic-1", 1, (1, 2, 3), (1, 2, 3), (), ())
        return ([made] if self.log.there else []), configs(3), 3

    def agent(self) -> ControlTopic:
        """One that may make it."""
        settings = Settings("broker-1", "h", times=TIMES, create=True)
        around = Surroundings(boot_ms, self.create, boot_ms, describe=self.describe)
        return ControlTopic(self.log, settings, around)


def play(story: Callable[[Scene], Coroutine[Any, Any, None]], *, there: bool) -> None:
    async def whole() -> None:
        await story(Scene(Unmade(there=there)))

    run(whole())


def test_a_topic_that_is_missing_is_made_at_once() -> None:
    async def story(scene: Scene) -> None:
        one = scene.agent()
        begun = boot_ms()
        await one.start()
        assert (one.degraded, scene.tries) == (None, 1)
        assert boot_ms() - begun < 1_000
        await one.close()

    play(story, there=False)


def test_a_topic_that_is_there_is_read_and_not_made() -> None:
    async def story(scene: Scene) -> None:
        one = scene.agent()
        await one.start()
        assert (one.degraded, scene.tries) == (None, 0)
        await one.close()

    play(story, there=True)


@pytest.mark.parametrize("there", [False, True])
def test_who_may_not_look_for_it_makes_it_once(there: bool) -> None:
    """Or hears that it is there."""

    async def story(scene: Scene) -> None:
        scene.unlooked = True
        one = scene.agent()
        await one.start()
        await asyncio.sleep(HOUR)
        assert (one.degraded, scene.tries) == (None, 1)
        await one.close()

    play(story, there=there)


def test_where_nothing_tells_whether_it_is_there_it_is_read_all_the_same() -> None:
    async def story(scene: Scene) -> None:
        scene.silent = True
        one = scene.agent()
        await one.start()
        assert (one.degraded, scene.tries) == (None, 0)
        await one.close()

    play(story, there=True)


def test_who_may_not_make_it_tries_seldom_and_joins_when_another_has_made_it() -> None:
    async def story(scene: Scene) -> None:
        scene.forbidden = "not for you"
        one = scene.agent()
        await one.start()
        await asyncio.sleep(HOUR)
        assert "unreadable since" in (one.degraded or "")
        assert 100 < scene.tries < 130
        scene.log.there = True
        async with asyncio.timeout(60):
            await one._life.until(lambda: one.degraded is None)
        await one.close()

    play(story, there=False)
