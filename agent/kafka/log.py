"""One partition as a log: append a record, read from an offset on, and learn when the log has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NoReturn

from agent.kafka.at_leader import AtLeader
from agent.kafka.batches import Record, decode, encode
from agent.kafka.bridge import Call
from agent.kafka.cluster import Cluster
from agent.kafka.configs import describe_configs, values_of
from agent.kafka.connection import Security
from agent.kafka.epochs import Epochs
from agent.kafka.errors import (
    NONE,
    OFFSET_OUT_OF_RANGE,
    KafkaError,
    KafkaInDoubt,
    KafkaRefused,
    KafkaUnreachable,
    LogTruncated,
    check,
)
from agent.kafka.metadata import PartitionInfo, describe_topic_partitions, partitions_of
from agent.kafka.partition import (
    EARLIEST,
    LATEST,
    Leader,
    Reading,
    fetch,
    fetched,
    list_offsets,
    listed,
    produce,
    produced,
)

SLICE = 500  # records that are decoded in one go, some milliseconds
_REPLICAS_SHARE = 0.8  # what in-sync replicas get of the deadline, so that the leader's answer still arrives


class PartitionLog:
    """Its leader is found, and found again, by itself. Appends are one at a time; a long poll and what is
    appended apart have connections of their own, so nothing waits behind them.

    Every call ends within `deadline` seconds (`fetch`: and `max_wait_ms` more) and may raise
    KafkaUnreachable, KafkaRefused and LogRecreated, the last one for ever: then make a new PartitionLog.
    """

    def __init__(
        self,
        bootstrap: Sequence[str],
        security: Security,
        topic: str,
        *,
        client_id: str,
        partition: int = 0,
        deadline: float = 5.0,
    ) -> None:
        self.topic = topic
        self.high_watermark = -1  # as of the last fetch or bounds
        self.log_start = -1  # the same
        self.void = 0  # how many batches could not be read
        self._cluster = Cluster(bootstrap, security, client_id=client_id, deadline=deadline)
        self._deadline = deadline
        self._appending, self._appending_apart = asyncio.Lock(), asyncio.Lock()
        self._at_leader = AtLeader(self._cluster, topic, partition)
        self._epochs = Epochs()
        self._newest: tuple[Leader, Reading, Call] | None = None  # what was fetched last

    @property
    def topic_id(self) -> str:
        """As Kafka's tools print it; known after the first call."""
        return self._at_leader.topic_id

    async def append(self, value: bytes, *, apart: bool = False) -> int:
        """The offset of the new record, once every in-sync replica has it. `apart`: it has a connection of
        its own and no order with the others, none of which waits behind its bytes.

        KafkaInDoubt: it may be in the log, or come into it later. Appending again may double it.
        """
        until = _now() + self._deadline
        batch = encode(value)
        appending = self._appending_apart if apart else self._appending
        try:
            async with asyncio.timeout_at(until):
                await appending.acquire()
        except TimeoutError as error:
            why = "an earlier append is still under way"
            raise KafkaUnreachable(f"the leader of {self.topic}", why) from error
        try:
            part = await self._at_leader.ask(
                lambda leader: produce(leader, batch, self._deadline * _REPLICAS_SHARE),
                produced,
                until,
                purpose="produce apart" if apart else "",
            )
            check("produce", part.error_code, part.error_message, write=True)
            return int(part.base_offset)
        except KafkaInDoubt:
            self._at_leader.forget()
            raise
        finally:
            appending.release()

    async def fetch(self, offset: int, *, max_wait_ms: int, min_bytes: int) -> tuple[Record, ...]:
        """Committed records from `offset` on: as soon as there are `min_bytes`, or what there is, if
        anything, after `max_wait_ms`.

        LogTruncated: the log no longer has what was read before `offset`. KafkaRefused with
        OFFSET_OUT_OF_RANGE: retention has deleted `offset`.
        """
        reading = Reading(offset, self._epochs.before(offset), max_wait_ms, min_bytes)
        until = _now() + max_wait_ms / 1000 + self._deadline
        asked: list[Leader] = []

        def call(leader: Leader) -> Call:
            asked.append(leader)
            return self._fetching(leader, reading)

        part = await self._at_leader.ask(call, fetched, until)
        if part.error_code == OFFSET_OUT_OF_RANGE:
            await self._out_of_range(offset)
        check("fetch", part.error_code)
        if part.diverging_epoch.epoch >= 0:
            self._epochs.cut(part.diverging_epoch.end_offset)
            raise LogTruncated(part.diverging_epoch.epoch, part.diverging_epoch.end_offset)
        self.log_start, self.high_watermark = part.log_start_offset, part.high_watermark
        data = part.records or b""
        records = await self._read(data, offset)
        if records and len(data) < min_bytes and records[-1].offset + 1 < self.high_watermark:
            records += await self._next_segment(asked[-1], records[-1], until)
        return records

    def _fetching(self, leader: Leader, reading: Reading) -> Call:
        """Where nothing was written since, the very request of the fetch before: it takes long to build."""
        if self._newest is None or self._newest[:2] != (leader, reading):
            self._newest = leader, reading, fetch(leader, reading)
        return self._newest[2]

    async def _next_segment(self, leader: Leader, last: Record, until: float) -> tuple[Record, ...]:
        """What follows `last`, the end of a segment: no answer goes beyond one, so who asks for the last
        record again to see that it is there would get nothing else for ever.

        Asked of the same leader in the same epoch, in which it truncates nothing: both are of one log.
        Nothing where it errs: the next fetch finds out why.
        """
        call = fetch(leader, Reading(last.offset + 1, last.leader_epoch, 0, 1))
        try:
            answer = await self._cluster.ask(
                call, node=leader.node, purpose=call.api, deadline=until - _now()
            )
        except KafkaError:
            return ()
        part = fetched(answer)
        if part.error_code != NONE or part.diverging_epoch.epoch >= 0:
            return ()
        return await self._read(part.records or b"", last.offset + 1)

    async def bounds(self) -> tuple[int, int]:
        """The first offset that retention has left, and the high watermark: the offset after the last
        committed record."""
        until = _now() + self._deadline
        self.log_start = await self._offset(EARLIEST, until)
        self.high_watermark = await self._offset(LATEST, until)
        return self.log_start, self.high_watermark

    async def describe(self) -> tuple[Sequence[PartitionInfo], Mapping[str, str], int]:
        """The topic's partitions, its settings in effect whatever their source, and how many brokers there
        are, fenced ones too."""
        until = _now() + self._deadline
        call = describe_topic_partitions([self.topic])
        partitions = partitions_of(await self._cluster.ask(call, purpose="locate", deadline=until - _now()))
        call = describe_configs([f"topic/{self.topic}"], None)
        answer = await self._cluster.ask(call, purpose="locate", deadline=until - _now())
        values = values_of(answer, dynamic=False).get(self.topic, {})
        return partitions, values, len(await self._cluster.brokers(until - _now()))

    async def close(self) -> None:
        """Close every connection."""
        await self._cluster.close()

    async def _offset(self, which: int, until: float) -> int:
        part = await self._at_leader.ask(
            lambda leader: list_offsets(leader, which, self._deadline), listed, until
        )
        check("list_offsets", part.error_code)
        return int(part.offset)

    async def _read(self, data: bytes, offset: int) -> tuple[Record, ...]:
        records: list[Record] = []
        turn = SLICE
        for batch in decode(data, offset):
            records += batch
            if len(records) >= turn:  # others get the event loop
                turn = len(records) + SLICE
                await asyncio.sleep(0)
        if data and not records:
            raise KafkaUnreachable(
                f"the leader of {self.topic}", f"{len(data)} bytes hold no batch at {offset}"
            )
        self.void += sum(1 for record in records if record.void)
        for record in records:
            self._epochs.saw(record.offset, record.leader_epoch)
        return tuple(records)

    async def _out_of_range(self, offset: int) -> NoReturn:
        start, end = await self.bounds()
        if offset < start:
            raise KafkaRefused("fetch", OFFSET_OUT_OF_RANGE, f"the log of {self.topic} begins at {start}")
        self._epochs.cut(min(offset, end))
        raise LogTruncated(-1, min(offset, end))


def _now() -> float:
    return asyncio.get_running_loop().time()
