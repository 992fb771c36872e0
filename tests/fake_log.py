"""A partition in memory which loses answers, lets writes land late or twice, and can lose its tail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from agent.kafka.batches import Record
from agent.kafka.errors import OFFSET_OUT_OF_RANGE, KafkaInDoubt, KafkaRefused, KafkaUnreachable, LogTruncated

NOT_ENOUGH_REPLICAS = 19
INSIDE = "of an unreadable batch, which is given as one record"


class FakeLog:
    """Shared by any number of agents. Faults are attributes: set them, and unset them."""

    def __init__(self, clock: Callable[[], int], topic_id: str = "topic-1") -> None:
        self.topic_id = topic_id
        self.log_start = 0  # what lies before was deleted
        self.records: list[Record] = []
        self.epoch = 0
        self.unreadable = ""  # why reads fail
        self.unwritable = ""  # why writes are refused
        self.doubt: list[
            str
        ] = []  # for each next write: "lost", "landed", "late" or "twice"; answered by none
        self.late: list[bytes] = []
        self.fetches = 0
        self.hidden = False  # reads show nothing, as of a leader that has yet to catch up
        self._clock = clock
        self._grown = asyncio.Condition()

    async def append(self, value: bytes, *, apart: bool = False) -> int:
        """Its offset, unless a fault is set."""
        await asyncio.sleep(0)
        if self.unwritable:
            raise KafkaRefused("produce", NOT_ENOUGH_REPLICAS, self.unwritable)
        fault = self.doubt.pop(0) if self.doubt else ""
        if fault == "late":
            self.late.append(value)
        for _ in range({"lost": 0, "late": 0, "twice": 2}.get(fault, 1)):
            await self.land(value)
        if fault in ("lost", "late", "landed"):
            raise KafkaInDoubt("produce", "no answer")
        return len(self.records) - 1

    async def land(self, value: bytes) -> None:
        """A record reaches the log."""
        size = len(value) + 68
        self.records.append(Record(len(self.records), self.epoch, self._clock(), value, size))
        async with self._grown:
            self._grown.notify_all()

    async def fetch(self, offset: int, *, max_wait_ms: int, min_bytes: int) -> Sequence[Record]:
        """A long poll, as Kafka's: what there is once it is enough, or time is up."""
        self.fetches += 1
        until = asyncio.get_running_loop().time() + max_wait_ms / 1_000
        while True:
            await asyncio.sleep(0)
            self._check(offset)
            found = [] if self.hidden else [r for r in self.records[offset : offset + 50] if r.void != INSIDE]
            if sum(record.batch_bytes for record in found) >= min_bytes:
                return found
            try:
                async with asyncio.timeout_at(until), self._grown:
                    await self._grown.wait()
            except TimeoutError:
                return found

    def _check(self, offset: int) -> None:
        if self.unreadable:
            raise KafkaUnreachable("broker 1", self.unreadable)
        if offset > len(self.records):
            raise LogTruncated(-1, len(self.records))
        if offset < self.log_start:
            raise KafkaRefused("fetch", OFFSET_OUT_OF_RANGE, None)

    async def bounds(self) -> tuple[int, int]:
        """Log start and end."""
        await asyncio.sleep(0)
        if self.unreadable:
            raise KafkaUnreachable("broker 1", self.unreadable)
        return self.log_start, 0 if self.hidden else len(self.records)

    async def lose_tail(self, count: int, *instead: bytes) -> None:
        """An unclean election: the last records are gone, others stand in their place."""
        del self.records[-count:]
        self.epoch += 1
        for value in instead:
            await self.land(value)

    async def unreadable_batch(self, count: int) -> None:
        """A batch of so many records, none of which can be read: it stands at its last offset."""
        for number in range(count):
            await self.land(b"")
            void = "transactional batch" if number == count - 1 else INSIDE
            self.records[-1] = replace(self.records[-1], void=void)

    def wake(self) -> None:
        """Lets long polls look again at once."""

        async def notify() -> None:
            async with self._grown:
                self._grown.notify_all()

        self._notified = asyncio.ensure_future(notify())
