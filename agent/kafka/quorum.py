"""The quorum of controllers: who leads it, and how far voters and observers are behind (DescribeQuorum)."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from msgspec import Struct

from agent.kafka.bridge import Call
from agent.kafka.errors import KafkaUnreachable, check

_TOPIC = "__cluster_metadata"


class QuorumNode(Struct, frozen=True):
    """A voter or an observer (brokers are those). `end_offset` of its log, -1: unknown. `caught_up_at`: when
    it was last caught up, in ms by the leader's clock (for the leader: now); -1: unknown, or before 3.3."""

    node_id: int
    end_offset: int
    caught_up_at: int


class Quorum(Struct, frozen=True):
    """As the leader sees it; `leader` is the active controller's node id, -1: none is known."""

    leader: int
    epoch: int
    high_watermark: int
    voters: tuple[QuorumNode, ...]
    observers: tuple[QuorumNode, ...]


@cache
def describe_quorum() -> Call:
    """Asks for the quorum of the metadata log; brokers hand it on to the active controller."""

    def build(m: ModuleType) -> Any:
        partition = m.PartitionData(partition_index=0)
        return m.DescribeQuorumRequest(topics=(m.TopicData(topic_name=_TOPIC, partitions=(partition,)),))

    return Call("describe_quorum", 55, 0, 2, build)


def quorum_of(answer: Any) -> Quorum:
    """The quorum in one answer; KafkaRefused where it holds an error, KafkaUnreachable where nothing."""
    check("describe_quorum", answer.error_code, getattr(answer, "error_message", None))
    partition = next((partition for topic in answer.topics for partition in topic.partitions), None)
    if partition is None:
        raise KafkaUnreachable("the quorum", f"the answer says nothing of {_TOPIC}")
    check("describe_quorum", partition.error_code, getattr(partition, "error_message", None))
    return Quorum(
        leader=partition.leader_id,
        epoch=partition.leader_epoch,
        high_watermark=partition.high_watermark,
        voters=tuple(map(_node, partition.current_voters)),
        observers=tuple(map(_node, partition.observers)),
    )


def _node(state: Any) -> QuorumNode:
    return QuorumNode(state.replica_id, state.log_end_offset, getattr(state, "last_caught_up_timestamp", -1))
