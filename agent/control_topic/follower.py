"""Reads the log from its beginning, or from a snapshot's place, and folds it; every read proves that its tail
is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass

from agent.control.fold import LogGap, Logged, Verdict, fold
from agent.control.state import State
from agent.control.times import EVERY
from agent.control_topic.ports import Log, LogRecord
from agent.kafka.errors import OFFSET_OUT_OF_RANGE, KafkaRefused, LogTruncated

MAX_WAIT_MS = 500
LAZY_BYTES = 16 * 1024  # enough to answer an idle agent's long poll early
SLICE = 100  # records folded before others get the event loop


class ShorterLog(Exception):
    """The log's end lies below what was read: a leader that has yet to catch up, or a lost tail."""


class BeginningGone(LogGap):
    """Retention has deleted the first record that is to be folded."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One record of a batch that cannot be read."""

    offset: int
    leader_epoch: int
    at: int
    value: bytes = b""


class Follower:
    """The folded state of one partition, and how far it goes."""

    def __init__(
        self, log: Log, state: State | None = None, every: int = EVERY, end: int | None = None
    ) -> None:
        self.state = state or State()
        self._log = log
        self._every = every  # offsets between two marks
        self._last: LogRecord | None = None
        self._end = end  # of the log, where it was just asked

    @property
    def caught_up(self) -> bool:
        """Whether everything readable was read, as far as the last read tells."""
        return self._end is not None and self.state.offset + 1 >= self._end

    def doubt(self) -> None:
        """A read failed: what is readable must be asked anew."""
        self._end = None

    async def read(self, eager: bool) -> AsyncGenerator[Verdict, None]:
        """One long poll; the records are folded as they are taken.

        Raises LogTruncated where the last record folded is no longer that very record, ShorterLog where it
        is not there, BeginningGone, LogGap where records are missing in between, and KafkaError.
        """
        if self._end is None:
            self._end = (await self._log.bounds())[1]
        records = self._beyond(await self._fetch(eager))
        if not records and not self.caught_up:
            self.doubt()  # a tail may have been lost since the end was asked: nobody would write again
        for record in records:
            for logged in self._with_unreadable(record):
                if logged.offset % SLICE == 0:
                    await asyncio.sleep(0)
                self.state, verdict = fold(self.state, logged, self._every)
                yield verdict
            self._last = record

    def _with_unreadable(self, record: LogRecord) -> Iterator[Logged]:
        """A batch that cannot be read stands at its last offset; its other records are void like it."""
        if record.void:
            for offset in range(self.state.offset + 1, record.offset):
                yield Unreadable(offset, record.leader_epoch, record.at)
        yield record

    async def _fetch(self, eager: bool) -> Sequence[LogRecord]:
        overlap = self._last.batch_bytes if self._last else 0
        least = overlap + 1 if eager or not self.caught_up else max(overlap + 1, LAZY_BYTES)
        start = max(self.state.offset, 0)
        try:
            records = await self._log.fetch(start, max_wait_ms=MAX_WAIT_MS, min_bytes=least)
        except KafkaRefused as error:
            if error.code != OFFSET_OUT_OF_RANGE:
                raise
            if self._last is None:
                raise BeginningGone(f"the record at offset {start} was deleted") from error
            raise LogTruncated(-1, start) from error
        if self.state.offset >= 0 and not records:
            _, end = await self._log.bounds()
            if end <= start:
                raise ShorterLog(f"it ends at offset {end}, but {start} was read")
        return [record for record in records if record.offset >= start]

    def _beyond(self, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """What follows the last record folded, which must come first."""
        if self.state.offset < 0 or not records:
            return records
        first, last = records[0], self._last
        if last is None:
            return self._beyond_snapshot(first, records)
        same = (first.offset, first.leader_epoch, first.at, first.value)
        if same != (last.offset, last.leader_epoch, last.at, last.value):
            raise LogTruncated(-1, last.offset)
        return records[1:]

    def _beyond_snapshot(self, first: LogRecord, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """The same where a snapshot stands for the records up to its place, of the last of which its state
        knows the epoch and the time. It may lie within a batch that cannot be read, and stands at its last
        offset."""
        place = self.state.offset
        there = first.offset == place or (first.offset > place and first.void)
        if not there or (first.leader_epoch, first.at) != (self.state.epoch, self.state.time):
            raise LogTruncated(-1, place)
        if first.offset > place:
            return records
        self._last = first
        return records[1:]
