"""The control topic's partition, its leaders, and each agent's line to it (agent.control_topic.Log)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from agent.kafka.batches import Record
from agent.kafka.errors import (
    OFFSET_OUT_OF_RANGE,
    KafkaError,
    KafkaInDoubt,
    KafkaRefused,
    KafkaUnreachable,
    LogRecreated,
    LogTruncated,
)
from simulation.machines import BORN, Process
from simulation.process_loop import Kernel

OVERHEAD = 68  # bytes of a batch around its one record
MOST = 60  # records of one answer
IN_VAIN = 30  # answers in a row that bring who asks no further, although there is more
DEADLINE = 2.5  # seconds until a client gives up a request
NOT_ENOUGH_REPLICAS = 19
_WITHIN = "of an unreadable batch"


class View:
    """What one leader has: the partition itself, or what an old leader still shows. `start`: the first offset
    that it has not deleted."""

    def __init__(self, records: list[Record], start: int = 0) -> None:
        self.records = records
        self.start = start
        self.segments: list[int] = []  # offsets at which one begins
        self.bytes = [0]  # of the first so many records
        for record in records:
            self.bytes.append(self.bytes[-1] + record.batch_bytes)

    def add(self, record: Record) -> None:
        """One more."""
        self.records.append(record)
        self.bytes.append(self.bytes[-1] + record.batch_bytes)

    def whole(self, count: int) -> int:
        """So many of its first records, or fewer: batches are lost, or not there yet, whole."""
        count = min(count, len(self.records))
        while count and self.records[count - 1].void.startswith(_WITHIN):
            count -= 1
        return count

    def end_of(self, offset: int) -> int:
        """Where an answer from that offset on ends: it never goes beyond a segment."""
        ends = (segment for segment in self.segments if segment > offset)
        return min(offset + MOST, len(self.records), next(ends, len(self.records)))

    def is_old(self, offset: int) -> bool:
        """Whether another segment follows that one."""
        return bool(self.segments) and offset < self.segments[-1]

    def size(self, offset: int) -> int:
        """Bytes that an answer from that offset on would hold."""
        end = self.end_of(offset)
        return self.bytes[end] - self.bytes[min(offset, end)]


class Waiter:
    """A fetch that waits at the broker."""

    def __init__(self, line: Line, answer: asyncio.Future[Any], sent: float, least: int, offset: int) -> None:
        self.line, self.answer, self.sent, self.least, self.offset = line, answer, sent, least, offset
        self.done = False


@dataclass(eq=False)
class Kept:
    """A record, or a copy of one, that lands late."""

    value: bytes
    topic_id: str
    until: float


class Partition:
    """The log. Faults are attributes: set them, and unset them."""

    def __init__(self, kernel: Kernel, random: Random) -> None:
        self.kernel = kernel
        self.random = random
        self.topic_id = "topic-0"
        self.made_again = 0  # how often the topic was
        self.view = View([])
        self.epoch = 0
        self.clock_off = 0.0  # seconds by which the leader's clock is wrong
        self.down = False
        self.min_isr_lost = False
        self.old: dict[int, View] = {}  # node → what an old leader shows it
        self.waiting: list[Waiter] = []
        self.least = 1  # records that no lost tail reaches
        self.stuck: str | None = None  # who gets no further (I9)
        self.kept: list[Kept] = []  # what lands late
        self.grown: Callable[[Record], None] = lambda _: None
        self.truncated: Callable[[int], None] = lambda _: None

    def land(self, value: bytes, void: str = "", when: float | None = None) -> int:
        """A record reaches the log, now or, as its leader's clock has it, at another time."""
        at = int((BORN + (self.kernel.now if when is None else when) + self.clock_off) * 1_000)
        record = Record(len(self.view.records), self.epoch, at, value, len(value) + OVERHEAD, void)
        self.view.add(record)
        self.grown(record)
        self.serve()
        return record.offset

    def keep(self, value: bytes, seconds: float) -> None:
        """A network, a broker or a retry keeps it for so long."""
        kept = Kept(value, self.topic_id, self.kernel.now + seconds)
        self.kept.append(kept)
        self.kernel.after(seconds, self.land_kept, kept)

    def land_kept(self, kept: Kept) -> bool:
        """It is not kept any more; False where it finds no log."""
        if kept not in self.kept:
            return False
        self.kept.remove(kept)
        lands = kept.topic_id == self.topic_id and not self.down
        if lands:
            self.land(kept.value, when=kept.until)
        return lands

    def unreadable_batch(self, count: int) -> None:
        """A batch of so many records, of which a reader gets one that is void, at its last offset."""
        for _ in range(count - 1):
            self.land(b"", f"{_WITHIN}, which is given as one record")
        self.land(b"", "transactional batch")

    def lose_tail(self, count: int) -> int:
        """An unclean election: the last records are gone. How many were."""
        kept = self.view.whole(max(len(self.view.records) - count, self.least))
        count = len(self.view.records) - kept
        segments = [segment for segment in self.view.segments if segment <= kept]
        self.view = View(self.view.records[:kept], self.view.start)
        self.view.segments = segments
        self.epoch += 1
        self.truncated(len(self.view.records))
        self.serve()
        return count

    def recreate(self) -> None:
        """The topic is deleted and made again."""
        self.made_again += 1
        self.topic_id, self.view, self.epoch = f"topic-{self.made_again}", View([]), 0
        self.least = 1
        self.old.clear()
        self.truncated(0)
        self.serve()

    def delete_beginning(self, start: int, least: int) -> None:
        """Retention, or a person, deletes what lies before `start`; `least` records are never lost."""
        self.view.start, self.least = start, max(least, self.least)
        self.serve()

    def roll(self) -> None:
        """A segment ends, and the next record begins another."""
        if len(self.view.records) > max(self.view.segments, default=0):
            self.view.segments.append(len(self.view.records))

    def serve(self) -> None:
        """Answers the fetches that have enough, or can have nothing."""
        still = []
        for waiter in self.waiting:
            if waiter.done:
                continue
            if self._answered(waiter, late=False):
                waiter.done = True
            else:
                still.append(waiter)
        self.waiting = still

    def expire(self, waiter: Waiter) -> None:
        """Its long poll is over."""
        if not waiter.done:
            waiter.done = True
            self._answered(waiter, late=True)

    def _answered(self, waiter: Waiter, *, late: bool) -> bool:
        line, view = waiter.line, self.old.get(waiter.line.node, self.view)
        if line.topic_id != self.topic_id:
            line.fail(waiter.answer, LogRecreated("ottla-control", line.topic_id, self.topic_id))
        elif self.down:
            line.fail(waiter.answer, KafkaUnreachable("the leader", "it is down"))
        elif waiter.offset < view.start:
            line.log_start = view.start
            line.fail(waiter.answer, KafkaRefused("fetch", OFFSET_OUT_OF_RANGE, "the beginning was deleted"))
        elif waiter.offset > len(view.records):
            line.fail(waiter.answer, LogTruncated(-1, len(view.records)))
        elif late or view.is_old(waiter.offset) or view.size(waiter.offset) >= waiter.least:
            records = view.records[waiter.offset : view.end_of(waiter.offset)]
            line.give(waiter.answer, waiter.sent, _readable(records))
        else:
            return False
        return True


