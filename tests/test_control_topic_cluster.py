"""Whose log it is (coordination.md section 4, rule 1): genesis names the cluster, joins the rack, and an
agent of another cluster does nothing with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from fake_log import FakeLog
from shelf import Shelf
from virtual_clock import now

from agent.control_topic import ControlTopic, ControlUnavailable, Settings, Surroundings, Times
from agent.control_topic.own_cluster import EVERY, PATIENCE
from agent.kafka.errors import KafkaUnreachable
from agent.kafka.metadata import Place
from agent.rehearsal.virtual_time import run

TIMES = Times(settle=0, probation=0)


@dataclass
class Brokers:
    """The own ones, as they tell of themselves."""

    place: Place = field(default_factory=lambda: Place("cluster-A", "rack-2"))
    asked: int = 0
    fault: str = ""  # why nothing is told; "hung": no answer at all

    async def where(self) -> Place:
        """Admin.place."""
        self.asked += 1
        if self.fault == "hung":
            await asyncio.sleep(3_600)
        if self.fault:
            raise KafkaUnreachable("broker 1", self.fault)
        return self.place


@dataclass
class Fleet:
    """A log, and whoever takes part in it."""

    log: FakeLog
    agents: list[ControlTopic] = field(default_factory=list)

    async def start(self, number: int, brokers: Brokers, shelf: Shelf | None = None) -> ControlTopic:
        """It has joined, or cannot."""
        settings = Settings(f"broker-{number}", f"h{number}", times=TIMES, create=True)
        around = Surroundings(now, place=brokers.where, memory=shelf)
        self.agents.append(ControlTopic(self.log, settings, around))
        await self.agents[-1].start()
        return self.agents[-1]


def play(story: Callable[[Fleet], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        fleet = Fleet(FakeLog(now))
        await story(fleet)
        for agent in fleet.agents:
            await agent._life.stop()

    run(whole())


def racks(agent: ControlTopic) -> dict[str, str]:
    return {session.agent: session.rack for session in agent.state.sessions.values()}


def test_genesis_names_the_cluster_and_joins_the_rack() -> None:
    async def story(fleet: Fleet) -> None:
        one = await fleet.start(1, Brokers())
        await fleet.start(2, Brokers(Place("cluster-A", "")))
        await asyncio.sleep(10)
        assert one.degraded is None
        assert one.state.cluster == "cluster-A"
        assert racks(one) == {"broker-1": "rack-2", "broker-2": ""}

    play(story)


def test_an_agent_of_another_cluster_writes_nothing_and_says_why() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.start(1, Brokers())
        brokers = Brokers(Place("cluster-B", ""))
        other = await fleet.start(2, brokers)
        assert other.degraded == (
            "the log topic-1 is of the cluster cluster-A, and this agent's is cluster-B: "
            "name its own control topic (control.topic, control.bootstrap_servers)"
        )
        assert not other.joining
        with pytest.raises(ControlUnavailable, match="is of the cluster cluster-A"):
            await other.claim("throttle", ["throttle"], "p", "why")
        before = brokers.asked
        fleet.log.unreadable = "for a moment"
        await asyncio.sleep(1)
        fleet.log.unreadable = ""
        await asyncio.sleep(2 * EVERY)
        assert brokers.asked <= before + 3
        assert (other.degraded or "").startswith("the log topic-1 is of the cluster cluster-A")
        assert b"broker-2" not in b"".join(record.value for record in fleet.log.records)

    play(story)


@pytest.mark.parametrize("fault", ["refused", "hung"])
def test_nobody_joins_before_it_knows_whose_agent_it_is(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(fleet: Fleet) -> None:
        brokers = Brokers(fault=fault)
        one = await fleet.start(1, brokers)
        await asyncio.sleep(PATIENCE + 30)
        assert (one.degraded or "").startswith("the own brokers do not say of which cluster they are: ")
        assert fleet.log.records == []
        brokers.fault = ""
        await asyncio.sleep(PATIENCE + 5)
        assert one.degraded is None
        assert one.state.cluster == "cluster-A"

    with caplog.at_level(logging.WARNING):
        play(story)
    assert len(caplog.records) < 5  # not one for each attempt


def test_an_agent_whose_brokers_are_down_joins_the_log_that_it_belongs_to_and_no_other() -> None:
    """The patient may be the own cluster, and the log another one's."""

    async def story(fleet: Fleet) -> None:
        shelf = Shelf()
        first = await fleet.start(1, Brokers(), shelf)
        await asyncio.sleep(10)
        await first._life.stop()
        again = await fleet.start(1, Brokers(fault="refused"), shelf)
        await asyncio.sleep(PATIENCE + 10)
        assert again.degraded is None

    play(story)


def test_a_broker_that_the_cluster_does_not_list_keeps_the_rack_that_it_had() -> None:
    async def story(fleet: Fleet) -> None:
        brokers = Brokers()
        one = await fleet.start(1, brokers)
        await asyncio.sleep(EVERY)
        brokers.place = Place("cluster-A", None)
        one._life.member.lose("the session ended")
        await asyncio.sleep(10)
        assert one.degraded is None
        assert racks(one) == {"broker-1": "rack-2"}
        assert len([r for r in fleet.log.records if b'"t":"join"' in r.value]) == 2

    play(story)


def test_a_log_that_does_not_say_whose_it_is_takes_everybody() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.start(1, Brokers(Place("", None)))
        two = await fleet.start(2, Brokers(Place("cluster-B", "")))
        await asyncio.sleep(10)
        assert (two.degraded, two.state.cluster) == (None, "")

    play(story)
