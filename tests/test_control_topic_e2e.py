"""Two agents on a real Kafka cluster (OTTLA_TEST_BOOTSTRAP): the log grants, refuses and hands over."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from tcp_relay import Relay

from agent.actions import Ports, load
from agent.actions.configs import apply
from agent.actions.throttles import FOLLOWER_LIST, FOLLOWER_RATE
from agent.control.adopter import OTHERS
from agent.control.witness import RANK_STEP
from agent.control_topic import LAB, ClaimVoid, ControlTopic, Effects, Settings, Surroundings
from agent.daemon.claim_sweep import Sweep
from agent.daemon.fence import ClaimWrites, Fence
from agent.daemon.scenes import Local
from agent.history import History
from agent.kafka.admin import Admin
from agent.kafka.configs import ConfigChange, check_altered, incremental_alter_configs
from agent.kafka.connection import Security
from agent.kafka.fresh import FreshRequest, Write, fresh_request
from agent.kafka.log import PartitionLog
from agent.model import Change, Effect, Entry, Operation, Policy
from agent.wire import encode_effect

BOOTSTRAP = os.environ.get("OTTLA_TEST_BOOTSTRAP", "")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not BOOTSTRAP, reason="OTTLA_TEST_BOOTSTRAP names no cluster"),
]
# Its brokers are well: no request lies about for a minute.
TIMES = replace(LAB, e_controller=4_000)
EFFECT = json.dumps({"action": "a", "owner": "broker-1", "changes": []})


async def eventually(happened: Callable[[], bool], what: str, seconds: float) -> None:
    """Waits for a condition; the failure says for which."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.1)


