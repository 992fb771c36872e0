"""One partition as a log: the leader is found again, and what the broker says of the log is told apart."""

from __future__ import annotations

import asyncio
import struct
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_broker import HANG, HANG_UP, FakeBroker
from kio.schema.describe_cluster.v2.response import DescribeClusterBroker, DescribeClusterResponse
from kio.schema.describe_topic_partitions.v0.response import (
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from kio.schema.errors import ErrorCode
from kio.schema.fetch.v18.response import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchResponse,
    PartitionData,
)
from kio.schema.list_offsets.v11.response import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from kio.schema.produce.v13.response import (
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from kio.schema.types import BrokerId, TopicName
from kio.static.primitive import Records, i32, i32Timedelta, i64

from agent.kafka.at_leader import AtLeader
from agent.kafka.batches import encode
from agent.kafka.bridge import Call
from agent.kafka.cluster import Cluster
from agent.kafka.connection import Security
from agent.kafka.errors import (
    KafkaInDoubt,
    KafkaRefused,
    KafkaUnreachable,
    LogGone,
    LogRecreated,
    LogTruncated,
)
from agent.kafka.log import SLICE, PartitionLog
from agent.kafka.metadata import show_id

_PRODUCE, _FETCH, _OFFSETS, _CLUSTER, _TOPIC = 0, 1, 2, 60, 75
_NO_TIME = i32Timedelta.parse(timedelta(0))
_ID, _NEW_ID = uuid.UUID(int=7), uuid.UUID(int=8)
_Log = tuple[PartitionLog, SimpleNamespace]


def _located(topic_id: uuid.UUID | None, leader: int) -> Any:
    """Without an id the topic is not there."""
    partition = DescribeTopicPartitionsResponsePartition(
        error_code=ErrorCode.none,
        partition_index=i32(0),
        leader_id=BrokerId(leader),
        leader_epoch=i32(leader),
    )
    topic = DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.none if topic_id else ErrorCode.unknown_topic_or_partition,
        name=TopicName("t"),
        topic_id=topic_id,
        partitions=(partition,) if topic_id else (),
    )
    return DescribeTopicPartitionsResponse(throttle_time=_NO_TIME, topics=(topic,))


def _produced(error: ErrorCode, offset: int = -1) -> Any:
    part = PartitionProduceResponse(index=i32(0), error_code=error, base_offset=i64(offset), record_errors=())
    return ProduceResponse(responses=(TopicProduceResponse(topic_id=_ID, partition_responses=(part,)),))


def _fetched(error: ErrorCode = ErrorCode.none, *, records: bytes = b"", diverging: int = -1) -> Any:
    part = PartitionData(
        partition_index=i32(0),
        error_code=error,
        high_watermark=i64(9),
        diverging_epoch=EpochEndOffset(epoch=i32(1), end_offset=i64(diverging))
        if diverging >= 0
        else EpochEndOffset(),
        aborted_transactions=None,
        records=Records(records),
    )
    topic = FetchableTopicResponse(topic_id=_ID, partitions=(part,))
    return FetchResponse(throttle_time=_NO_TIME, error_code=ErrorCode.none, responses=(topic,))


def _offset(offset: int) -> Any:
    part = ListOffsetsPartitionResponse(partition_index=i32(0), error_code=ErrorCode.none, offset=i64(offset))
    topic = ListOffsetsTopicResponse(name=TopicName("t"), partitions=(part,))
    return ListOffsetsResponse(throttle_time=_NO_TIME, topics=(topic,))


@asynccontextmanager
async def _log(first: dict[int, Callable[[int], Any]]) -> AsyncIterator[_Log]:
    """Brokers 1 and 2 with a log of topic t that 1 leads until `now.leader` says otherwise. Broker 1 answers
    as `first` says; broker 2 takes every record."""
    now = SimpleNamespace(leader=1, topic_id=_ID)

    def everywhere(answers: dict[int, Callable[[int], Any]]) -> FakeBroker:
        located = {_TOPIC: lambda _: _located(now.topic_id, now.leader), _CLUSTER: lambda _: described()}
        return FakeBroker(located | answers)

    def described() -> Any:
        brokers = tuple(
            DescribeClusterBroker(
                broker_id=BrokerId(n), host="127.0.0.1", port=i32(b.port), rack=None, is_fenced=False
            )
            for n, b in ((1, one), (2, two))
        )
        return DescribeClusterResponse(
            throttle_time=_NO_TIME, error_code=ErrorCode.none, cluster_id="c", brokers=brokers
        )

    both: dict[int, Callable[[int], Any]] = {
        _PRODUCE: lambda _: _produced(ErrorCode.none, 5),
        _FETCH: lambda _: _fetched(records=encode(b"from 2")),
    }
    async with everywhere(first) as one, everywhere(both) as two:
        now.one, now.two = one, two
        log = PartitionLog([one.address], Security(), "t", client_id="test", deadline=1.0)
        try:
            yield log, now
        finally:
            await log.close()


