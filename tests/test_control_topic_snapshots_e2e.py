"""On a real Kafka cluster: the log's beginning is deleted, and a new agent starts from the snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from test_control_topic_e2e import BOOTSTRAP, Agents, eventually

from agent.control.audit import Audit
from agent.control.digests import digest_at
from agent.control_topic import ControlTopic
from agent.control_topic.birth import folded
from agent.control_topic.start import beginning
from agent.kafka.bridge import Call
from agent.kafka.connection import Security
from agent.kafka.log import PartitionLog

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not BOOTSTRAP, reason="OTTLA_TEST_BOOTSTRAP names no cluster"),
]
EVERY = 5_000


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    it = Agents()
    yield it
    await it.end()


async def fill(topic: str) -> None:
    """As many records as lie between two marks; none of them means anything."""
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all", linger_ms=5) as producer:
        sent = [await producer.send(topic, b"-") for _ in range(EVERY)]
        await asyncio.gather(*sent)


async def delete_records(agents: Agents, before: int) -> None:
    """What retention.bytes would do one day."""

    def build(m: ModuleType) -> Any:
        one = m.DeleteRecordsPartition(partition_index=0, offset=before)
        topic = m.DeleteRecordsTopic(name=agents.topic, partitions=(one,))
        return m.DeleteRecordsRequest(topics=(topic,), timeout=timedelta(seconds=10))

    (partition,) = await agents.admin.partitions([agents.topic])
    call = Call("delete_records", 21, 2, 2, build, write=True)
    answer = await agents.admin._cluster.ask(call, node=partition.leader)
    assert answer.topics[0].partitions[0].error_code == 0


async def test_a_new_agent_starts_from_the_snapshot_where_the_beginning_was_deleted(agents: Agents) -> None:
    one, two = await asyncio.gather(agents.start(1), agents.start(2))
    claim = await one.claim("throttle", ["throttle", "x:topic/orders"], "p", "lag")
    await fill(agents.topic)
    await eventually(lambda: one.snapshots()["newest"] == EVERY, "the snapshot", 30)
    await asyncio.gather(one.barrier(), two.barrier())
    await delete_records(agents, EVERY)

    three = await agents.start(3)
    known = three.snapshots()
    assert known["folded"].startswith(f"the snapshot of offset {EVERY}, which broker-"), known
    assert (known["log_start"], known["refused"]) == (EVERY, 0)
    assert three.claim_called(claim) is not None
    await asyncio.gather(one.barrier(), three.barrier())
    at = min(one.state.offset, three.state.offset)
    assert _digest(three, at) == _digest(one, at)

    log = PartitionLog(BOOTSTRAP.split(","), Security(), agents.topic, client_id="test")
    begin = await beginning(log, snapshot=False)
    audit = Audit(begin.state.offset)
    state = await folded(log, audit.saw, begin)
    await log.close()
    assert begin.state.offset == EVERY
    assert list(audit.faults()) == []
    assert digest_at(state.digests, state.offset, at) == _digest(one, at)
    assert [s["fault"] for s in audit.snapshots] == [""]


def _digest(agent: ControlTopic, at: int) -> str | None:
    return digest_at(agent.state.digests, agent.state.offset, at)
