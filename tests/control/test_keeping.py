"""Rule 11 of coordination.md section 4: what is owed is owed until a join tells it that stays in the log."""

from __future__ import annotations

import asyncio

import pytest
from scribe import Scribe

from agent.control.carried import Carried, carried, owing
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
