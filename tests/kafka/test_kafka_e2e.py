"""Every call against a real cluster of three brokers: OTTLA_TEST_BOOTSTRAP names its bootstrap servers."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

import pytest

from agent.kafka.admin import Admin
from agent.kafka.configs import ConfigChange
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaRefused, LogGone, LogRecreated, LogTruncated
from agent.kafka.log import PartitionLog
from agent.kafka.log_dirs import LogDir
from agent.kafka.metadata import PartitionInfo

pytestmark = pytest.mark.e2e
_RATE = "leader.replication.throttled.rate"
_REPLICAS = "leader.replication.throttled.replicas"
_T = TypeVar("_T")


def _bootstrap() -> list[str]:
    servers = os.environ.get("OTTLA_TEST_BOOTSTRAP")
    if not servers:
        pytest.skip("no cluster: OTTLA_TEST_BOOTSTRAP is not set, e.g. to 127.0.0.1:9092")
    return servers.split(",")


def _is(expected: object) -> Callable[[object], bool]:
    return lambda seen: seen == expected


async def _until(what: str, read: Callable[[], Awaitable[_T]], right: Callable[[_T], bool]) -> _T:
    """What `read` returns once it is right; at most 30 s. A change is seen everywhere a little later."""
    deadline = time.monotonic() + 30
    while True:
        value = await read()
        if right(value):
            return value
        assert time.monotonic() < deadline, f"waited 30 s for {what}; last seen: {value}"
        await asyncio.sleep(0.05)


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    """An open Admin."""
    opened = Admin(_bootstrap(), Security(), client_id="test", deadline=10.0)
    yield opened
    await opened.close()


@pytest.fixture
async def topic(admin: Admin) -> AsyncIterator[str]:
    """A topic of one partition and three replicas."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    await _create(admin, name)
    yield name
    await admin.delete_topics([name])


@pytest.fixture
async def log(topic: str) -> AsyncIterator[PartitionLog]:
    """The topic as a log."""
    opened = PartitionLog(_bootstrap(), Security(), topic, client_id="test")
    yield opened
    await opened.close()


async def _create(admin: Admin, name: str) -> tuple[PartitionInfo, ...]:
    await admin.create_topic(name, 1, 3, {"message.timestamp.type": "LogAppendTime"})

    async def partitions() -> tuple[PartitionInfo, ...]:
        return await admin.partitions([name])

    return await _until(f"{name} in sync", partitions, lambda found: bool(found) and len(found[0].isr) == 3)


async def test_brokers_are_told_with_their_racks(admin: Admin) -> None:
    """None is fenced in a healthy cluster."""
    brokers = await admin.brokers()

    assert len(brokers) >= 3
    assert not any(broker.fenced for broker in brokers.values())


async def test_a_partition_is_told_with_its_id(admin: Admin, topic: str) -> None:
    """As any broker sees it; a topic that does not exist is left out."""
    node = next(iter(await admin.brokers()))
    (found,) = await admin.partitions([topic, "no-such-topic"], ask=node)

    assert (found.topic, found.partition, len(found.replicas), len(found.topic_id)) == (topic, 0, 3, 22)
    assert found.leader in found.isr


async def test_a_brokers_setting_is_made_and_unmade(admin: Admin) -> None:
    """Through the very broker; another broker's is not touched, and absent is not in the answer."""
    first, second, *_ = await admin.brokers()
    resource = f"broker/{first}"
    await admin.alter_configs([ConfigChange(resource, _RATE, "set", "123456")])

    await _until("the rate", lambda: admin.configs(resource, [_RATE]), _is({_RATE: "123456"}))
    assert _RATE not in await admin.configs(f"broker/{second}")
    assert (await admin.effective_configs(resource, [_RATE]))[_RATE] == "123456"

    await admin.alter_configs([ConfigChange(resource, _RATE, "delete")])
    await _until("no rate", lambda: admin.configs(resource, [_RATE]), _is({}))


async def test_a_default_is_not_a_value_set_at_the_broker(admin: Admin) -> None:
    """Static, default and cluster-wide values are in effect, and yet not the broker's own."""
    node = next(iter(await admin.brokers()))
    await admin.alter_configs([ConfigChange("broker/", "log.retention.ms", "set", "604800001")])
    try:

        async def effective() -> str | None:
            return (await admin.effective_configs(f"broker/{node}", None)).get("log.retention.ms")

        await _until("the cluster's default", effective, _is("604800001"))
        assert "log.retention.ms" not in await admin.configs(f"broker/{node}")
        assert (await admin.configs("broker/"))["log.retention.ms"] == "604800001"
    finally:
        await admin.alter_configs([ConfigChange("broker/", "log.retention.ms", "delete")])


