"""Two agents on a real Kafka cluster (OTTLA_TEST_BOOTSTRAP): the log grants, refuses and hands over."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from agent.control_topic import LAB, ClaimVoid, ControlTopic, Settings, Surroundings
from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.kafka.log import PartitionLog

BOOTSTRAP = os.environ.get("OTTLA_TEST_BOOTSTRAP", "")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not BOOTSTRAP, reason="OTTLA_TEST_BOOTSTRAP names no cluster"),
]
EFFECT = json.dumps({"action": "a", "owner": "broker-1", "changes": []})


class Agents:
    """Agents on one topic of their own."""

    def __init__(self) -> None:
        self.topic = f"control-{uuid4().hex[:8]}"
        self.admin = Admin(BOOTSTRAP.split(","), Security(), client_id="test")
        self.live: list[tuple[ControlTopic, PartitionLog]] = []

    async def start(self, number: int) -> ControlTopic:
        """An agent that has joined."""
        log = PartitionLog(
            BOOTSTRAP.split(","), Security(), self.topic, client_id=f"test-{number}", deadline=2
        )
        settings = Settings(f"broker-{number}", "h", topic=self.topic, times=LAB, create=True)
        around = Surroundings(lambda: time.time_ns() // 1_000_000, self.admin.create_topic)
        agent = ControlTopic(log, settings, around)
        self.live.append((agent, log))
        await agent.start()
        assert agent.degraded is None
        return agent

    async def end(self) -> None:
        """Leaves nothing behind."""
        for agent, log in self.live:
            await agent.close()
            await log.close()
        await self.admin.delete_topics([self.topic])
        await self.admin.close()


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    it = Agents()
    yield it
    await it.end()


async def test_two_agents_share_one_log_and_a_crashed_ones_claim_is_its_own_again(agents: Agents) -> None:
    one, two = await asyncio.gather(agents.start(1), agents.start(2))
    first = await one.claim("throttle", ["throttle"], "first", "waits for settling and probation")
    await asyncio.wait_for(one.granted(first), 30)
    await one.release(first, "cancelled")
    settings = await agents.admin.topic_configs([agents.topic], ["retention.ms", "message.timestamp.type"])
    assert settings[agents.topic] == {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}

    began = time.monotonic()
    held = await one.claim("throttle", ["throttle", "x:topic/orders"], "p", "lag")
    await one.granted(held)
    await one.intent(held, EFFECT)
    await one.barrier()
    assert time.monotonic() - began < 1  # claim to first effect, coordination.md's target

    waiting = await two.claim("throttle", ["throttle", "x:topic/orders"], "p", "lag")
    assert "x:topic/orders is held by broker-1" in two.blockers(waiting)[0]
    await one._life.stop()  # it dies

    again = await agents.start(1)
    await again.release(held, "undone")  # once it has adopted it
    with pytest.raises(ClaimVoid, match="problem was handled"):
        await asyncio.wait_for(two.granted(waiting), 5)
    await two.barrier()
    await again.barrier()
    assert two.state.claims == again.state.claims == {}
    assert again.state.voids.get("not JSON") is None
