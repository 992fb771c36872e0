"""Writes the snapshot of the last mark: up to a megabyte, over a connection of its own, so that no beat waits
behind it (coordination.md section 6)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from agent.control_topic.ports import Log
from agent.kafka.errors import KafkaError

_LOG = logging.getLogger(__name__)


class SnapshotPen:
    """One attempt at a time, each only once: what becomes of it the log tells."""

    def __init__(self, log: Log, written: Callable[[], None]) -> None:
        self._log = log
        self._written = written  # told after each attempt
        self._writing: asyncio.Task[None] | None = None
        self._told: Sequence[str] = ()

    @property
    def busy(self) -> bool:
        """Whether an attempt is under way."""
        return self._writing is not None and not self._writing.done()

    def write(self, raw: bytes) -> None:
        """Sends it on its way."""
        self._writing = asyncio.create_task(self._write(raw))

    async def _write(self, raw: bytes) -> None:
        try:
            await self._log.append(raw, apart=True)
        except KafkaError as error:  # refused or in doubt: the next rank writes it, or this agent once more
            _LOG.warning("control topic: a snapshot of %d bytes was not written: %s", len(raw), error)
        finally:
            self._written()

    def tell(self, faults: Sequence[str]) -> None:
        """What a person should know of snapshots, once."""
        for words in set(faults) - set(self._told):
            _LOG.warning("control topic: %s", words)
        self._told = faults

    async def close(self) -> None:
        """Gives up what is under way."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