def _moves(now: list[SimpleNamespace], answer: Any) -> Callable[[int], Any]:
    def moved(_: int) -> Any:
        now[0].leader = 2
        return answer

    return moved


@pytest.mark.parametrize(
    "error",
    [ErrorCode.not_leader_or_follower, ErrorCode.fenced_leader_epoch, ErrorCode.unknown_topic_id],
)
async def test_an_append_follows_the_leader(error: ErrorCode) -> None:
    """A former leader that took nothing sends us on; the record is in the log once."""
    clock: list[SimpleNamespace] = []
    async with _log({_PRODUCE: _moves(clock, _produced(error))}) as (log, now):
        clock.append(now)

        assert await log.append(b"x") == 5
        assert (now.one.asked.count(_PRODUCE), now.two.asked.count(_PRODUCE)) == (1, 1)


async def test_an_append_that_the_former_leader_took_is_in_doubt() -> None:
    """It answers with an offset and an error: whether the new leader has the record is not known."""
    clock: list[SimpleNamespace] = []
    answer = _produced(ErrorCode.not_leader_or_follower, 4)
    async with _log({_PRODUCE: _moves(clock, answer)}) as (log, now):
        clock.append(now)
        with pytest.raises(KafkaInDoubt, match="NOT_LEADER_OR_FOLLOWER after it was appended"):
            await log.append(b"x")

        assert now.two.asked.count(_PRODUCE) == 0


@pytest.mark.parametrize("answer", [HANG, HANG_UP, _produced(ErrorCode.request_timed_out)])
async def test_an_append_without_an_answer_is_in_doubt(answer: Any) -> None:
    """It is not repeated by itself; the next append looks for the leader anew."""
    clock: list[SimpleNamespace] = []
    async with _log({_PRODUCE: _moves(clock, answer)}) as (log, now):
        clock.append(now)
        with pytest.raises(KafkaInDoubt):
            await log.append(b"x")

        assert await log.append(b"y") == 5


async def test_an_append_that_the_log_does_not_take_is_refused() -> None:
    """Too few replicas in sync: nothing was written."""
    async with _log({_PRODUCE: lambda _: _produced(ErrorCode.not_enough_replicas)}) as (log, _):
        with pytest.raises(KafkaRefused, match="NOT_ENOUGH_REPLICAS"):
            await log.append(b"x")


async def test_a_fetch_follows_the_leader() -> None:
    """FENCED_LEADER_EPOCH is what a reader with an old epoch gets."""
    clock: list[SimpleNamespace] = []
    fenced = _moves(clock, _fetched(ErrorCode.fenced_leader_epoch))
    async with _log({_FETCH: fenced}) as (log, now):
        clock.append(now)
        (record,) = await log.fetch(0, max_wait_ms=10, min_bytes=1)

        assert (record.value, log.high_watermark) == (b"from 2", 9)


def _batch(offset: int, value: bytes) -> bytes:
    """As it lies in the log: its offset is none of what its checksum covers."""
    return struct.pack(">q", offset) + encode(value)[8:]


async def test_a_fetch_goes_on_where_a_segment_ends() -> None:
    """A broker's answer never goes beyond a segment's end, and the overlap alone is no progress."""
    answers = [_fetched(records=_batch(4, b"overlap")), _fetched(records=_batch(5, b"next segment"))]
    async with _log({_FETCH: lambda _: answers.pop(0)}) as (log, now):
        found = await log.fetch(4, max_wait_ms=500, min_bytes=len(_batch(4, b"overlap")) + 1)

        assert [(record.offset, record.value) for record in found] == [(4, b"overlap"), (5, b"next segment")]
        assert now.one.asked.count(_FETCH) == 2