async def test_the_default_of_all_brokers_throttles_and_is_told_apart(admin: Admin) -> None:
    """A rate is no static setting: what is in force is told all the same."""
    node = next(iter(await admin.brokers()))
    await admin.alter_configs([ConfigChange("broker/", _RATE, "set", "123456")])
    try:
        await _until("the default", lambda: admin.configs("broker/", [_RATE]), _is({_RATE: "123456"}))

        async def effective() -> str | None:
            return (await admin.effective_configs(f"broker/{node}", [_RATE])).get(_RATE)

        await _until("it is in force", effective, _is("123456"))
        assert await admin.configs(f"broker/{node}", [_RATE]) == {}
    finally:
        await admin.alter_configs([ConfigChange("broker/", _RATE, "delete")])


async def test_a_list_is_appended_to_and_subtracted_from(admin: Admin, topic: str) -> None:
    """Without touching entries of others; without its last entry it is empty, which is not absent."""
    resource = f"topic/{topic}"
    steps = [
        ("append", "0:1", "0:1"),
        ("append", "0:2,0:3", "0:1,0:2,0:3"),
        ("append", "0:2", "0:1,0:2,0:3"),
        ("subtract", "0:1,0:2", "0:3"),
        ("subtract", "0:3", ""),
    ]

    async def entries() -> Mapping[str, str]:
        return await admin.configs(resource, [_REPLICAS])

    for operation, value, expected in steps:
        await admin.alter_configs([ConfigChange(resource, _REPLICAS, operation, value)])
        await _until(expected, entries, _is({_REPLICAS: expected}))
    await admin.alter_configs([ConfigChange(resource, _REPLICAS, "delete")])
    await _until("no list", entries, _is({}))


async def test_topics_are_read_in_one_call(admin: Admin, topic: str) -> None:
    """Only what is set at the topic; one that does not exist is left out."""
    await admin.alter_configs([ConfigChange(f"topic/{topic}", "retention.ms", "set", "1000")])

    await _until(
        "the retention",
        lambda: admin.topic_configs([topic, "no-such-topic"], ["retention.ms", "retention.bytes"]),
        _is({topic: {"retention.ms": "1000"}}),
    )
    assert (await admin.effective_configs(f"topic/{topic}", ["retention.bytes"])) == {"retention.bytes": "-1"}


@pytest.mark.parametrize(
    ("key", "operation", "value", "name"),
    [
        ("retention.ms", "set", "soon", "INVALID_CONFIG"),
        ("retention.ms", "subtract", "1", "INVALID_CONFIG"),
        ("no.such.key", "set", "1", "INVALID_CONFIG"),
    ],
)
async def test_a_wrong_setting_is_refused(
    admin: Admin, topic: str, key: str, operation: str, value: str, name: str
) -> None:
    """With Kafka's name of the error and its words."""
    with pytest.raises(KafkaRefused) as caught:
        await admin.alter_configs([ConfigChange(f"topic/{topic}", key, operation, value)])

    assert (caught.value.name, topic in str(caught.value)) == (name, True)


async def test_a_topic_is_made_only_once(admin: Admin, topic: str) -> None:
    """Agents that start together may all try."""
    with pytest.raises(KafkaRefused, match="TOPIC_ALREADY_EXISTS"):
        await admin.create_topic(topic, 1, 1, {})


async def test_a_topic_that_is_not_there_cannot_be_deleted(admin: Admin) -> None:
    """Kafka's own error."""
    with pytest.raises(KafkaRefused, match="UNKNOWN_TOPIC_OR_PARTITION: topic no-such-topic"):
        await admin.delete_topics(["no-such-topic"])


async def _dirs_with(admin: Admin, node: int, topic: str) -> tuple[LogDir, ...]:
    """The node's log dirs once the topic's replica is in one: the controller counts it in sync before."""

    def placed(dirs: tuple[LogDir, ...]) -> bool:
        return any(replica.topic == topic for d in dirs for replica in d.replicas)

    return await _until(f"a replica of {topic}", lambda: admin.log_dirs(node), placed)


async def test_log_dirs_are_told_with_their_replicas(admin: Admin, topic: str) -> None:
    """Sizes of the volume come from the broker itself."""
    dirs = await _dirs_with(admin, next(iter(await admin.brokers())), topic)

    assert all(d.error == 0 and 0 < d.usable <= d.total and not d.cordoned for d in dirs)
    assert [r.future for d in dirs for r in d.replicas if r.topic == topic] == [False]


