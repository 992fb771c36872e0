"""Fill a broker's first log dir with real records.

They go to a topic of their own, into those partitions that have a replica on the broker: each of some
10 MiB, so that there is something to move, and with two replicas, so that nothing is lost. At 1.0 the file
system is full for the broker, and Kafka takes the whole dir offline. heal deletes the topic.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as AiokafkaError

from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaError, KafkaRefused
from agent.lab import disks
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.jars import Say
from agent.lab.plan import DISK_BYTES

_PARTITIONS = 24  # of which a third or more have no replica on the broker, and stay empty
_RECORD = 128 * 1024
_SETTLED = 30.0
_MOST_ROUNDS = 100  # far more than the disk holds
_AT_ONCE = 16  # records to each partition, before it is looked how full the disk is


async def break_(lab: Lab, broker: int, say: Say, *, until: float = 0.88) -> str:
    """Write until the dir's file system is used to the ratio `until`."""
    node = lab.node(broker)
    topic, log_dir = _topic(broker), node.log_dirs[0]
    async with _reaching(lab) as admin:
        partitions = await _make(admin, broker, topic, str(log_dir))
        say(f"writing to {len(partitions)} partitions in {log_dir} until it is {until:.0%} full")
        await _write(lab, broker, partitions, until, say)
    return f"{log_dir} is {_used(lab, broker):.1%} full"


async def heal(lab: Lab, broker: int, say: Say) -> str:
    """Delete the topic and wait until its files are gone."""
    topic, log_dir = _topic(broker), lab.node(broker).log_dirs[0]
    say(f"deleting topic {topic}")
    async with _reaching(lab) as admin:
        try:
            await admin.delete_topics([topic])
        except KafkaRefused as refused:
            if refused.name != "UNKNOWN_TOPIC_OR_PARTITION":
                raise
    until = asyncio.get_running_loop().time() + _SETTLED
    while any(
        path.name.startswith(f"{topic}-") for own in lab.node(broker).log_dirs for path in own.iterdir()
    ):
        if asyncio.get_running_loop().time() > until:
            raise LabError(
                f"files of {topic} are still in {log_dir} after {_SETTLED:g} s", "ottla lab status"
            )
        await asyncio.sleep(0.2)
    return f"{log_dir} is {_used(lab, broker):.1%} full"


def _topic(broker: int) -> str:
    return f"fill-broker-{broker}"


def _used(lab: Lab, broker: int) -> float:
    return disks.used_ratio(lab.node(broker).log_dirs[0], lab.plan.disk)


async def _make(admin: Admin, broker: int, topic: str, log_dir: str) -> list[int]:
    """Have the topic, with all its replicas on the broker in the dir; the partitions that have one there."""
    moves = {(topic, number): log_dir for number in range(_PARTITIONS)}
    await admin.move_replicas(broker, moves)  # refused, since there is no topic yet, and remembered
    try:
        await admin.create_topic(topic, _PARTITIONS, min(2, len(await admin.brokers())), {})
    except KafkaRefused as refused:
        if refused.name != "TOPIC_ALREADY_EXISTS":
            raise
    until = asyncio.get_running_loop().time() + _SETTLED
    while True:
        placed = await _placed(admin, broker, topic)
        wanted = {
            p.partition for p in await admin.partitions([topic]) if broker in p.replicas and p.leader >= 0
        }
        if wanted and {number for number, path in placed.items() if path == log_dir} == wanted:
            return sorted(wanted)
        if asyncio.get_running_loop().time() > until:
            raise LabError(
                f"topic {topic} is not placed in {log_dir} after {_SETTLED:g} s", "ottla lab status"
            )
        await admin.move_replicas(
            broker, {(topic, n): log_dir for n, path in placed.items() if path != log_dir}
        )
        await asyncio.sleep(0.2)


async def _placed(admin: Admin, broker: int, topic: str) -> dict[int, str]:
    """Of each partition that the broker has a replica of, the log dir where it is."""
    return {
        replica.partition: log_dir.path
        for log_dir in await admin.log_dirs(broker)
        for replica in log_dir.replicas
        if replica.topic == topic and not replica.future
    }


async def _write(lab: Lab, broker: int, partitions: Sequence[int], until: float, say: Say) -> None:
    """One record to each partition, again and again, until the dir is as full as wanted."""
    record = os.urandom(_RECORD)
    producer = AIOKafkaProducer(
        bootstrap_servers=list(lab.bootstrap),
        acks="all",
        max_batch_size=6 * _RECORD,
        request_timeout_ms=10_000,
    )
    try:
        await producer.start()
        for _ in range(_MOST_ROUNDS):
            if (used := _used(lab, broker)) >= until:
                return
            say(f"{used:.0%} full")
            missing = int((until - used) * DISK_BYTES / (len(partitions) * _RECORD))
            sent = [
                await producer.send(_topic(broker), record, partition=partition)
                for _ in range(max(1, min(missing, _AT_ONCE)))
                for partition in partitions
            ]
            await asyncio.gather(*sent)
    except AiokafkaError as error:
        raise LabError(
            f"at {_used(lab, broker):.1%} the brokers took no more: {error}", "ottla lab heal fill-disk"
        ) from error
    finally:
        await producer.stop()
    raise LabError(f"broker {broker} is {_used(lab, broker):.1%} full after all that was to be written")


@asynccontextmanager
async def _reaching(lab: Lab) -> AsyncIterator[Admin]:
    admin = Admin(lab.bootstrap, Security(), client_id="ottla-lab", deadline=10)
    try:
        yield admin
    except KafkaError as error:
        raise LabError(f"the brokers did not do it: {error}", "ottla lab status shows them") from error
    finally:
        await admin.close()
