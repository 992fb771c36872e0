"""What the sources ask of the admin client, so that tests and other clients can stand in for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.kafka.log_dirs import LogDir
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.kafka.quorum import Quorum


class FactsAdmin(Protocol):
    """What this source asks of the admin client. Every call raises KafkaError where there is no answer."""

    async def brokers(self, *, ask: int | None = None) -> Mapping[int, BrokerInfo]:
        """The registered brokers as one broker, or any, sees them."""

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        """The partitions as one broker sees them."""

    async def reassignments(self) -> frozenset[tuple[str, int]]:
        """The partitions that are being moved."""

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        """What is set dynamically at a resource."""

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        """What is in effect at a resource."""

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        """What is set dynamically at topics."""

    async def quorum(self) -> Quorum:
        """The quorum of controllers."""

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """The log dirs of one broker."""
