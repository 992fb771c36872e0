"""Rule 11 of coordination.md section 4: what is owed is owed until a join tells it that stays in the log."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from scribe import Scribe

from agent.control.carried import Carried, carried, owing, pack
from agent.control_topic.keeping import Keeping


class Disk:
    """A memory whose writes end when they are let."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def load(self) -> bytes | None:
        return self.value

    async def save(self, value: bytes) -> None:
        await self.free.wait()
        self.value = value


async def turns() -> None:
    """Whatever can go on goes on until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("first", ["losing", "joined"])
async def test_rule_11_a_join_that_went_with_the_tail_has_told_nothing(first: str) -> None:
    """Be the loss seen before or after its agent knows that the join was accepted."""
    log = Scribe.born()
    log.dirty(log.join("broker-1"), "x:a")
    disk = Disk()
    keeping = Keeping(disk, "broker-1")
    keeping.kept = owing(carried(log.state, "broker-1", Carried()))
    await keeping.join(log.state)

    disk.free.clear()
    calls = {"losing": keeping.losing, "joined": keeping.joined}
    tasks = [asyncio.ensure_future(calls.pop(first)(log.state))]
    await turns()
    tasks += [asyncio.ensure_future(call(log.state)) for call in calls.values()]
    await turns()
    disk.free.set()
    await asyncio.gather(*tasks)

    assert keeping.kept.owed
    assert [item["claim"] for item in keeping.kept.redeclare] == list(log.state.claims)
    again = Keeping(disk, "broker-1")
    await again.load()
    assert again.kept == keeping.kept
    assert (await again.join(Scribe.born().state)).owed


async def test_rule_11_a_join_that_stays_owes_nothing_more() -> None:
    log = Scribe.born()
    log.dirty(log.join("broker-1"), "x:a")
    keeping = Keeping(Disk(), "broker-1")
    keeping.kept = owing(carried(log.state, "broker-1", Carried()))
    await keeping.join(log.state)
    await keeping.joined(log.state)
    assert not keeping.kept.owed


async def test_rule_1_a_log_that_is_another_agents_takes_nothing_of_what_is_kept() -> None:
    """The topic was made by one who knew nothing of the former log, and is made again in its place."""
    own, disk = Scribe.born(), Disk()
    own.dirty(own.join("broker-1"), "x:a")
    keeping = Keeping(disk, "broker-1")
    await keeping.keep(own.state)
    kept = keeping.kept

    wrong = replace(Scribe.born().state, log="log-2")
    await keeping.losing(wrong)
    assert (keeping.kept, await disk.load()) == (kept, pack(kept))
    right = replace(Scribe.born(after=own.state.log).state, log="log-3")
    assert keeping.stranger(wrong)
    assert keeping.stranger(right) is None
    told = await keeping.join(right)
    assert told.owed
    assert [item["claim"] for item in told.redeclare] == list(own.state.claims)


async def test_rule_1_the_log_of_another_cluster_is_not_kept() -> None:
    keeping = Keeping(Disk(), "broker-1")
    await keeping.losing(Scribe.born().state, foreign=True)
    assert keeping.kept == Carried()


@pytest.mark.parametrize("again", ["another history", "another log"])
async def test_rule_11_a_loss_that_was_not_noticed_yet_outlives_the_next(again: str) -> None:
    """An agent that was down while its tail was lost loses the log once more before it has joined."""
    log, disk = Scribe.born(), Disk()
    log.dirty(log.join("broker-1"), "x:a")
    await Keeping(disk, "broker-1").keep(log.state)

    keeping = Keeping(disk, "broker-1")
    await keeping.load()
    other = Scribe.born(after=log.state.log if again == "another log" else "")
    for _ in range(9):
        other.join("broker-2")
    state = replace(other.state, log="log-2") if again == "another log" else other.state
    assert state.offset > keeping.kept.offset
    await keeping.losing(state)
    told = await keeping.join(Scribe.born().state if again == "another history" else state)
    assert told.owed
    assert [item["claim"] for item in told.redeclare] == list(log.state.claims)
