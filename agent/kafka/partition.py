"""Reading and writing one partition: Produce, Fetch and ListOffsets."""

from __future__ import annotations

import uuid
from datetime import timedelta
from types import ModuleType
from typing import Any

from msgspec import Struct

from agent.kafka.bridge import Call
from agent.kafka.errors import NONE, KafkaInDoubt, error_name

EARLIEST, LATEST = -2, -1  # ListOffsets' special timestamps
_ALL_REPLICAS = -1
_CONSUMER = -1
_MAX_BYTES = 4 << 20  # of a fetch; a larger batch comes whole all the same (KIP-74)


class Leader(Struct, frozen=True):
    """Who leads a partition now, as far as we know."""

    topic: str
    partition: int
    topic_id: uuid.UUID
    node: int
    epoch: int


def produce(leader: Leader, batch: bytes, timeout: float) -> Call:
    """Asks to append one batch, acknowledged by all in-sync replicas; they get `timeout` seconds."""

    def build(m: ModuleType) -> Any:
        named = (
            {"topic_id": leader.topic_id} if m.ProduceRequest.__version__ >= 13 else {"name": leader.topic}
        )
        data = m.PartitionProduceData(index=leader.partition, records=batch)
        return m.ProduceRequest(
            acks=_ALL_REPLICAS,
            timeout=timedelta(seconds=timeout),
            topic_data=(m.TopicProduceData(**named, partition_data=(data,)),),
        )

    return Call("produce", 0, 9, 13, build, write=True)


def produced(answer: Any) -> Any:
    """The partition's part of the answer: error_code, error_message, base_offset.

    KafkaInDoubt where it errs and yet names an offset: the leader had appended the batch, and lost the
    leadership, or its patience, while the other replicas fetched it.
    """
    part = answer.responses[0].partition_responses[0]
    if part.error_code != NONE and part.base_offset >= 0:
        raise KafkaInDoubt("produce", f"{error_name(part.error_code)} after it was appended")
    return part


class Reading(Struct, frozen=True):
    """What to fetch. `last_epoch` is the epoch of the newest record read, -1 if none: with it and the
    leader's epoch the broker itself finds a lost tail (KIP-595) or a stale leader (KIP-320)."""

    offset: int
    last_epoch: int
    max_wait_ms: int
    min_bytes: int


def fetch(leader: Leader, reading: Reading) -> Call:
    """Asks for batches from an offset on, without a fetch session, up to the high watermark."""

    def build(m: ModuleType) -> Any:
        partition = m.FetchPartition(
            partition=leader.partition,
            current_leader_epoch=leader.epoch,
            fetch_offset=reading.offset,
            last_fetched_epoch=reading.last_epoch,
            partition_max_bytes=_MAX_BYTES,
        )
        return m.FetchRequest(
            max_wait=timedelta(milliseconds=reading.max_wait_ms),
            min_bytes=reading.min_bytes,
            max_bytes=_MAX_BYTES,
            topics=(m.FetchTopic(topic_id=leader.topic_id, partitions=(partition,)),),
            forgotten_topics_data=(),
        )

    return Call("fetch", 1, 13, 18, build)


def fetched(answer: Any) -> Any:
    """The partition's part of the answer, or the answer itself where only it has an error_code."""
    return answer.responses[0].partitions[0] if answer.responses else answer


def list_offsets(leader: Leader, which: int, timeout: float) -> Call:
    """Asks for the offset at the log's start (EARLIEST) or its high watermark (LATEST)."""

    def build(m: ModuleType) -> Any:
        partition = m.ListOffsetsPartition(
            partition_index=leader.partition, current_leader_epoch=leader.epoch, timestamp=which
        )
        version = m.ListOffsetsRequest.__version__
        newer: dict[str, Any] = {"timeout": timedelta(seconds=timeout)} if version >= 10 else {}
        return m.ListOffsetsRequest(
            replica_id=_CONSUMER,
            isolation_level=0,
            topics=(m.ListOffsetsTopic(name=leader.topic, partitions=(partition,)),),
            **newer,
        )

    return Call("list_offsets", 2, 4, 11, build)


def listed(answer: Any) -> Any:
    """The partition's part of the answer: error_code, offset, leader_epoch."""
    return answer.topics[0].partitions[0]
