"""Each action on a real cluster whose brokers have two log dirs; OTTLA_TEST_BOOTSTRAP names its servers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from agent.actions.clear_leftover_throttle import ClearLeftoverThrottle
from agent.actions.drain_disk import DrainDisk
from agent.actions.moves import futures, moves_of, replica_of
from agent.actions.ports import Ports
from agent.actions.throttle_replication import ThrottleReplication
from agent.actions.throttles import FOLLOWER_LIST, FOLLOWER_RATE, LISTS, MOVE_RATE, RATES
from agent.kafka.admin import Admin
from agent.kafka.configs import ConfigChange
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaRefused
from agent.kafka.metadata import PartitionInfo
from agent.model import Effect, Policy, Settle
from agent.quantities import BytesPerSecond, Ratio

NODE = 2
BROKER = f"broker/{NODE}"
MiB = 1 << 20
BOOTSTRAP = os.environ.get("OTTLA_TEST_BOOTSTRAP", "")
TOPIC = f"actions-{os.getpid()}"
PARTITIONS = 6

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not BOOTSTRAP, reason="OTTLA_TEST_BOOTSTRAP names no cluster"),
]


class Told(Admin):
    """The real thing, but `behind` says which replicas of broker 2 the cluster calls out of sync."""

    behind: frozenset[tuple[str, int]] = frozenset()

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        real = await super().partitions(topics, ask=ask)
        return tuple(
            replace(p, isr=tuple(n for n in p.isr if n != NODE))
            if (p.topic, p.partition) in self.behind
            else p
            for p in real
        )


@pytest.fixture
async def admin() -> AsyncIterator[Told]:
    """With topic TOPIC, 6 MiB in each of its partitions, and no throttle on broker 2."""
    made = Told(BOOTSTRAP.split(","), Security(), client_id="ottla-test", deadline=10)
    try:
        await _fill(made)
        await made.alter_configs([ConfigChange(BROKER, key, "delete") for key in RATES])
        yield made
    finally:
        await made.delete_topics([TOPIC])
        await made.alter_configs([ConfigChange(BROKER, key, "delete") for key in RATES])
        await made.close()


async def _fill(admin: Told) -> None:
    source = (await admin.log_dirs(NODE))[0].path
    await admin.move_replicas(
        NODE, {(TOPIC, n): source for n in range(PARTITIONS)}
    )  # remembered until it is made
    await admin.create_topic(TOPIC, PARTITIONS, 3, {})
    async with (
        asyncio.timeout(30),
        AIOKafkaProducer(bootstrap_servers=BOOTSTRAP.split(","), acks="all") as producer,
    ):
        record = os.urandom(512 * 1024)
        for n in range(PARTITIONS):
            for _ in range(12):
                await producer.send_and_wait(TOPIC, record, partition=n)


def real_ports(admin: Told, recorded: Callable[[str, str, str], bool] = lambda *_: False) -> Ports:
    async def free_bytes(path: str) -> tuple[int, int]:
        found = next(d for d in await admin.log_dirs(NODE) if d.path == path)
        return found.usable, found.total

    return Ports(
        admin,
        NODE,
        free_bytes,
        Policy(),
        lambda: time.monotonic() * 1_000,
        asyncio.sleep,
        recorded,
        poll_ms=100,
    )


async def a_copy_runs(admin: Told) -> None:
    for _ in range(600):
        if futures(await admin.log_dirs(NODE)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no copy runs after 30 s")


async def a_drain(admin: Told, rate: int) -> Effect:
    """Of about 10 MiB: two of the six partitions."""
    source = next(d for d in await admin.log_dirs(NODE) if any(r.topic == TOPIC for r in d.replicas))
    ratio = Ratio(1 - (source.usable + 10 * MiB) / source.total)
    effect = await DrainDisk().plan(
        real_ports(admin),
        target=source.path,
        log_dir=source.path,
        until_used_ratio=ratio,
        rate=BytesPerSecond(rate),
    )
    assert isinstance(effect, Effect), effect
    return effect


async def places(admin: Told, effect: Effect) -> Mapping[tuple[str, int], str]:
    """Where the effect's replicas are."""
    moved = {replica_of(m) for m in moves_of(effect)}
    return {
        (r.topic, r.partition): d.path
        for d in await admin.log_dirs(NODE)
        for r in d.replicas
        if not r.future and (r.topic, r.partition) in moved
    }


async def test_a_drain_goes_on_after_the_agent_was_killed(admin: Told) -> None:
    """Ended in the middle of a copy without any cleaning up, then applied again."""
    effect = await a_drain(admin, 2 * MiB)
    first = asyncio.ensure_future(DrainDisk().apply(effect, real_ports(admin)))
    await a_copy_runs(admin)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    seen = await DrainDisk().observe(effect, real_ports(admin))
    assert DrainDisk().settle(effect, seen) is Settle.APPLY

    async with asyncio.timeout(60):
        await DrainDisk().apply(effect, real_ports(admin))

    assert await places(admin, effect) == {replica_of(m): m.new for m in moves_of(effect)}
    assert len(moves_of(effect)) == 2
    assert MOVE_RATE not in await admin.configs(BROKER)
    assert not futures(await admin.log_dirs(NODE))
    seen = await DrainDisk().observe(effect, real_ports(admin))
    assert DrainDisk().settle(effect, seen) is Settle.DONE


