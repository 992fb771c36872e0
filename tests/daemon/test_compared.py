"""What an action compared is read once more right before its write leaves: a join, a barrier or a beat may
have been waited for since (coordination.md section 4, rule 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from fenced_cluster import TIMES, boot_ms
from fenced_fleet import LISTED, RATE, UNSET, Fleet, _nothing, play

from agent.actions import Changed, Ports, Stopped
from agent.actions.configs import apply, undo
from agent.daemon.compared import Compared
from agent.kafka.configs import ConfigChange
from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.model import Change, Operation

PERSONS = "7000000"


def ports(fleet: Fleet) -> Ports:
    """Agent 1's, of the fleet's claim."""
    assert fleet.writes is not None
    look: Any = _nothing
    return fleet.writes.ports(fleet.agents[1].ports, look, look)


async def behind_a_barrier(fleet: Fleet) -> None:
    """The leader changed while agent 3 was dead: for W nobody begins anything."""
    await fleet.agents[3].die()
    fleet.log.epoch += 1
    await fleet.agents[2].control.barrier()


async def a_person_sets(fleet: Fleet, work: asyncio.Future[Any], after: float, change: Change = RATE) -> None:
    """A value of theirs, while the write waits."""
    await asyncio.sleep(after)
    assert not work.done()
    assert fleet.agents[1].control.state.barrier or fleet.log.unwritable
    fleet.cluster.values[change.resource][change.key] = PERSONS


def test_what_a_person_sets_while_an_undo_waits_behind_a_barrier_stays() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await behind_a_barrier(fleet)
        undoing = asyncio.ensure_future(undo((LISTED, RATE), ports(fleet)))
        await a_person_sets(fleet, undoing, 25)
        seen = await undoing
        assert seen.theirs == ((RATE, PERSONS),)
        assert fleet.cluster.values == UNSET | {"broker/1": {RATE.key: PERSONS}}

    play(story)


def test_what_a_person_sets_while_an_undo_waits_for_a_log_that_is_gone_stays() -> None:
    """Section 8: it waits for nothing once the log cannot be used, but until then its beat is tried."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        fleet.log.unreadable = fleet.log.unwritable = "down"
        await asyncio.sleep(TIMES.degraded / 1_000 - 8.5)
        assert fleet.agents[1].control.degraded is None
        undoing = asyncio.ensure_future(undo((RATE,), ports(fleet)))
        await a_person_sets(fleet, undoing, 2)
        assert (await undoing).theirs == ((RATE, PERSONS),)
        assert fleet.agents[1].control.degraded
        assert fleet.cluster.values["broker/1"] == {RATE.key: PERSONS}

    play(story)


def test_what_a_person_sets_while_the_first_write_waits_is_not_overwritten() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await undo((LISTED, RATE), ports(fleet))
        await behind_a_barrier(fleet)
        sent = fleet.cluster.writes
        applying = asyncio.ensure_future(apply((RATE,), ports(fleet)))
        await a_person_sets(fleet, applying, 25)
        with pytest.raises(Stopped, match=f"{RATE.key} of broker/1 is '{PERSONS}' now, set by another"):
            await applying
        assert fleet.writes is not None
        assert fleet.writes.refused == f"{RATE.key} of broker/1 was absent, and is '{PERSONS}' now"
        assert fleet.cluster.writes == sent
        assert fleet.writes.doubt is None
        await undo((RATE,), ports(fleet))
        assert fleet.cluster.values["broker/1"] == {RATE.key: PERSONS}

    play(story)


def test_a_list_in_which_a_person_enters_something_meanwhile_is_compared_anew_and_keeps_it() -> None:
    """What is left of a list is removed with its key only where it is empty."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        alone = Change("topic/other", LISTED.key, Operation.APPEND, None, "3:1")
        fleet.cluster.values["topic/other"] = {LISTED.key: ""}
        await behind_a_barrier(fleet)
        undoing = asyncio.ensure_future(undo((alone,), ports(fleet)))
        await a_person_sets(fleet, undoing, 25, alone)
        assert (await undoing).gone == (alone,)
        assert fleet.cluster.values["topic/other"] == {LISTED.key: PERSONS}

    play(story)


def test_what_changes_each_time_is_given_up_in_words() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        look: Any = _nothing
        looks = 0

        async def changes() -> None:
            nonlocal looks
            looks += 1
            fleet.cluster.values["topic/orders"][LISTED.key] += f",9:{looks}"

        assert fleet.writes is not None
        sent = fleet.cluster.writes
        changing: Any = changes
        with pytest.raises(Changed, match=f"{LISTED.key} of topic/orders was '7:9,3:1,9:1,9:2', and is"):
            await undo((LISTED,), fleet.writes.ports(fleet.agents[1].ports, look, changing))
        assert looks == 3
        assert fleet.cluster.writes == sent
        assert fleet.writes.doubt is None

    play(story)


def test_a_broker_that_does_not_tell_any_more_keeps_the_write_from_leaving_within_the_share_of_act() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        begun: list[int] = []

        async def hangs() -> None:
            begun.append(boot_ms())
            fleet.cluster.hung.add(1)

        assert fleet.writes is not None
        look: Any = hangs
        with pytest.raises(Stopped, match=r"the last look took over 1800 ms"):
            async with asyncio.timeout(60):
                await undo((RATE,), fleet.writes.ports(fleet.agents[1].ports, look, look))
        assert boot_ms() - begun[0] < TIMES.act
        assert not fleet.cluster.killed
        assert fleet.cluster.values["broker/1"] == {RATE.key: RATE.new}

    play(story)


class Disks:
    """Log dirs of one broker: each with its replicas of topic `t`."""

    def __init__(self, **dirs: Mapping[int, bool]) -> None:
        self.dirs = dirs

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """As they are now; of each partition whether it is yet to be swapped."""
        assert broker == 1
        return tuple(
            LogDir(path, 0, 100, 50, tuple(LogDirReplica("t", p, 9, 0, future=f) for p, f in there.items()))
            for path, there in self.dirs.items()
        )


@pytest.mark.parametrize(
    ("then", "changed"),
    [
        ({"a": {0: False, 1: False}, "b": {}}, False),
        ({"a": {0: False}, "b": {1: False}}, False),
        ({"a": {1: False}, "b": {0: False}}, True),
        ({"a": {0: False, 1: False}, "b": {0: True}}, True),
    ],
    ids=["as it was", "another replica was moved", "it lies elsewhere", "another moves it"],
)
async def test_a_replica_that_another_moves_meanwhile_is_not_moved(
    then: Mapping[str, Mapping[int, bool]], *, changed: bool
) -> None:
    disks: Any = Disks(a={0: False, 1: False}, b={})
    compared = Compared(disks)
    await compared.log_dirs(1)
    disks.dirs = then
    if not changed:
        await compared.same_places(1, {("t", 0): "b"})
        return
    with pytest.raises(Changed, match="t-0 was moved, or is being moved, by another"):
        await compared.same_places(1, {("t", 0): "b"})


async def test_what_was_never_compared_is_not_said_to_have_changed() -> None:
    class Values:
        async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
            return {RATE.key: "1"}

    values: Any = Values()
    await Compared(values).same_values([ConfigChange("broker/1", RATE.key, "set", "5")])
