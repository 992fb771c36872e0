"""What Ottla asks of a cluster and changes in it, as plain values."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from agent.kafka.bridge import Memory
from agent.kafka.cluster import Cluster
from agent.kafka.configs import (
    ConfigChange,
    check_altered,
    describe_configs,
    in_force,
    incremental_alter_configs,
    node_of,
    split_resource,
    values_of,
)
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaError, KafkaInDoubt
from agent.kafka.fresh import FreshRequest, Write
from agent.kafka.log_dirs import (
    LogDir,
    alter_replica_log_dirs,
    describe_log_dirs,
    log_dirs_of,
    refused_moves,
)
from agent.kafka.metadata import (
    BrokerInfo,
    PartitionInfo,
    Place,
    brokers_of,
    describe_cluster,
    describe_topic_partitions,
    page_memory,
    place_of,
)
from agent.kafka.quorum import Quorum, describe_quorum, quorum_of
from agent.kafka.reassignments import list_partition_reassignments, reassigning
from agent.kafka.topics import NewTopic, check_created, check_deleted, create_topics, delete_topics

# Of a change's deadline, the part for its answer; the rest is for reading back where none came.
_WRITE_SHARE = 0.6
# A value reaches the broker that is asked some 10 to 100 ms after the controller took it.
_READ_BACK_PAUSE = 0.1
# What a controller gets of our deadline, so that its "no" still arrives.
_CONTROLLER_SHARE = 0.8


class Admin:
    """The admin protocol. Every call ends within `deadline` seconds, with an answer or one of
    KafkaUnreachable, KafkaRefused and, for writes, KafkaInDoubt. A hung broker delays only calls to
    itself, and at most a third of one call that any broker may answer."""

    def __init__(
        self, bootstrap: Sequence[str], security: Security, *, client_id: str, deadline: float = 5.0
    ) -> None:
        self._cluster = Cluster(bootstrap, security, client_id=client_id, deadline=deadline)
        self._deadline = deadline
        self._pages: list[Memory] = []

    async def brokers(self, *, ask: int | None = None) -> Mapping[int, BrokerInfo]:
        """The registered brokers by node id, as broker `ask` (or any) sees them; fenced ones too where the
        cluster can tell (Kafka 4.0)."""
        if ask is None:
            return await self._cluster.brokers()
        return brokers_of(await self._cluster.ask(describe_cluster(), node=ask))

    async def place(self, node: int) -> Place:
        """The cluster's id, and the rack of broker `node` in it."""
        return place_of(await self._cluster.ask(describe_cluster()), node)

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        """The partitions of some topics or all, as broker `ask` (or any) sees them.

        A topic that does not exist is left out. Of all topics, pages that are as they were before are the
        very same objects, and cost next to nothing.
        """
        if topics is not None and not topics:
            return ()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._deadline
        found: list[PartitionInfo] = []
        cursor, number = None, 0
        while True:
            memory = self._page_memory(number) if topics is None else page_memory()
            call = describe_topic_partitions(topics or (), cursor, memory)
            page, cursor = await self._cluster.ask(call, node=ask, deadline=until - loop.time())
            found += page
            number += 1
            if cursor is None:
                break
        if topics is None:
            del self._pages[number:]
        return tuple(found)

    def _page_memory(self, number: int) -> Memory:
        while number >= len(self._pages):
            self._pages.append(page_memory())
        return self._pages[number]

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        """What is set dynamically at `broker/2` or `topic/orders` itself; absent keys are not in it."""
        return await self._values(resource, keys, dynamic=True)

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        """The values in effect, whatever their source."""
        return await self._values(resource, keys, dynamic=False)

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        """What is set dynamically at each topic; a topic that does not exist is left out."""
        if not topics:
            return {}
        call = describe_configs([f"topic/{name}" for name in topics], keys)
        return values_of(await self._cluster.ask(call), dynamic=True)

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        """Make the changes, resource by resource in the order given, each all or nothing.

        KafkaRefused at one leaves those before it changed. A change that was not answered is read back: if it
        is in force all is well, otherwise KafkaInDoubt, and it may still come into force later.
        """
        by_resource: dict[str, list[ConfigChange]] = defaultdict(list)
        for change in changes:
            by_resource[change.resource].append(change)
        for resource, own in by_resource.items():
            await self._alter(resource, own)

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """The broker's log dirs, as it sees them. While one is offline each call costs the broker's log a
        stack trace: ask once a minute then."""
        return log_dirs_of(await self._cluster.ask(describe_log_dirs(), node=broker))

    async def move_replicas(
        self, broker: int, moves: Mapping[tuple[str, int], str]
    ) -> Mapping[tuple[str, int], str]:
        """Begin to move replicas between the broker's log dirs; those refused, with the error's name."""
        if not moves:
            return {}
        answer = await self._cluster.ask(alter_replica_log_dirs(moves), node=broker)
        return refused_moves(answer)

    async def reassignments(self) -> frozenset[tuple[str, int]]:
        """The partitions that are being moved between brokers."""
        call = list_partition_reassignments(self._deadline * _CONTROLLER_SHARE)
        return reassigning(await self._cluster.ask(call))

    async def quorum(self) -> Quorum:
        """The quorum of controllers, as its leader sees it."""
        return quorum_of(await self._cluster.ask(describe_quorum()))

    async def answers(self, node: int, *, controller: bool, deadline: float) -> bool:
        """Whether broker `node` answers within `deadline` seconds; with `controller` whether the active
        controller does, asked through it."""
        call = describe_quorum() if controller else describe_cluster()
        purpose = "watch of the controller" if controller else "watch"
        try:
            await self._cluster.ask(call, node=node, purpose=purpose, deadline=deadline)
        except KafkaError:
            return False
        return True

    async def warm(self, node: int | None, deadline: float) -> None:
        """One read from broker `node`, or from any: the next one need not connect. KafkaUnreachable."""
        await self._cluster.ask(describe_cluster(), node=node, deadline=deadline)

    async def ready_to_alter(self, changes: Sequence[ConfigChange], via: int, ms: int) -> FreshRequest[None]:
        """Changes of one resource, ready to be sent once by a connection of their own, to broker `via` or the
        only one that takes them. `ms`: how long our kernel may try. KafkaUnreachable, KafkaRefused."""
        resource = changes[0].resource
        node = node_of(resource)
        call = incremental_alter_configs(resource, changes)
        write = Write(call, lambda answer: check_altered(resource, answer), ms, self._deadline * _WRITE_SHARE)
        return await self._cluster.fresh(via if node is None else node, write)

    async def ready_to_move(
        self, broker: int, moves: Mapping[tuple[str, int], str], ms: int
    ) -> FreshRequest[Mapping[tuple[str, int], str]]:
        """Moves of replicas, as `move_replicas`, ready to be sent once; as `ready_to_alter`."""
        call = alter_replica_log_dirs(moves)
        write: Write[Mapping[tuple[str, int], str]] = Write(call, refused_moves, ms, self._deadline)
        return await self._cluster.fresh(broker, write)

    async def in_force(self, changes: Sequence[ConfigChange]) -> bool:
        """Whether one resource's changes are in force, or come into force while they are looked for; False
        where that cannot be read."""
        until = asyncio.get_running_loop().time() + self._deadline * (1 - _WRITE_SHARE)
        return await self._seen_in_force(changes[0].resource, changes, until)

    async def create_topic(
        self, name: str, partitions: int, replication_factor: int, configs: Mapping[str, str]
    ) -> None:
        """Make a topic. KafkaRefused with TOPIC_ALREADY_EXISTS if it is there."""
        topic = NewTopic(name, partitions, replication_factor, configs)
        call = create_topics([topic], self._deadline * _CONTROLLER_SHARE)
        check_created(await self._cluster.ask(call))

    async def delete_topics(self, names: Sequence[str]) -> None:
        """Delete topics and their data."""
        call = delete_topics(names, self._deadline * _CONTROLLER_SHARE)
        check_deleted(await self._cluster.ask(call))

    async def close(self) -> None:
        """Close every connection."""
        await self._cluster.close()

    async def _values(
        self, resource: str, keys: Sequence[str] | None, *, dynamic: bool, deadline: float | None = None
    ) -> Mapping[str, str]:
        call = describe_configs([resource], keys)
        answer = await self._cluster.ask(call, node=node_of(resource), deadline=deadline)
        values = values_of(answer, dynamic=dynamic)
        return values.get(split_resource(resource)[1], {})

    async def _alter(self, resource: str, changes: Sequence[ConfigChange]) -> None:
        until = asyncio.get_running_loop().time() + self._deadline
        call = incremental_alter_configs(resource, changes)
        node = node_of(resource)
        try:
            answer = await self._cluster.ask(call, node=node, deadline=self._deadline * _WRITE_SHARE)
            check_altered(resource, answer)
        except KafkaInDoubt as doubt:
            if not await self._seen_in_force(resource, changes, until):
                raise doubt from None

    async def _seen_in_force(self, resource: str, changes: Sequence[ConfigChange], until: float) -> bool:
        loop = asyncio.get_running_loop()
        while (left := until - loop.time()) > 0:
            try:
                values = await self._values(resource, [c.key for c in changes], dynamic=True, deadline=left)
            except KafkaError:
                return False  # it cannot be read, so it stays in doubt
            if all(in_force(change, values) for change in changes):
                return True
            await asyncio.sleep(_READ_BACK_PAUSE)
        return False
