"""Somebody writes nonsense into the control topic, and 10,000 records at once: every agent goes on."""

from __future__ import annotations

import asyncio
import struct
import time

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from fleet_steps import (
    TOPIC,
    all_live,
    answered,
    cleared,
    forget,
    partition,
    said,
    series,
    throttles,
    write_rules,
)
from scene import Scene, until

from agent.kafka.batches import encode
from agent.kafka.cluster import Cluster
from agent.kafka.connection import Security
from agent.kafka.log import PartitionLog
from agent.kafka.metadata import parse_id
from agent.kafka.partition import Leader, produce, produced
from agent.lab.agents import Agent

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("as_it_was")]
FLOOD = 10_000
HEAD, BODY = 21, 40  # bytes of a batch before its CRC's field ends, and of what follows up to the records


async def test_garbage_and_a_flood_hold_up_nobody_and_are_counted_by_reason(scene: Scene) -> None:
    write_rules(scene)
    agents = await scene.agents.start_all()
    await all_live(scene, agents)
    await forget(scene, 1)
    quiet = await cleared(scene, agents[1])

    await append(scene, b"\xff garbage")
    await append_malformed_header(scene)
    flood = asyncio.create_task(flooded(scene))
    began = time.monotonic()
    await forget(scene, 2)
    effect = await cleared(scene, agents[2])
    took = time.monotonic() - began
    await flood
    await forget(scene, 3)
    after = await cleared(scene, agents[3])
    assert await throttles(scene) == {}

    own = ("--config", str(agents[1].config))
    await until("all to count alike", lambda: all(counts_alike(scene, a, own) for a in agents.values()), 30)
    voids = said(scene, agents[1], "fleet")["voids"]
    assert voids["not printable ASCII"] == 1
    assert voids["not an envelope"] == 1
    assert voids["not JSON"] == FLOOD // 2
    assert voids.get("a copy", 0) + voids.get("stale, or from a history that was lost", 0) >= FLOOD // 2
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(voids.items()))
    assert f"  {FLOOD // 2} not JSON" in scene.ottla("control", "status", *own).stdout
    print(f"start to effect: quiet {quiet:.2f} s, in the flood {effect:.2f} s, after it {after:.2f} s;")
    print(f"throttle set to verified in the flood: {took:.1f} s; void: {told}")


def counts_alike(scene: Scene, agent: Agent, own: tuple[str, str]) -> bool:
    """Whether an agent tells in three ways what the log, folded anew, has of records without effect."""
    verified = answered(scene, "control", "verify", *own)
    voids, told = verified["voids"], said(scene, agent, "fleet", "--fresh")["voids"]
    words = ", ".join(f"{count} {reason}" for reason, count in sorted(told.items()))
    shown = scene.ottla("status", "--socket", str(agent.socket)).stdout
    counted = series(agent, "ottla_control_void_records_total")
    return (
        verified["faults"] == []
        and told == voids
        and f"{sum(told.values())} records void: {words}" in shown
        and counted == {f'{{reason="{reason}"}}': count for reason, count in told.items()}
    )


async def append(scene: Scene, value: bytes) -> None:
    """A record of somebody who may."""
    log = PartitionLog(scene.lab.bootstrap, Security(), TOPIC, client_id="test")
    try:
        await log.append(value)
    finally:
        await log.close()


async def append_malformed_header(scene: Scene) -> None:
    """A record with a header whose key is no UTF-8: it stops aiokafka's own consumer for ever."""
    value, key = b"{}", b"\xff\xfe"
    parts = (b"\0\0\0\x01", bytes([2 * len(value)]), value, b"\x02", bytes([2 * len(key)]), key, b"\x01")
    record = b"".join(parts)  # no record key; one header without a value; lengths as zigzag
    body = encode(b"")[HEAD : HEAD + BODY] + bytes([2 * len(record)]) + record
    batch = struct.pack(">qiibI", 0, HEAD - 12 + len(body), -1, 2, calc_crc32c(body)) + body
    where = await partition(scene)
    leader = Leader(TOPIC, 0, parse_id(where.topic_id), where.leader, where.leader_epoch)
    cluster = Cluster(scene.lab.bootstrap, Security(), client_id="test", deadline=10)
    try:
        part = produced(await cluster.ask(produce(leader, batch, 5), node=leader.node))
        assert part.error_code == 0, part
    finally:
        await cluster.close()


async def flooded(scene: Scene) -> None:
    """As fast as they are taken: noise, and copies of what an agent wrote."""
    log = PartitionLog(scene.lab.bootstrap, Security(), TOPIC, client_id="test")
    try:
        own = [r.value for r in await log.fetch(0, max_wait_ms=500, min_bytes=1) if b'"t":"beat"' in r.value]
    finally:
        await log.close()
    producer = AIOKafkaProducer(bootstrap_servers=list(scene.lab.bootstrap), acks=1, linger_ms=2)
    await producer.start()
    try:
        sent = [
            await producer.send(TOPIC, value, partition=0)
            for number in range(FLOOD // 2)
            for value in (b"noise %d" % number, own[number % len(own)])
        ]
        await asyncio.wait_for(asyncio.gather(*sent), 60)
    finally:
        await producer.stop()
