"""A log is born by a person, perhaps in place of another one; the whole of it can be walked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fake_log import FakeLog
from shelf import Shelf
from test_control_topic import QUICK, Cluster, eventually, now

from agent.control.times import Settings
from agent.control_topic.birth import AlreadyBorn, bear, folded, walk
from agent.control_topic.creation import configs
from agent.control_topic.follower import ShorterLog
from agent.control_topic.settings_check import deviations
from agent.kafka.metadata import PartitionInfo

SETTINGS = Settings("broker-1", "host1", times=QUICK)


@pytest.mark.parametrize("fault", ["", "landed", "lost", "twice"])
async def test_a_log_is_born_once(fault: str) -> None:
    log = FakeLog(now)
    log.doubt = [fault] if fault else []
    state = await bear(log, SETTINGS)

    assert (state.log, state.after, state.params) == ("topic-1", "", QUICK.params())
    with pytest.raises(AlreadyBorn, match="the log topic-1 is born already"):
        await bear(log, SETTINGS)


async def test_garbage_before_it_keeps_no_log_from_being_born() -> None:
    log = FakeLog(now)
    await log.land(b"\xff")
    assert (await bear(log, SETTINGS)).log == "topic-1"


async def test_an_agent_that_was_faster_is_told_of() -> None:
    """It bore the log without a word of the one that was lost."""
    cluster = Cluster()
    cluster.log.doubt = ["late"]
    birth = asyncio.create_task(bear(cluster.log, SETTINGS, "topic-0"))
    await eventually(lambda: cluster.log.late, "the genesis that is under way")
    agent = await cluster.start(2)
    with pytest.raises(AlreadyBorn, match="the log topic-1 is born already"):
        await asyncio.wait_for(birth, 10)
    await cluster.kill(agent)


async def test_agents_of_a_lost_log_go_on_in_the_one_that_takes_its_place() -> None:
    cluster, shelf = Cluster(), Shelf()
    one = await cluster.start(1, shelf)
    await eventually(lambda: shelf.value, "the pin")
    await cluster.kill(one)
    cluster.log = FakeLog(now, topic_id="topic-2")
    again = cluster.agent(1, shelf=shelf)
    await again.start()
    assert "ottla control init --after topic-1" in str(again.degraded)
    state = await bear(cluster.log, SETTINGS, "topic-1")
    assert state.after == "topic-1"
    await eventually(lambda: again.degraded is None, "its join")
    await cluster.kill(again)


async def test_the_whole_log_is_walked_as_agents_fold_it() -> None:
    cluster = Cluster()
    one = await cluster.start(1)
    await cluster.log.land(b"\xff")
    await cluster.log.unreadable_batch(3)
    await one.barrier()
    await cluster.kill(one)
    seen = [(state.offset, verdict.void) async for state, verdict in walk(cluster.log)]

    assert [offset for offset, _ in seen] == list(range(len(cluster.log.records)))
    assert sum(void == "not printable ASCII" for _, void in seen) == 4
    assert (await folded(cluster.log)).digest == one.state.digest


async def test_who_follows_outlives_a_leader_that_has_yet_to_catch_up() -> None:
    log = FakeLog(now)
    await bear(log, SETTINGS)
    seen: list[int] = []

    async def follow() -> None:
        async for state, _ in walk(log, follow=True):
            seen.append(state.offset)

    following = asyncio.create_task(follow())
    await eventually(lambda: seen == [0], "the first record")
    log.hidden = True
    log.wake()
    fetched = log.fetches
    await eventually(lambda: log.fetches > fetched + 1, "a read of the short log")
    log.hidden = False
    await log.land(b"\xff")
    await eventually(lambda: seen == [0, 1], "what came after")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_who_reads_once_is_told_of_a_log_that_became_shorter() -> None:
    log = FakeLog(now)
    await bear(log, SETTINGS)
    for _ in range(60):  # more than one read
        await log.land(b"\xff")
    walked = walk(log)
    while log.hidden is False:
        state, _ = await anext(walked)
        log.hidden = state.offset >= 40
    with pytest.raises(ShorterLog):
        await asyncio.wait_for(drain(walked), 10)


async def drain(walked: AsyncIterator[object]) -> None:
    """To its end."""
    async for _ in walked:
        pass


def partition(*replicas: int, number: int = 0) -> PartitionInfo:
    """One of the topic's."""
    return PartitionInfo("ottla-control", number, "id", 1, replicas, replicas, (), ())


@pytest.mark.parametrize("brokers", [1, 2, 3, 5])
def test_the_topic_as_it_is_made_deviates_in_nothing(brokers: int) -> None:
    replicas = min(3, brokers)
    assert deviations([partition(*range(replicas))], configs(replicas), brokers) == ()


@pytest.mark.parametrize(("key", "value"), sorted(configs(3).items()))
def test_each_setting_is_held_to(key: str, value: str) -> None:
    wrong = {**configs(3), key: "another"}
    assert deviations([partition(1, 2, 3)], wrong, 3) == (f"{key} is another, and must be {value}",)
    del wrong[key]
    assert deviations([partition(1, 2, 3)], wrong, 3) == (f"{key} is unknown, and must be {value}",)


def test_replicas_and_partitions_are_held_to() -> None:
    assert deviations([partition(1)], configs(1), 3) == ("it has 1 of 3 replicas",)
    two = [partition(1, 2, 3), partition(1, 2, 3, number=1)]
    assert deviations(two, configs(3), 3) == ("it has 2 partitions, and must have 1",)
