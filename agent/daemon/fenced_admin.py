"""The admin protocol as a claimed action gets it: what it reads is remembered, writes go the claim's way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from agent.actions.ports import AdminPort
from agent.daemon.compared import Compared, Moves
from agent.kafka.configs import ConfigChange
from agent.kafka.log_dirs import LogDir
from agent.kafka.metadata import BrokerInfo, PartitionInfo


class FencedAdmin:
    """agent.actions.ports.AdminPort. `alter` gets the changes of one resource."""

    def __init__(
        self,
        admin: AdminPort,
        compared: Compared,
        alter: Callable[[Sequence[ConfigChange]], Awaitable[None]],
        move: Callable[[int, Moves], Awaitable[Moves]],
    ) -> None:
        self._admin = admin
        self._compared = compared
        self._alter = alter
        self._move = move

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        """Make the changes, resource by resource in the order given, each all or nothing and an effect."""
        by_resource: dict[str, list[ConfigChange]] = {}
        for change in changes:
            by_resource.setdefault(change.resource, []).append(change)
        for own in by_resource.values():
            await self._alter(own)

    async def move_replicas(self, broker: int, moves: Moves) -> Moves:
        """Begin to move replicas between the broker's log dirs; those refused, with the error's name."""
        return await self._move(broker, moves) if moves else {}

    async def brokers(self) -> Mapping[int, BrokerInfo]:
        """The registered brokers by node id."""
        return await self._admin.brokers()

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        """The partitions of some topics or all, as broker `ask` (or any) sees them."""
        return await self._admin.partitions(topics, ask=ask)

    async def reassignments(self) -> frozenset[tuple[str, int]]:
        """The partitions that are being moved between brokers."""
        return await self._admin.reassignments()

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        """What is set dynamically at the resource itself."""
        return await self._compared.configs(resource, keys)

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        """The values in effect, whatever their source."""
        return await self._admin.effective_configs(resource, keys)

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        """What is set dynamically at each topic."""
        return await self._compared.topic_configs(topics, keys)

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """The broker's log dirs with their replicas."""
        return await self._compared.log_dirs(broker)
