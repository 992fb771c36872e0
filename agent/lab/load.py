"""A load on the cluster that knows what it sent: a producer, and a reader that checks what became of it."""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError as AiokafkaError

from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaError, KafkaRefused
from agent.lab.errors import LabError
from agent.lab.ledger import Ledger, LoadReport

TOPIC = "ottla-load"
_HEADER = struct.Struct(">8sQ")  # of which run, and the number within its partition
_WAITING = 1_000  # records of a partition without an answer; beyond that it waits
_ANSWER_MS = 3_000  # less than a broker's session: a hung one is left as soon as another leads
_LAST_ANSWERS = 30.0
_READ_TO_THE_END = 30.0


def _now() -> int:
    return time.monotonic_ns() // 1_000_000


class Load:
    """Sends `rate` records a second to all partitions of a topic, with acks=all, and reads them back."""

    def __init__(
        self, bootstrap: Sequence[str], *, rate: float = 100, partitions: int = 6, record_bytes: int = 512
    ) -> None:
        self._bootstrap = list(bootstrap)
        self._pause = partitions / rate
        self._partitions = [TopicPartition(TOPIC, number) for number in range(partitions)]
        self._ledger = Ledger(partitions)
        self._run = secrets.token_bytes(8)
        self._padding = bytes(max(0, record_bytes - _HEADER.size))
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the topic if need be, and begin. LabError when the cluster does not answer."""
        await self._make_topic()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,  # no duplicates and no reordering by repetition
            request_timeout_ms=_ANSWER_MS,
            metadata_max_age_ms=1_000,
        )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            request_timeout_ms=_ANSWER_MS,
            metadata_max_age_ms=1_000,
            auto_offset_reset="earliest",  # a log that was cut off is read again, and its loss seen
        )
        try:
            await self._producer.start()
            await self._consumer.start()
            self._consumer.assign(self._partitions)
            for partition, end in (await self._consumer.end_offsets(self._partitions)).items():
                self._consumer.seek(partition, end)
        except AiokafkaError as error:
            await self._close()
            raise LabError(f"the load cannot begin: {error}", "ottla lab status shows the brokers") from error
        self._tasks = [asyncio.create_task(self._send(own.partition)) for own in self._partitions]
        self._reader = asyncio.create_task(self._read())

    def progress(self) -> LoadReport:
        """How it stands now: `lost` are those acknowledged and not yet read."""
        return self._ledger.report()

    async def stop(self) -> LoadReport:
        """Send no more, wait for the answers, read all partitions to their ends, and tell."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._producer.flush(), _LAST_ANSWERS)
        unread = await self._read_to_the_end()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._close()
        return self._ledger.report(unread)

    async def _make_topic(self) -> None:
        admin = Admin(self._bootstrap, Security(), client_id="ottla-load")
        try:
            await admin.create_topic(TOPIC, len(self._partitions), -1, {})
        except KafkaRefused as refused:
            if refused.name != "TOPIC_ALREADY_EXISTS":
                raise LabError(f"topic {TOPIC} cannot be made: {refused}") from refused
        except KafkaError as error:
            raise LabError(f"the load cannot begin: {error}", "ottla lab status shows the brokers") from error
        finally:
            await admin.close()

    async def _send(self, partition: int) -> None:
        """One partition's records at their pace; a broker that is away holds up its own partitions only."""
        waiting = asyncio.Semaphore(_WAITING)
        due = time.monotonic()
        while not self._stopping.is_set():
            await waiting.acquire()
            number = self._ledger.sent(partition, _now())
            value = _HEADER.pack(self._run, number) + self._padding
            try:
                answer = await self._producer.send(TOPIC, value, partition=partition)
            except AiokafkaError:
                self._ledger.failed(partition, number)
                waiting.release()
            else:
                answer.add_done_callback(lambda done, n=number: self._answered(partition, n, done, waiting))
            due = max(due + self._pause, time.monotonic() - 1)  # at most a second is caught up with
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(0.0, due - time.monotonic()))

    def _answered(
        self, partition: int, number: int, answer: asyncio.Future[object], waiting: asyncio.Semaphore
    ) -> None:
        waiting.release()
        if answer.cancelled() or answer.exception() is not None:
            self._ledger.failed(partition, number)
        else:
            self._ledger.acked(partition, number, _now())

    async def _read(self) -> None:
        while True:
            batches = await self._consumer.getmany(timeout_ms=200)
            for partition, records in batches.items():
                for record in records:
                    run, number = _HEADER.unpack_from(record.value)
                    if run == self._run:
                        self._ledger.read(partition.partition, number)

    async def _read_to_the_end(self) -> set[int]:
        """Wait until all is read that was in the log; the partitions of which that cannot be said."""
        missing = {own.partition for own in self._partitions}
        with suppress(TimeoutError, AiokafkaError):
            async with asyncio.timeout(_READ_TO_THE_END):
                ends = await self._consumer.end_offsets(self._partitions)
                while missing:
                    for own, end in ends.items():
                        if await self._consumer.position(own) >= end:
                            missing.discard(own.partition)
                    await asyncio.sleep(0.05)
        return missing

    async def _close(self) -> None:
        await self._producer.stop()
        await self._consumer.stop()