@pytest.mark.parametrize(
    "second", [_fetched(ErrorCode.fenced_leader_epoch), _fetched(diverging=3), _fetched(), HANG_UP]
)
async def test_what_lies_beyond_a_segment_is_read_under_one_leader_or_later(second: Any) -> None:
    """It may be of another history than the overlap: the next fetch finds out."""
    first = [_fetched(records=_batch(4, b"overlap"))]
    async with _log({_FETCH: lambda _: first.pop() if first else second}) as (log, now):
        found = await log.fetch(4, max_wait_ms=500, min_bytes=1_000)

        assert [record.offset for record in found] == [4]
        assert now.one.asked.count(_FETCH) >= 2
        assert now.two.asked.count(_FETCH) == 0


@pytest.mark.parametrize(("answer", "least"), [(_batch(4, b"x"), 1), (_batch(8, b"the last"), 1_000)])
async def test_an_answer_that_is_enough_or_goes_to_the_end_is_all(answer: bytes, least: int) -> None:
    async with _log({_FETCH: lambda _: _fetched(records=answer)}) as (log, now):
        assert len(await log.fetch(4, max_wait_ms=500, min_bytes=least)) == 1
        assert now.one.asked.count(_FETCH) == 1


async def test_nothing_waits_behind_what_is_appended_apart() -> None:
    """A snapshot has up to a megabyte; the beat behind it has a hold time."""
    async with _log({_PRODUCE: lambda count: HANG if count == 0 else _produced(ErrorCode.none, 5)}) as (
        log,
        now,
    ):
        log._deadline = 30.0
        apart = asyncio.create_task(log.append(b"x" * 900_000, apart=True))
        async with asyncio.timeout(20):
            while now.one.asked.count(_PRODUCE) == 0:
                await asyncio.sleep(0.01)
            assert await log.append(b"beat") == 5
        assert not apart.done()
        apart.cancel()
        await asyncio.gather(apart, return_exceptions=True)


async def test_a_leader_that_is_not_there_is_waited_for_until_the_deadline() -> None:
    """An election takes a moment; after the deadline the caller is told."""
    async with _log({}) as (log, now):
        now.leader = -1
        with pytest.raises(KafkaUnreachable, match="has no leader"):
            await log.append(b"x")