class Agents:
    """Agents on one topic of their own."""

    def __init__(self) -> None:
        self.topic = f"control-{uuid4().hex[:8]}"
        self.admin = Admin(BOOTSTRAP.split(","), Security(), client_id="test", deadline=10.0)
        self.live: list[tuple[ControlTopic, PartitionLog]] = []

    async def start(self, number: int) -> ControlTopic:
        """An agent that has joined."""
        log = PartitionLog(
            BOOTSTRAP.split(","), Security(), self.topic, client_id=f"test-{number}", deadline=2
        )
        settings = Settings(f"broker-{number}", f"h{number}", topic=self.topic, times=TIMES, create=True)
        around = Surroundings(lambda: time.time_ns() // 1_000_000, self.admin.create_topic)
        agent = ControlTopic(log, settings, around)
        self.live.append((agent, log))
        await agent.start()
        await eventually(lambda: agent.degraded is None, f"agent {number} to join", 60)
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
    assert time.monotonic() - began < 10  # how fast it is, `make bench BENCH=claims` tells

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


@dataclass
class Means:
    """What closing claims needs of an agent; its deadman kills nobody, least of all pytest."""

    node: int
    control: ControlTopic
    admin: Any
    history: History = field(default_factory=History)
    told: list[str] = field(default_factory=list)
    claims: set[int] = field(default_factory=set)
    relay: Relay | None = None

    def __post_init__(self) -> None:
        self.ledger = self
        self.actions = {name: cls() for name, cls in load().items()}
        self.fence = Fence(self.control, Effects(self.control, self), self, self._process)
        any_: Any = None
        self.ports = Ports(self.admin, self.node, any_, Policy(), self.clock, asyncio.sleep, any_)

    def arm(self, at: int) -> Callable[[], None]:
        """The deadman."""
        return lambda: None

    async def warm(self, node: int | None, deadline: float) -> None:
        """As the admin does it."""
        await self.admin.warm(node, deadline)

    async def ready_to_alter(self, changes: Sequence[ConfigChange], via: int, ms: int) -> FreshRequest[None]:
        """Through the relay, where there is one."""
        if self.relay is None:
            return await self.admin.ready_to_alter(changes, via, ms)  # type: ignore[no-any-return]
        resource = changes[0].resource
        call = incremental_alter_configs(resource, changes)
        write = Write(call, lambda answer: check_altered(resource, answer), ms, 1.0)
        return await fresh_request(self.relay.address, Security(), "test", write)

    async def ready_to_move(self, broker: int, moves: Any, ms: int) -> Any:
        """None here."""
        raise NotImplementedError

    async def in_force(self, changes: Sequence[ConfigChange]) -> bool:
        """The brokers say so."""
        return bool(await self.admin.in_force(changes))

    async def answers(self, node: int, *, controller: bool, deadline: float) -> bool:
        """The brokers do."""
        return bool(await self.admin.answers(node, controller=controller, deadline=deadline))

    async def _process(self, node: int) -> str | None:
        return None

    async def record(self, entry: Entry) -> None:
        """The ledger's."""
        self.told.append(entry.reason)

    async def local(self) -> Local:
        """Nothing stops it."""
        return Local(self.node, Policy(), 0)

    def clock(self) -> int:
        """Now."""
        return time.time_ns() // 1_000_000


async def nothing() -> str | None:
    """No last look objects."""
    return None


async def test_a_peer_undoes_the_throttle_of_a_killed_holder_whose_answer_was_lost(agents: Agents) -> None:
    """Rules 4, 5 and 8 on real brokers: the write is read back; what its holder left is exactly gone."""
    one, two, three = await asyncio.gather(*(agents.start(number) for number in (1, 2, 3)))
    brokers = await agents.admin.brokers()
    topic = f"topic/{agents.topic}"
    rate = Change("broker/1", FOLLOWER_RATE, Operation.SET, None, "5000003")
    listed = Change(topic, FOLLOWER_LIST, Operation.APPEND, None, "0:1")
    effect = Effect("throttle_replication", "broker-1", (listed, rate))
    others = [Means(2, two, agents.admin), Means(3, three, agents.admin)]
    sweeps = [asyncio.ensure_future(Sweep(as_means(each), each.control).run()) for each in others]

    async with Relay(f"{brokers[1].host}:{brokers[1].port}") as relay:
        holder = Means(1, one, agents.admin, relay=relay)
        claim = await one.claim("throttle", ["throttle", "x:broker/1"], "p", "lag", by_anyone=True)
        await asyncio.wait_for(one.granted(claim), 30)
        await one.intent(claim, encode_effect(effect))
        writes = ClaimWrites(holder.fence, claim, 1)

        async def cut() -> str | None:
            relay.drops_answers = True
            return None

        await apply([listed], writes.ports(holder.ports, nothing, nothing))
        await apply([rate], writes.ports(holder.ports, cut, nothing))
    assert writes.doubt is None  # seen in force
    assert (await settings(agents.admin, topic))[FOLLOWER_LIST] == "0:1"
    assert (await settings(agents.admin, "broker/1"))[FOLLOWER_RATE] == "5000003"

    await one._life.stop()
    died = time.monotonic()

    def closed() -> bool:
        return not two.state.claims and not three.state.claims

    most = (TIMES.w + 7_000 + OTHERS + RANK_STEP + TIMES.act + TIMES.e_controller + 3_000) / 1_000
    await eventually(closed, "the orphan to be closed", 2 * most)
    took = time.monotonic() - died
    print(f"holder killed -> claim closed: {took:.1f} s of {most:g}")
    assert took <= most
    assert FOLLOWER_LIST not in await settings(agents.admin, topic)
    assert FOLLOWER_RATE not in await settings(agents.admin, "broker/1")
    told = [line for each in others for line in each.told]
    assert told == [f"claim {claim} closed: adopted from broker-1: nothing of what it set stands"]
    for sweep in sweeps:
        sweep.cancel()
    await asyncio.gather(*sweeps, return_exceptions=True)


def as_means(means: Any) -> Any:
    """By duck typing."""
    return means


async def settings(admin: Admin, resource: str) -> Mapping[str, str]:
    """What is set dynamically there."""
    return await admin.configs(resource, [FOLLOWER_LIST, FOLLOWER_RATE])
