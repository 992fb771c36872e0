"""A topic that was made again, over logs in memory, in virtual time: who begins nothing there, and until when
(coordination.md section 9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from fake_log import FakeLog
from shelf import Shelf
from virtual_clock import eventually, now

from agent.control.former import Followed
from agent.control_topic import LAB, ControlTopic, NotAccepted, Settings, Surroundings
from agent.control_topic.birth import bear
from agent.kafka.errors import KafkaError, LogGone, LogRecreated
from agent.rehearsal.virtual_time import run


def settings(number: int) -> Settings:
    return Settings(f"broker-{number}", f"host{number}", times=LAB, create=True)


def _has_joined(agent: ControlTopic) -> bool:
    return agent.degraded is None


def _has_ended(agent: ControlTopic) -> bool:
    return agent._life.member.halted


class Fleet:
    """Three agents on the first log, and what befalls it."""

    def __init__(self) -> None:
        self.shelves = {number: Shelf() for number in (1, 2, 3, 4)}
        self.log = FakeLog(now)
        self.agents: dict[int, ControlTopic] = {}

    async def start(self, *numbers: int) -> None:
        """Processes that have joined the log that is there now."""
        for number in numbers:
            around = Surroundings(now, memory=self.shelves[number])
            self.agents[number] = agent = ControlTopic(self.log, settings(number), around)
            await agent.start()
            await eventually(partial(_has_joined, agent), "the join")

    async def stop(self, *numbers: int) -> None:
        """They end without a word."""
        for number in numbers:
            await self.agents.pop(number)._life.stop()

    def fail(self, error: KafkaError) -> None:
        """All reads and writes from now on."""

        async def failing(*_: object, **__: object) -> Any:
            await asyncio.sleep(0)
            raise error

        self.log.fetch = self.log.append = self.log.bounds = failing  # type: ignore[method-assign]
        self.log.wake()

    async def make_again(self, *followers: int) -> None:
        """Its topic is; the agents that run see it, and end."""
        self.fail(LogRecreated("ottla-control", "topic-1", "topic-2"))
        for number in followers:
            await eventually(partial(_has_ended, self.agents[number]), "the halt")
        await asyncio.sleep(0.1)
        await self.stop(*followers)
        self.log = FakeLog(now, topic_id="topic-2")
        await bear(self.log, settings(1), after="topic-1")

    async def claim(self, number: int) -> str:
        """Empty where it was accepted, else why it was not."""
        try:
            await self.agents[number].claim("throttle", ("throttle",), f"p{number}", "too slow")
        except NotAccepted as error:
            return str(error)
        return ""

    def followed(self, number: int) -> Followed | None:
        return self.agents[number]._life.hearing.keeping.kept.followed


async def _all_followed() -> None:
    fleet = Fleet()
    await fleet.start(1, 2, 3)
    await asyncio.sleep(3)
    await fleet.make_again(1, 2, 3)
    await fleet.start(1, 2)
    why = await fleet.claim(1)
    assert why.startswith("the log was made again, and these of the former have yet to join it: broker-3;")
    assert fleet.agents[1].held_back() == [why]
    await fleet.start(3, 4)
    await asyncio.sleep(1)
    assert [await fleet.claim(number) for number in (1, 2, 3)] == ["", "", ""]
    assert fleet.agents[1].held_back() == []
    assert "had not followed the former to its end" in await fleet.claim(4), "it never knew anybody"
    await asyncio.sleep(LAB.cooldown / 1_000)
    assert await fleet.claim(4) == ""
    await fleet.stop(1, 2, 3, 4)


async def _one_was_down() -> None:
    fleet = Fleet()
    await fleet.start(1, 2, 3)
    await asyncio.sleep(3)
    await fleet.stop(3)
    await asyncio.sleep(1)
    await fleet.make_again(1, 2)
    await fleet.start(1, 2, 3)
    assert fleet.followed(3) is None
    assert "had not followed the former to its end" in await fleet.claim(3)
    await eventually(lambda: not fleet.agents[1].held_back(), "the join of 3 seen")
    assert await fleet.claim(1) == ""
    await fleet.stop(3)
    await fleet.start(3)  # a former life has joined the log already
    assert "had not followed the former to its end" in await fleet.claim(3)
    await fleet.stop(1, 2, 3)


async def _gone_for_long() -> None:
    fleet = Fleet()
    await fleet.start(1, 2)
    await asyncio.sleep(3)
    fleet.fail(LogGone("ottla-control"))
    await asyncio.sleep(120)
    assert fleet.agents[1].degraded is not None
    await fleet.make_again(1, 2)
    await fleet.start(1)
    assert fleet.followed(1) == Followed("topic-1", ("broker-2",))
    await fleet.stop(1)


async def _cut_off() -> None:
    fleet = Fleet()
    await fleet.start(1, 2)
    await asyncio.sleep(3)
    fleet.fail(KafkaError("no answer"))
    await asyncio.sleep(LAB.probation / 1_000)
    await fleet.make_again(1, 2)
    await fleet.start(1)
    assert fleet.followed(1) is None, "others may have gone on meanwhile"
    await fleet.stop(1)


@pytest.mark.parametrize("story", [_all_followed, _one_was_down, _gone_for_long, _cut_off])
def test_section_9_nothing_is_begun_before_all_are_heard_who_may_know_more(
    story: Callable[[], Any],
) -> None:
    run(story())
