"""The control topic's partition in memory, and each agent's line to it, which a crash cuts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agent.kafka.batches import Record
from agent.kafka.errors import KafkaUnreachable

_OVERHEAD = 68  # bytes of a batch around its one record


class MemoryLog:
    """Shared by all agents of a story. `trouble`: why nobody reaches it now."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.trouble = ""
        self.records: list[Record] = []
        self._clock = clock
        self._grown = asyncio.Condition()

    async def append(self, value: bytes) -> int:
        """Its offset."""
        at, size = len(self.records), len(value) + _OVERHEAD
        self.records.append(Record(at, 0, self._clock(), value, size))
        async with self._grown:
            self._grown.notify_all()
        return at

    async def grown(self, until: float) -> None:
        """Wait for more; TimeoutError at that time of the loop."""
        async with asyncio.timeout_at(until), self._grown:
            await self._grown.wait()


class Line:
    """One agent's connection: agent.control_topic.Log."""

    def __init__(self, log: MemoryLog) -> None:
        self.topic_id = "rehearsal"
        self.log_start = 0
        self.cut = False
        self._log = log

    async def append(self, value: bytes, *, apart: bool = False) -> int:  # noqa: ARG002  nothing takes time
        """Written where the log can be reached."""
        self._check()
        return await self._log.append(value)

    async def fetch(self, offset: int, *, max_wait_ms: int, min_bytes: int) -> Sequence[Record]:
        """What there is from `offset` on once it is enough, or time is up."""
        until = asyncio.get_running_loop().time() + max_wait_ms / 1000
        while True:
            self._check()
            found = self._log.records[offset : offset + 50]
            if sum(record.batch_bytes for record in found) >= min_bytes:
                return found
            try:
                await self._log.grown(until)
            except TimeoutError:
                return found

    async def bounds(self) -> tuple[int, int]:
        """Its start and end."""
        self._check()
        return 0, len(self._log.records)

    def _check(self) -> None:
        if self.cut or self._log.trouble:
            raise KafkaUnreachable("the control topic", self._log.trouble or "the agent was killed")
