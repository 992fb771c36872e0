"""Reads the log from its beginning and folds it; every read proves that its tail is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from agent.control.fold import LogGap, Logged, Verdict, fold
from agent.control.state import State
from agent.control_topic.ports import Log, LogRecord
from agent.kafka.errors import OFFSET_OUT_OF_RANGE, KafkaRefused, LogTruncated

MAX_WAIT_MS = 500
LAZY_BYTES = 16 * 1024  # enough to answer an idle agent's long poll early
SLICE = 100  # records folded before others get the event loop


class ShorterLog(Exception):
    """The log's end lies below what was read: a leader that has yet to catch up, or a lost tail."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One record of a batch that cannot be read."""

    offset: int
    leader_epoch: int
    at: int
    value: bytes = b""


class Follower:
    """The folded state of one partition, and how far it goes."""

    def __init__(self, log: Log) -> None:
        self.state = State()
        self._log = log
        self._last: LogRecord | None = None
        self._end: int | None = None

    @property
    def caught_up(self) -> bool:
        """Whether everything readable was read, as far as the last read tells."""
        return self._end is not None and self.state.offset + 1 >= self._end

    def doubt(self) -> None:
        """A read failed: what is readable must be asked anew."""
        self._end = None

    async def read(self, eager: bool) -> AsyncIterator[Verdict]:
        """One long poll; the records are folded as they are taken.

        Raises LogTruncated where the last record folded is no longer that very record, ShorterLog where it
        is not there, LogGap where the log's beginning is gone, and KafkaError.
        """
        if self._end is None:
            self._end = (await self._log.bounds())[1]
        for record in self._beyond(await self._fetch(eager)):
            for logged in self._with_unreadable(record):
                if logged.offset % SLICE == 0:
                    await asyncio.sleep(0)
                self.state, verdict = fold(self.state, logged)
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
        start = self._last.offset if self._last else 0
        try:
            records = await self._log.fetch(start, max_wait_ms=MAX_WAIT_MS, min_bytes=least)
        except KafkaRefused as error:
            if error.code != OFFSET_OUT_OF_RANGE:
                raise
            if self._last is None:
                raise LogGap("the log's beginning was deleted") from error
            raise LogTruncated(-1, start) from error
        if self._last and not records:
            _, end = await self._log.bounds()
            if end <= start:
                raise ShorterLog(f"it ends at offset {end}, but {start} was read")
        return [record for record in records if record.offset >= start]

    def _beyond(self, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """What follows the last record folded, which must come first."""
        if self._last is None or not records:
            return records
        first, last = records[0], self._last
        same = (first.offset, first.leader_epoch, first.at, first.value)
        if same != (last.offset, last.leader_epoch, last.at, last.value):
            raise LogTruncated(-1, last.offset)
        return records[1:]
