"""Every request can be built at every version it is declared for, and no bytes of an answer surprise us."""

from __future__ import annotations

import contextlib
import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fake_broker import encode_answer
from hypothesis import given
from hypothesis import strategies as st
from kio.index import load_entity_schema
from kio.schema.describe_topic_partitions.v0 import response
from kio.schema.errors import ErrorCode
from kio.schema.types import BrokerId, TopicName
from kio.static.constants import EntityType
from kio.static.primitive import i32, i32Timedelta

from agent.kafka.bridge import Answer, Call, MalformedAnswerError, Memory
from agent.kafka.configs import ConfigChange, describe_configs, incremental_alter_configs
from agent.kafka.errors import KafkaRefused
from agent.kafka.log_dirs import alter_replica_log_dirs, describe_log_dirs
from agent.kafka.metadata import describe_cluster, describe_topic_partitions
from agent.kafka.partition import EARLIEST, Leader, Reading, fetch, list_offsets, produce
from agent.kafka.quorum import describe_quorum
from agent.kafka.reassignments import list_partition_reassignments
from agent.kafka.topics import NewTopic, create_topics, delete_topics

_LEADER = Leader("t", 0, uuid.UUID(int=7), node=1, epoch=3)
_CURSOR = SimpleNamespace(topic_name="orders", partition_index=5)
_SET = ConfigChange("broker/2", "leader.replication.throttled.rate", "set", "1000")
_CALLS = [
    describe_cluster(),
    describe_topic_partitions(["orders"], _CURSOR),
    describe_configs(["broker/2", "topic/orders"], ["retention.ms"]),
    incremental_alter_configs("broker/2", [_SET]),
    describe_log_dirs(),
    alter_replica_log_dirs({("orders", 0): "/d1", ("orders", 1): "/d1", ("bills", 0): "/d2"}),
    list_partition_reassignments(4.0),
    describe_quorum(),
    create_topics([NewTopic("t", 1, 3, {"retention.ms": "-1"})], 4.0),
    delete_topics(["t"], 4.0),
    produce(_LEADER, b"batch", 4.0),
    fetch(_LEADER, Reading(10, 2, 500, 1)),
    list_offsets(_LEADER, EARLIEST, 4.0),
]
_RESPONSES = [
    load_entity_schema(call.api, version, EntityType.response)
    for call in _CALLS
    for version in (call.oldest, call.newest)
]


@pytest.mark.parametrize(
    ("call", "version"),
    [pytest.param(c, v, id=f"{c.api} v{v}") for c in _CALLS for v in range(c.oldest, c.newest + 1)],
)
def test_each_declared_version_is_built(call: Call, version: int) -> None:
    """Field names differ between versions; one that is missing would fail only at some other broker."""
    exchange = call.prepare({call.key: (version, version)})

    assert (call.key, version) == (exchange.API_KEY, exchange.API_VERSION)
    assert exchange.encode()


def test_the_newest_common_version_is_chosen() -> None:
    """A newer broker gets the newest version that was tested, not the newest that kio knows."""
    call = Call("describe_cluster", 60, 0, 1, describe_cluster().build)

    assert call.prepare({60: (0, 9)}).API_VERSION == 1


@pytest.mark.parametrize(
    ("versions", "says"),
    [({}, "does not offer it"), ({60: (3, 9)}, "offers 3 to 9; Ottla needs one of 0 to 2")],
)
def test_a_broker_without_a_common_version_is_refused(
    versions: dict[int, tuple[int, int]], says: str
) -> None:
    """What the broker offers and what is needed are both named."""
    with pytest.raises(KafkaRefused, match=says) as caught:
        describe_cluster().prepare(versions)

    assert caught.value.name == "UNSUPPORTED_VERSION"


def test_no_setting_is_shown_in_logs() -> None:
    """aiokafka logs requests and answers at DEBUG."""
    exchange = incremental_alter_configs(
        "topic/t", [ConfigChange("topic/t", "key", "set", "secret")]
    ).prepare({44: (0, 1)})

    assert "secret" not in repr(exchange)
    assert "secret" not in repr(Answer(None, b"secret"))


def test_bytes_left_over_are_an_error() -> None:
    """They mean that the answer was not understood, even where its beginning looked right."""
    message = load_entity_schema("describe_configs", 1, EntityType.response)

    assert Answer(message, bytes(8)).read()
    with pytest.raises(MalformedAnswerError, match="1 bytes left over"):
        Answer(message, bytes(9)).read()


# Small bytes only: kio reserves memory for an array's length as claimed, and Rust aborts where there is none.
@given(st.sampled_from(_RESPONSES), st.lists(st.integers(0, 1), max_size=300))
def test_garbage_is_malformed_and_nothing_else(message: Any, data: list[int]) -> None:
    """Whatever a broker sends, reading it ends in a message or in MalformedAnswerError."""
    with contextlib.suppress(MalformedAnswerError):
        Answer(message, bytes(data)).read()


def test_equal_bytes_are_read_once() -> None:
    """What was made of them stands until others come; bytes that cannot be read leave it as it was."""
    message = load_entity_schema("describe_configs", 1, EntityType.response)
    made: list[Any] = []
    memory = Memory(lambda read: made.append(read) or len(made))  # type: ignore[func-returns-value]
    throttled = bytes(3) + b"\1" + bytes(4)

    seen = [Answer(message, data, memory).read() for data in (bytes(8), bytes(8), throttled, throttled)]
    with pytest.raises(MalformedAnswerError):
        Answer(message, bytes(9), memory).read()

    assert [*seen, Answer(message, throttled, memory).read()] == [1, 1, 2, 2, 2]
    assert len(made) == 2


def test_an_answer_cut_short_is_malformed() -> None:
    """Wherever it is cut."""
    partition = response.DescribeTopicPartitionsResponsePartition(
        error_code=ErrorCode.none,
        partition_index=i32(0),
        leader_id=BrokerId(1),
        replica_nodes=(BrokerId(1), BrokerId(2)),
    )
    topic = response.DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.none,
        name=TopicName("orders"),
        topic_id=uuid.UUID(int=7),
        partitions=(partition,),
    )
    message = response.DescribeTopicPartitionsResponse(
        throttle_time=i32Timedelta.parse(timedelta(0)), topics=(topic,)
    )
    whole = encode_answer(message)[1:]

    assert Answer(type(message), whole).read() == message
    for length in range(len(whole)):
        with pytest.raises(MalformedAnswerError):
            Answer(type(message), whole[:length]).read()
