"""Three agents with real control topics and sweeps, over a log and a cluster in memory, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from fake_log import FakeLog
from fenced_cluster import TIMES, Cluster, boot_ms

from agent.actions import Ports, load, restamp, stands_at
from agent.actions.configs import apply
from agent.control_topic import ControlTopic, Effects, Settings, Surroundings
from agent.daemon.claim_sweep import Sweep
from agent.daemon.fence import ClaimWrites, Fence
from agent.daemon.scenes import Local
from agent.history import History
from agent.model import Boot, Change, Effect, Entry, Operation, Policy
from agent.rehearsal.virtual_time import run
from agent.wire import encode_effect

RATE = Change("broker/1", "follower.replication.throttled.rate", Operation.SET, None, "1000003")
LISTED = Change("topic/orders", "follower.replication.throttled.replicas", Operation.APPEND, "7:9", "3:1")
EFFECT = Effect("throttle_replication", "broker-1", (LISTED, RATE))
SET = {"broker/1": {RATE.key: str(RATE.new)}, "topic/orders": {LISTED.key: "7:9,3:1"}}
UNSET: dict[str, dict[str, str]] = {"broker/1": {}, "topic/orders": {LISTED.key: "7:9"}}


@dataclass
class Agent:
    """What closing needs of an agent's means."""

    node: int
    control: ControlTopic
    cluster: Any
    stop: str | None = None
    history: History = field(default_factory=History)
    told: list[str] = field(default_factory=list)
    claims: set[int] = field(default_factory=set)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = self
        self.actions = {name: cls() for name, cls in load().items()}
        self.fence = Fence(self.control, Effects(self.control, self.cluster), self.cluster, self._process)
        any_: Any = None
        self.ports = Ports(self.cluster, self.node, any_, Policy(), boot_ms, asyncio.sleep, any_)

    async def _process(self, node: int) -> str | None:
        return None

    async def record(self, entry: Entry) -> None:
        """The ledger's."""
        self.told.append(entry.reason)

    async def local(self) -> Local:
        """Its stop file."""
        return Local(self.node, Policy(), 0, self.stop)

    def clock(self) -> int:
        """Any time."""
        return boot_ms()

    def boot(self) -> Boot:
        """All agents are of one machine that never restarts."""
        return Boot("machine", boot_ms())

    async def live(self) -> None:
        """Joins, and closes what nobody holds."""
        await self.control.start()
        means: Any = self
        self.tasks.append(asyncio.ensure_future(Sweep(means, self.control).run()))

    async def die(self) -> None:
        """Without a word."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.control._life.stop()


@dataclass
class Fleet:
    """Agents 1 to 3; 1 holds a throttle when the story begins."""

    log: FakeLog
    cluster: Cluster = field(default_factory=Cluster)
    agents: dict[int, Agent] = field(default_factory=dict)
    claim: int = -1
    writes: ClaimWrites | None = None
    cut: set[int] = field(default_factory=set)  # agents that do not reach the brokers

    async def _reaches(self, node: int) -> bool:
        return node not in self.cut

    async def start(self, node: int, *, actions: bool = True) -> Agent:
        """One more, or again; without `actions` its release knows none."""
        settings = Settings(f"broker-{node}", f"host-{node}", times=TIMES, create=True)
        around = Surroundings(boot_ms, boot=boot_ms, reaches=lambda: self._reaches(node))
        topic = ControlTopic(self.log, settings, around)
        self.agents[node] = Agent(node, topic, self.cluster)
        if not actions:
            self.agents[node].actions = {}
        await self.agents[node].live()
        return self.agents[node]

    async def hold(self, *, by_anyone: bool = True, plan: bool = True, stamp: int | None = None) -> None:
        """Agent 1 begins its throttle; `stamp`: the last digits of its rate, where these are not EFFECT's."""
        effect = EFFECT if stamp is None else restamp(EFFECT, stamp)
        stands = stands_at(EFFECT) if plan else ()
        await self.claims(effect, "throttle", "x:broker/1", by_anyone=by_anyone, plan=stands)
        one = self.agents[1]
        self.writes = ClaimWrites(one.fence, self.claim, 1)
        look: Any = _nothing
        await apply(effect.changes, self.writes.ports(one.ports, look, look))

    async def claims(
        self, effect: Effect, *scopes: str, by_anyone: bool = False, plan: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Agent 1's claim for this is dirty; nothing was sent."""
        one = self.agents[1]
        one.claims.add(-1)
        self.claim = await one.control.claim(
            effect.action, scopes, "p", "why", by_anyone=by_anyone, plan=plan
        )
        one.claims.add(self.claim)
        await one.control.granted(self.claim)
        await one.control.intent(self.claim, encode_effect(effect))

    async def lose_tail(self, first: int) -> None:
        """Its holder is dead; a new leader has nothing from offset `first` on, which whoever lives sees."""
        await self.agents[1].die()
        await self.log.lose_tail(len(self.log.records) - first)
        await asyncio.sleep(1)

    async def closed(self, node: int, seconds: float = 600) -> int:
        """When agent `node` saw the claim closed, in ms of boot time."""
        control = self.agents[node].control
        async with asyncio.timeout(seconds):
            while control.claim_called(self.claim):
                await asyncio.sleep(0.1)
        return boot_ms()


async def _nothing() -> None:
    return None


def play(story: Callable[[Fleet], Coroutine[Any, Any, None]], cluster: Cluster | None = None) -> Fleet:
    async def whole() -> Fleet:
        fleet = Fleet(FakeLog(boot_ms), cluster or Cluster())
        fleet.cluster.values["topic/orders"] = {LISTED.key: "7:9"}
        for node in (1, 2, 3):
            await fleet.start(node)
        await story(fleet)
        for agent in fleet.agents.values():
            await agent.die()
        return fleet

    return run(whole())