class Leaderless:
    """A cluster whose topic has no leader, and a machine that is busy just after that was told."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.asked = 0

    def busy(self) -> None:
        while asyncio.get_running_loop().time() < self.until:
            time.sleep(0.01)

    async def ask(self, _: Call, *, purpose: str, deadline: float) -> Any:
        assert purpose == "locate"
        self.asked += 1
        if self.asked > 1:
            raise KafkaUnreachable("the cluster", f"nobody was asked for want of {deadline} s")
        asyncio.get_running_loop().call_soon(self.busy)
        return _located(_ID, -1)


async def test_who_is_woken_after_the_deadline_tells_what_was_found_before() -> None:
    """The words were `the cluster (...) is unreachable: `, without a reason."""
    until = asyncio.get_running_loop().time() + 0.3
    own = AtLeader(cast(Cluster, Leaderless(until)), "t", 0)
    with pytest.raises(KafkaUnreachable, match="has no leader"):
        await own.ask(lambda _: pytest.fail("nobody leads"), lambda _: None, until)


async def test_the_search_for_a_leader_that_is_missing_for_long_is_slowed_down() -> None:
    """A topic may be missing for days, and every agent asks. One that is there again is asked as before."""
    async with _log({}) as (log, now):
        now.leader = -1
        for _ in range(2):
            with pytest.raises(KafkaUnreachable, match="has no leader"):
                await log.append(b"x")
        assert now.one.asked.count(_TOPIC) <= 6  # in more than a second; without end every 50 ms

        now.leader = 2
        assert await log.append(b"y") == 5
        now.one.asked.clear()
        now.leader = -1
        log._at_leader.forget()  # as after an answer that sends us elsewhere
        with pytest.raises(KafkaUnreachable):
            await log.append(b"z")
        assert now.one.asked.count(_TOPIC) >= 2


async def test_a_lost_tail_is_told() -> None:
    """With the epoch and the end of what is still common."""
    async with _log({_FETCH: lambda _: _fetched(diverging=3)}) as (log, _):
        with pytest.raises(LogTruncated) as caught:
            await log.fetch(5, max_wait_ms=10, min_bytes=1)

    assert (caught.value.epoch, caught.value.end_offset) == (1, 3)


async def test_a_topic_made_anew_is_told() -> None:
    """Its offsets are those of another log. It stays so: this log is gone."""
    clock: list[SimpleNamespace] = []
    unknown = _fetched(ErrorCode.unknown_topic_id)
    async with _log({_FETCH: lambda _: unknown, _OFFSETS: lambda _: _offset(0)}) as (log, now):
        clock.append(now)
        await log.bounds()
        now.topic_id = _NEW_ID
        for _ in range(2):
            with pytest.raises(LogRecreated) as caught:
                await log.fetch(5, max_wait_ms=10, min_bytes=1)

        assert (caught.value.old_id, caught.value.new_id) == (show_id(_ID), show_id(_NEW_ID))
        assert log.topic_id == show_id(_ID)


async def test_a_topic_that_was_there_and_is_not_is_told_and_it_may_come_back() -> None:
    unknown = _fetched(ErrorCode.unknown_topic_id)
    answers = {_FETCH: lambda count: _fetched() if count else unknown, _OFFSETS: lambda _: _offset(0)}
    async with _log(answers) as (log, now):
        now.topic_id = None
        with pytest.raises(KafkaUnreachable) as never_seen:
            await log.fetch(5, max_wait_ms=10, min_bytes=1)
        assert not isinstance(never_seen.value, LogGone)
        now.topic_id = _ID
        await log.bounds()
        now.topic_id = None
        with pytest.raises(LogGone, match="not there any more"):
            await log.fetch(5, max_wait_ms=10, min_bytes=1)
        now.topic_id = _ID
        assert not await log.fetch(5, max_wait_ms=10, min_bytes=1)


async def test_an_offset_that_retention_deleted_is_refused() -> None:
    """That is not a lost tail: what was read was true."""
    answers = {
        _FETCH: lambda _: _fetched(ErrorCode.offset_out_of_range),
        _OFFSETS: lambda count: _offset((10, 20)[count]),
    }
    async with _log(answers) as (log, _):
        with pytest.raises(KafkaRefused, match="OFFSET_OUT_OF_RANGE: the log of t begins at 10"):
            await log.fetch(5, max_wait_ms=10, min_bytes=1)


async def test_an_offset_beyond_the_end_is_a_lost_tail() -> None:
    """Somebody read up to there, and now there is nothing."""
    answers = {
        _FETCH: lambda _: _fetched(ErrorCode.offset_out_of_range),
        _OFFSETS: lambda count: _offset((10, 20)[count]),
    }
    async with _log(answers) as (log, _):
        with pytest.raises(LogTruncated) as caught:
            await log.fetch(25, max_wait_ms=10, min_bytes=1)

    assert (caught.value.epoch, caught.value.end_offset) == (-1, 20)


async def test_bytes_that_hold_no_batch_are_no_answer() -> None:
    """Fetching them again and again without a word would look like an idle log."""
    async with _log({_FETCH: lambda _: _fetched(records=b"garbage")}) as (log, _):
        with pytest.raises(KafkaUnreachable, match="7 bytes hold no batch at 5"):
            await log.fetch(5, max_wait_ms=10, min_bytes=1)


async def test_void_batches_are_counted() -> None:
    """They are records without a value, so that offsets stay without a hole."""
    damaged = encode(b"a")[:-1] + b"?"
    async with _log({_FETCH: lambda _: _fetched(records=damaged)}) as (log, _):
        (record,) = await log.fetch(0, max_wait_ms=10, min_bytes=1)

        assert (record.void, log.void) == ("checksum does not match", 1)


async def test_a_large_answer_is_decoded_in_slices() -> None:
    """4 MiB of small batches take a hundred milliseconds, and beats cannot wait so long."""
    log = PartitionLog(["127.0.0.1:1"], Security(), "t", client_id="c")
    data = b"".join(struct.pack(">q", offset) + encode(b"x")[8:] for offset in range(5 * SLICE))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(others())
    records = await log._read(data, 0)
    counting.cancel()
    assert [record.offset for record in records] == list(range(5 * SLICE))
    assert turns == 5
