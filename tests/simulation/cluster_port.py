"""The simulated cluster as one process of the daemon reaches it: agent.actions.ports.AdminPort to read, and
agent.daemon.fence.Writes to write, with the errors of agent.kafka.errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from agent.actions.throttles import RATES
from agent.control_topic import Request
from agent.daemon.compared import Moves
from agent.kafka.configs import ConfigChange, in_force, node_of
from agent.kafka.errors import KafkaInDoubt, KafkaUnreachable
from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from simulation.brokers import Sending
from simulation.cluster_world import Alteration, ClusterWorld
from simulation.lags import GHOST, Lags
from simulation.machines import Process

DEADLINE = 2.5  # seconds of one read
FOUND = 2.0  # seconds in which a write that nobody answered is looked for
SIZE = 1 << 30  # bytes of each replica


class Alter:
    """agent.control_topic.effects.Request: one write on a connection of its own."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    async def send(self) -> None:
        """The bytes leave."""
        await self._sending.send()

    async def answer(self) -> None:
        """KafkaInDoubt: nobody knows."""
        try:
            await self._sending.answer()
        except TimeoutError:
            raise KafkaInDoubt("incremental_alter_configs", "no answer") from None

    async def close(self) -> None:
        """What has reached the broker stays there."""
        await self._sending.close()


class ClusterPort:
    """`whose`, `undo` and `blind` (without the log): of the request that is made ready next."""

    def __init__(self, world: ClusterWorld, process: Process, lags: Lags) -> None:
        self.whose = ""
        self.undo = False
        self.blind = False
        self.world = world
        self._process = process
        self._lags = lags

    async def _ask(self, node: int | None, deadline: float = DEADLINE, *, controller: bool = False) -> None:
        """One trip to a broker, or any, there and back. KafkaUnreachable."""
        world = self.world
        answer = self._process.loop.create_future()
        world.kernel.after(0.001 + 0.003 * world.random.random(), self._arrive, answer, node, controller)
        try:
            async with asyncio.timeout(deadline):
                await answer
        except TimeoutError:
            raise KafkaUnreachable(f"broker {node}", "no answer") from None

    def _arrive(self, answer: asyncio.Future[object], node: int | None, controller: bool) -> None:
        world, own = self.world, self._process.machine.node
        asked = [node] if node is not None else [own, *(n for n in world.nodes if n not in (0, own))]
        there = any(n in world.nodes and not world.nodes[n].stopped for n in asked)
        if own in world.cut or not there or (controller and world.nodes[0].stopped):
            return
        if self._process.alive and not answer.done():
            answer.set_result(None)

    def _values(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        values = self.world.values.get(resource, {})
        return {k: v for k, v in values.items() if keys is None or k in keys}

    async def brokers(self) -> Mapping[int, BrokerInfo]:
        """All are registered."""
        await self._ask(None)
        numbers = [*(n for n in self.world.nodes if n), GHOST]
        return {n: BrokerInfo(n, f"host{n}", 9092, None, fenced=False) for n in numbers}

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        """Those out of sync; the others change nothing here."""
        await self._ask(ask)
        return tuple(p for p in self._lags.partitions() if topics is None or p.topic in topics)

    async def reassignments(self) -> frozenset[tuple[str, int]]:
        """None."""
        await self._ask(None)
        return frozenset()

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        """What is set at the resource itself; only a broker itself tells of its own."""
        node = node_of(resource)
        await self._ask(None if node == GHOST else node)
        return self._values(resource, keys)

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        """The values in effect: of the throttles only what is set."""
        found = await self.configs(resource, keys)
        return {"min.insync.replicas": "1", **found} if resource.startswith("topic/") else found

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        """What is set at topics; any broker tells."""
        await self._ask(None)
        return {topic: self._values(f"topic/{topic}", keys) for topic in topics}

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """Nothing is produced meanwhile."""
        await self._ask(None if broker == GHOST else broker)
        sizes = (LogDirReplica(p.topic, p.partition, SIZE, 0, future=False) for p in self._lags.partitions())
        return (LogDir("/data", 0, 1 << 50, 1 << 49, tuple(sizes)),)

    async def free_bytes(self, path: str) -> tuple[int, int]:
        """Nobody asks."""
        raise OSError(f"{path}: there are no disks here")

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        """By no fence: never."""
        raise AssertionError(f"a claim's write went past its fence: {changes}")

    async def move_replicas(self, broker: int, moves: Moves) -> Moves:
        """Nobody moves any here."""
        raise AssertionError(f"nobody moves replicas: {moves} of {broker}")

    async def warm(self, node: int | None, deadline: float) -> None:
        """Reads need no connection here."""

    async def ready_to_alter(self, changes: Sequence[ConfigChange], via: int, ms: int) -> Alter:
        """A connection of its own, authenticated; of broker settings the broker itself takes them."""
        own = node_of(changes[0].resource)
        via = via if own is None else own
        key = changes[0].resource, "+".join("rate" if c.key in RATES else "list" for c in changes)
        wanted = Alteration(self.whose, key, None, via, self.undo, self.blind, tuple(changes))
        try:
            return Alter(await self.world.connect(self._process, wanted))
        except TimeoutError:
            raise KafkaUnreachable(f"broker {via}", "no connection") from None

    async def ready_to_move(self, broker: int, moves: Moves, ms: int) -> Request[Moves]:
        """Nobody moves any here."""
        raise AssertionError(f"nobody moves replicas: {moves} of {broker}")

    async def in_force(self, changes: Sequence[ConfigChange]) -> bool:
        """Looked for again and again, for a while."""
        try:
            async with asyncio.timeout(FOUND):
                while True:
                    values = await self.configs(changes[0].resource, [c.key for c in changes])
                    if all(in_force(change, values) for change in changes):
                        return True
                    await asyncio.sleep(0.1)
        except (TimeoutError, KafkaUnreachable):
            return False

    async def answers(self, node: int, *, controller: bool, deadline: float) -> bool:
        """Whether it does."""
        try:
            await self._ask(node, deadline, controller=controller)
        except KafkaUnreachable:
            return False
        return True

    async def which_process(self, node: int) -> str | None:
        """Only the own broker's can be seen."""
        own = node == self._process.machine.node
        return f"life {self.world.nodes[node].lives}" if own else None