def _readable(records: list[Record]) -> list[Record]:
    """Of a batch that cannot be read only its last offset is told."""
    return [r for r in records if not r.void.startswith(_WITHIN)]


class Line:
    """One process's connections to the leader: agent.control_topic.Log."""

    def __init__(self, partition: Partition, process: Process) -> None:
        self.topic_id = partition.topic_id
        self.log_start = 0
        self.node = process.machine.node
        self.process = process
        self.cut: Callable[[], bool] = lambda: False
        self.trouble: Callable[[bytes], tuple[str, float]] = lambda _: ("", 0.0)  # what befalls an append
        self.made: Callable[[bytes], bytes] = lambda snapshot: snapshot  # what its process really wrote
        self._partition = partition
        self._kernel = partition.kernel
        self._random = process.machine.random
        self._asked = self._vain = 0  # from where it asked last, and how often in vain

    def _trip(self) -> float:
        return 0.001 + 0.004 * self._random.random()

    def fail(self, answer: asyncio.Future[Any], error: KafkaError, after: float = 0.003) -> None:
        """The caller will see this error."""
        self._kernel.after(after, self._end, answer, None, error)

    def give(self, answer: asyncio.Future[Any], sent: float, value: object) -> None:
        """The caller will see the answer, unless it is lost on its way."""
        if self.cut():
            left = max(sent + DEADLINE - self._kernel.now, 0.0)
            self.fail(answer, KafkaUnreachable("the leader", "no answer"), left)
        else:
            self._kernel.after(self._trip(), self._end, answer, value, None)

    def _end(self, answer: asyncio.Future[Any], value: object, error: KafkaError | None) -> None:
        if not self.process.alive or answer.done():
            return
        if error:
            answer.set_exception(error)
        else:
            answer.set_result(value)

    async def append(self, value: bytes, *, apart: bool = False) -> int:
        """Its offset once it is in the log."""
        answer = self.process.loop.create_future()
        value = self.made(value) if apart else value
        self._kernel.after(self._trip(), self._arrive, value, answer)
        offset: int = await answer
        return offset

    def _arrive(self, value: bytes, answer: asyncio.Future[Any]) -> None:
        partition = self._partition
        fault, delay = self.trouble(value)
        if partition.down and not self.cut():
            return self.fail(answer, KafkaUnreachable("the leader", "it is down"))
        if self.topic_id != partition.topic_id:
            return self.fail(answer, LogRecreated("ottla-control", self.topic_id, partition.topic_id))
        if partition.min_isr_lost and not self.cut():
            return self.fail(answer, KafkaRefused("produce", NOT_ENOUGH_REPLICAS, "min ISR"))
        if self.cut() or self.node in partition.old or fault == "lost":
            return self.fail(answer, KafkaInDoubt("produce", "no answer"), DEADLINE)
        if fault == "late":
            partition.keep(value, delay)
            return self.fail(answer, KafkaInDoubt("produce", "no answer"), DEADLINE)
        offset = partition.land(value)
        if fault == "twice":
            partition.keep(value, delay / 100)
        if fault == "unanswered":
            return self.fail(answer, KafkaInDoubt("produce", "no answer"), DEADLINE)
        return self.give(answer, self._kernel.now, offset)

    async def fetch(self, offset: int, *, max_wait_ms: int, min_bytes: int) -> Sequence[Record]:
        """A long poll. Who asks and is answered must get on (I9)."""
        more = len(self.view.records) > offset + 1
        records: Sequence[Record] = ()
        try:
            records = await self._read(offset, max_wait_ms, min_bytes)
        except KafkaError as error:
            more = more and isinstance(error, KafkaRefused)
            raise
        finally:
            gets_on = not more or (records and records[-1].offset > offset)
            self._vain = 0 if gets_on or offset != self._asked else self._vain + 1
            self._asked = offset
            if self._vain >= IN_VAIN:
                name = self.process.machine.agent
                self._partition.stuck = (
                    f"I9: {name} asks {IN_VAIN} times from {offset} on, and gets no further"
                )
        return records

    @property
    def view(self) -> View:
        """What the leader that this process asks has."""
        return self._partition.old.get(self.node, self._partition.view)

    async def _read(self, offset: int, max_wait_ms: int, min_bytes: int) -> Sequence[Record]:
        """What one broker answers to one request."""
        answer = self.process.loop.create_future()
        waiter = Waiter(self, answer, self._kernel.now, min_bytes, offset)
        self._kernel.after(self._trip(), self._wait, waiter, max_wait_ms / 1_000)
        records: Sequence[Record] = await answer
        return records

    def _wait(self, waiter: Waiter, longest: float) -> None:
        partition = self._partition
        if self.cut():
            return self.give(waiter.answer, waiter.sent, None)
        if not partition._answered(waiter, late=False):
            partition.waiting.append(waiter)
            self._kernel.after(longest, partition.expire, waiter)
        return None

    async def bounds(self) -> tuple[int, int]:
        """Log start and end."""
        answer = self.process.loop.create_future()
        self._kernel.after(self._trip(), self._tell_bounds, answer, self._kernel.now)
        end: tuple[int, int] = await answer
        return end

    def _tell_bounds(self, answer: asyncio.Future[Any], sent: float) -> None:
        partition = self._partition
        if self.topic_id != partition.topic_id and not self.cut():
            self.fail(answer, LogRecreated("ottla-control", self.topic_id, partition.topic_id))
        elif partition.down and not self.cut():
            self.fail(answer, KafkaUnreachable("the leader", "it is down"))
        else:
            self.log_start = self.view.start
            self.give(answer, sent, (self.view.start, len(self.view.records)))