async def test_a_replica_is_moved_to_another_log_dir(admin: Admin, topic: str) -> None:
    """Only the refused moves are told; a dir that does not exist refuses."""
    node = next(iter(await admin.brokers()))
    dirs = await _dirs_with(admin, node, topic)
    if len(dirs) < 2:
        pytest.skip("the cluster's brokers have one log dir each")
    source = next(d.path for d in dirs if any(r.topic == topic for r in d.replicas))
    target = next(d.path for d in dirs if d.path != source)

    assert await admin.move_replicas(node, {(topic, 0): "/no/such/dir"}) == {(topic, 0): "LOG_DIR_NOT_FOUND"}
    assert await admin.move_replicas(node, {(topic, 0): target}) == {}

    async def where() -> list[str]:
        return [d.path for d in await admin.log_dirs(node) for r in d.replicas if r.topic == topic]

    await _until(f"the replica in {target}", where, _is([target]))


async def test_no_reassignment_is_under_way(admin: Admin) -> None:
    """An idle cluster has none."""
    assert await admin.reassignments() == frozenset()


async def test_records_are_appended_and_read(log: PartitionLog) -> None:
    """From any offset on, with the broker's time and the leader's epoch."""
    before = int(time.time() * 1000)
    offsets = [await log.append(f"record {n}".encode()) for n in range(3)]
    records = await log.fetch(1, max_wait_ms=500, min_bytes=1)

    assert offsets == [0, 1, 2]
    assert [(r.offset, r.value, r.void) for r in records] == [(1, b"record 1", ""), (2, b"record 2", "")]
    assert all(abs(r.at - before) < 60_000 and r.leader_epoch >= 0 for r in records)
    assert (await log.bounds(), log.high_watermark) == ((0, 3), 3)


async def test_a_long_poll_wakes_for_a_new_record(log: PartitionLog) -> None:
    """It starts at the last record, as a reader does that checks its place; appends do not wait behind it."""
    await log.append(b"old")
    (old,) = await log.fetch(0, max_wait_ms=500, min_bytes=1)
    polling = asyncio.create_task(log.fetch(0, max_wait_ms=5_000, min_bytes=old.batch_bytes + 1))
    began = time.monotonic()
    await log.append(b"new")
    records = await polling

    assert [r.value for r in records] == [b"old", b"new"]
    assert time.monotonic() - began < 3


async def test_an_idle_log_answers_after_the_wait(log: PartitionLog) -> None:
    """At its end there is nothing, and that is no error."""
    await log.append(b"x")
    began = time.monotonic()

    assert await log.fetch(1, max_wait_ms=300, min_bytes=1) == ()
    assert 0.25 < time.monotonic() - began < 3


async def test_reading_beyond_the_end_is_a_lost_tail(log: PartitionLog) -> None:
    """A reader that was there once must hear that it is gone."""
    await log.append(b"x")
    with pytest.raises(LogTruncated) as caught:
        await log.fetch(10, max_wait_ms=300, min_bytes=1)

    assert caught.value.end_offset == 1


async def test_a_topic_made_anew_is_another_log(admin: Admin, log: PartitionLog) -> None:
    """Told to readers and writers alike; that it is gone, before."""
    await log.append(b"x")
    await admin.delete_topics([log.topic])

    async def gone() -> bool:
        return not await admin.partitions([log.topic])

    await _until("the topic gone", gone, bool)
    with pytest.raises(LogGone):
        await log.fetch(1, max_wait_ms=300, min_bytes=1)
    await _create(admin, log.topic)
    with pytest.raises(LogRecreated):
        await log.fetch(1, max_wait_ms=300, min_bytes=1)
    with pytest.raises(LogRecreated):
        await log.append(b"y")


# Last: while brokers make and delete so many logs they take up other changes only after some ten seconds.
async def test_more_partitions_than_a_page_are_told(admin: Admin) -> None:
    """A broker answers 2,000 at once; the cursor leads to the others."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    await admin.create_topic(name, 2_100, 1, {})
    try:

        async def partitions() -> tuple[PartitionInfo, ...]:
            return await admin.partitions([name])

        found = await _until("2,100 partitions", partitions, lambda seen: len(seen) >= 2_100)
        assert sorted(p.partition for p in found) == list(range(2_100))
    finally:
        await admin.delete_topics([name])
