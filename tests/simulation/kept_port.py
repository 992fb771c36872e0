"""The cluster with log dirs and leftover throttles as one process of the daemon reaches it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from agent.control_topic import Request
from agent.daemon.compared import Moves
from agent.kafka.errors import KafkaInDoubt, KafkaUnreachable
from agent.kafka.log_dirs import LogDir
from agent.kafka.metadata import PartitionInfo
from simulation.brokers import Sending
from simulation.cluster_port import ClusterPort
from simulation.copying_world import Moving
from simulation.kept_world import KeptWorld


class Move:
    """agent.control_topic.effects.Request: moves on a connection of their own."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    async def send(self) -> None:
        """The bytes leave."""
        await self._sending.send()

    async def answer(self) -> Moves:
        """None is refused. KafkaInDoubt: nobody knows."""
        try:
            await self._sending.answer()
        except TimeoutError:
            raise KafkaInDoubt("alter_replica_log_dirs", "no answer") from None
        return {}

    async def close(self) -> None:
        """What has reached the broker stays there."""
        await self._sending.close()


class KeptPort(ClusterPort):
    """The replicas of what lags are in a log dir that takes no others."""

    world: KeptWorld

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        """Also those that a person throttles, one of each broker; they are in sync."""
        nodes = [n for n in self.world.nodes if n]
        left = (
            PartitionInfo(f"l{n}", 0, f"l{n}", n, (n, m), (n, m), (), ())
            for n, m in zip(nodes, (*nodes[1:], nodes[0]), strict=True)
        )
        found = await super().partitions(topics, ask=ask)
        return (*found, *(p for p in left if topics is None or p.topic in topics))

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """Those of the broker."""
        (one,) = await super().log_dirs(broker)
        if broker not in self.world.nodes:
            return (one,)
        return replace(one, cordoned=True), *self.world.disks(broker).described()

    async def free_bytes(self, path: str) -> tuple[int, int]:
        """Of the own host."""
        return self.world.disks(self._process.machine.node).free(path)

    async def ready_to_move(self, broker: int, moves: Moves, ms: int) -> Request[Moves]:
        """A connection of its own to the only broker that takes them."""
        key = f"dirs/{broker}", "+".join(f"{t}-{p}" for t, p in sorted(moves))
        wanted = Moving(
            self.whose, key, None, broker, self.undo, self.blind, (), tuple(sorted(moves.items()))
        )
        try:
            return Move(await self.world.connect(self._process, wanted))
        except TimeoutError:
            raise KafkaUnreachable(f"broker {broker}", "no connection") from None