async def test_undo_cancels_a_copy_and_lifts_the_limit(admin: Told) -> None:
    effect = await a_drain(admin, MiB // 10)
    before = await places(admin, effect)
    work = asyncio.ensure_future(DrainDisk().apply(effect, real_ports(admin)))
    await a_copy_runs(admin)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    for _ in range(2):
        seen = await DrainDisk().undo(effect, real_ports(admin))

        assert set(seen.gone) == set(effect.changes)
        assert not futures(await admin.log_dirs(NODE))
        assert await places(admin, effect) == before
        assert MOVE_RATE not in await admin.configs(BROKER)


async def test_a_throttle_is_set_and_undone_exactly(admin: Told) -> None:
    """Beside another broker's entry, and with an operator's own rate set meanwhile."""
    admin.behind = frozenset({(TOPIC, 0), (TOPIC, 1)})
    other = next(p for p in await admin.partitions([TOPIC]) if p.partition == 0)
    assert NODE in other.replicas
    await admin.alter_configs([ConfigChange(f"topic/{TOPIC}", FOLLOWER_LIST, "set", "2:3")])
    action, ports = ThrottleReplication(), real_ports(admin)
    before: object = ({}, {FOLLOWER_LIST: {"2:3"}})
    await settled(admin, before)

    effect = await action.plan(ports, target=str(NODE), rate=BytesPerSecond(2 * MiB))
    assert isinstance(effect, Effect), effect
    await action.apply(effect, ports)

    assert await state(admin) != before
    assert action.settle(effect, await action.observe(effect, ports)) is Settle.DONE
    assert (await action.undo(effect, ports)).theirs == ()
    assert await state(admin) == before

    await action.apply(effect, ports)
    key = next(c.key for c in effect.changes if c.resource == BROKER)
    await admin.alter_configs([ConfigChange(BROKER, key, "set", "5000000")])
    for _ in range(100):
        if (await admin.configs(BROKER, RATES)).get(key) == "5000000":
            break
        await asyncio.sleep(0.05)
    seen = await action.undo(effect, ports)
    assert [(c.key, value) for c, value in seen.theirs] == [(key, "5000000")]
    assert (await admin.configs(BROKER, RATES)) == {key: "5000000"}


async def test_a_leftover_is_cleared_and_can_be_put_back(admin: Told) -> None:
    """Recorded rate with a shared list, and a named list of everything."""
    topic = f"topic/{TOPIC}"
    await admin.alter_configs(
        [
            ConfigChange(topic, LISTS[0], "set", f"0:{NODE},1:{NODE},2:3"),
            ConfigChange(topic, LISTS[1], "set", f"0:{NODE}"),
            ConfigChange(BROKER, FOLLOWER_RATE, "set", "1048576"),
            ConfigChange(BROKER, RATES[1], "set", "1000"),
        ]
    )
    before: object = (
        {FOLLOWER_RATE: "1048576", RATES[1]: "1000"},
        {LISTS[0]: {f"0:{NODE}", f"1:{NODE}", "2:3"}, LISTS[1]: {f"0:{NODE}"}},
    )
    await settled(admin, before)
    ports = real_ports(admin, lambda *what: what == (BROKER, FOLLOWER_RATE, "1048576"))
    action = ClearLeftoverThrottle()

    effect = await action.plan(ports, target=str(NODE), keys=(RATES[1],), up_to=BytesPerSecond(MiB))
    assert isinstance(effect, Effect), effect
    await action.apply(effect, ports)

    assert await state(admin) == ({}, {LISTS[0]: {"2:3"}})  # the emptied list's key is gone
    await action.undo(effect, ports)
    assert await state(admin) == before


async def test_kafka_takes_no_entry_beside_everything(admin: Told) -> None:
    """Why a list of `*` is left alone."""
    await admin.alter_configs([ConfigChange(f"topic/{TOPIC}", FOLLOWER_LIST, "set", "*")])

    with pytest.raises(KafkaRefused, match="INVALID_CONFIG"):
        await admin.alter_configs([ConfigChange(f"topic/{TOPIC}", FOLLOWER_LIST, "append", "0:2")])


async def state(admin: Told) -> tuple[Mapping[str, str], Mapping[str, set[str]]]:
    """The throttles of the broker and of the topic; absent and empty differ."""
    lists = (await admin.topic_configs([TOPIC], LISTS)).get(TOPIC, {})
    return await admin.configs(BROKER, RATES), {k: set(v.split(",")) for k, v in lists.items()}


async def settled(admin: Told, wanted: object) -> None:
    """Another broker may tell the former values for a moment."""
    found: object = None
    for _ in range(100):
        found = await state(admin)
        if found == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"after 5 s the throttles are {found}, not {wanted}")
