"""Who is in the cluster and where the partitions are: DescribeCluster and DescribeTopicPartitions."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import msgspec

from agent.kafka.bridge import Call, Memory
from agent.kafka.errors import UNKNOWN_TOPIC_OR_PARTITION, check

# A broker answers at most this many partitions at once, whatever it is asked; then it gives a cursor.
_PAGE = 2_000
_BROKERS = 1  # DescribeCluster's endpoint type; 2 would be the controllers


class BrokerInfo(msgspec.Struct, frozen=True):
    """A registered broker. `fenced`: the controller has not heard of it, or it is starting or stopped.

    Brokers before 4.0 list only those that are not fenced.
    """

    node_id: int
    host: str
    port: int
    rack: str | None
    fenced: bool


class Place(msgspec.Struct, frozen=True):
    """Where a broker is: its cluster's id, and its rack; empty: it has none, None: nobody lists it."""

    cluster: str
    rack: str | None


class PartitionInfo(msgspec.Struct, frozen=True, gc=False):
    """Where one partition is. `leader` -1: it has none. `topic_id` is as Kafka's tools print it.

    A Struct and no dataclass, since thousands are made at once: it takes a tenth of the time.

    `elr` (KIP-966) may become leader without loss though not in sync; `last_known_elr` is who may hold the
    newest data where nobody is left of isr and elr.
    """

    topic: str
    partition: int
    topic_id: str
    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    elr: tuple[int, ...]
    offline: tuple[int, ...]
    last_known_elr: tuple[int, ...] = ()
    leader_epoch: int = -1


@cache
def describe_cluster() -> Call:
    """Asks for every broker, fenced ones too where the broker knows how (v2, Kafka 4.0)."""

    def build(m: ModuleType) -> Any:
        version = m.DescribeClusterRequest.__version__
        newer: dict[str, Any] = {"endpoint_type": _BROKERS} if version >= 1 else {}
        if version >= 2:
            newer["include_fenced_brokers"] = True
        return m.DescribeClusterRequest(include_cluster_authorized_operations=False, **newer)

    return Call("describe_cluster", 60, 0, 2, build)


def brokers_of(answer: Any) -> dict[int, BrokerInfo]:
    """The brokers of a DescribeCluster answer by node id."""
    check("describe_cluster", answer.error_code, answer.error_message)
    return {
        b.broker_id: BrokerInfo(b.broker_id, b.host, b.port, b.rack, getattr(b, "is_fenced", False))
        for b in answer.brokers
    }


def place_of(answer: Any, node: int) -> Place:
    """Where a DescribeCluster answer has broker `node`."""
    found = brokers_of(answer).get(node)
    return Place(answer.cluster_id, None if found is None else found.rack or "")


Page = tuple[tuple["PartitionInfo", ...], Any]  # partitions, and the cursor that leads on, None at the end


def page_memory() -> Memory:
    """Keeps the page that one describe_topic_partitions answered last."""
    return Memory(page_of)


def page_of(answer: Any) -> Page:
    """An answer's partitions, as `partitions_of`, and its cursor."""
    return tuple(partitions_of(answer)), answer.next_cursor


def describe_topic_partitions(
    topics: Sequence[str], cursor: Any = None, memory: Memory | None = None
) -> Call:
    """Asks for the partitions of `topics`, or of all where empty; `cursor` is the last answer's."""

    def build(m: ModuleType) -> Any:
        start = cursor and m.Cursor(topic_name=cursor.topic_name, partition_index=cursor.partition_index)
        return m.DescribeTopicPartitionsRequest(
            topics=tuple(m.TopicRequest(name=name) for name in topics),
            response_partition_limit=_PAGE,
            cursor=start,
        )

    return Call("describe_topic_partitions", 75, 0, 0, build, memory=memory)


def partitions_of(answer: Any) -> list[PartitionInfo]:
    """The partitions of one answer, without topics that do not exist; other errors are KafkaRefused."""
    found = []
    for topic in answer.topics:
        if topic.error_code == UNKNOWN_TOPIC_OR_PARTITION:
            continue
        check("describe_topic_partitions", topic.error_code, f"topic {topic.name}")
        topic_id = show_id(topic.topic_id)
        found += [_partition(topic.name, topic_id, partition) for partition in topic.partitions]
    return found


def show_id(topic_id: uuid.UUID | None) -> str:
    """A topic's id as Kafka prints it, 22 characters; empty for none."""
    return base64.urlsafe_b64encode(topic_id.bytes).decode().rstrip("=") if topic_id else ""


def parse_id(topic_id: str) -> uuid.UUID:
    """The inverse of `show_id`."""
    return uuid.UUID(bytes=base64.urlsafe_b64decode(topic_id + "=="))


def _partition(topic: str, topic_id: str, p: Any) -> PartitionInfo:
    # An error of a partition only repeats that it has no leader.
    return PartitionInfo(
        topic,
        p.partition_index,
        topic_id,
        p.leader_id,
        p.replica_nodes,
        p.isr_nodes,
        p.eligible_leader_replicas or (),
        p.offline_replicas,
        p.last_known_elr or (),
        p.leader_epoch,
    )
