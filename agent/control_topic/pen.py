"""Writes one record at a time, and waits for what the log's order makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.control.membership import Key
from agent.control_topic.ports import RETRY, ControlUnavailable, Log
from agent.kafka.errors import KafkaError

Seen = tuple[int, str | None]  # the record's offset, and why it is void


class Pen:
    """Each record is written until it is seen in the log: the fold takes copies of it for nothing."""

    def __init__(self, log: Log, patience: float, failed: Callable[[str], None]) -> None:
        self._log = log
        self._patience = patience  # seconds from the first attempt until the caller is told
        self._failed = failed
        self._one = asyncio.Lock()
        self._key: Key | None = None
        self._seen: asyncio.Future[Seen] | None = None

    @property
    def busy(self) -> bool:
        """Whether a record is on its way."""
        return self._one.locked()

    async def write(self, make: Callable[[], tuple[Key, bytes]]) -> Seen:
        """Its offset and verdict; `make` is asked when its turn has come. Raises ControlUnavailable."""
        async with self._one:
            self._key, raw = make()
            self._seen = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._patience):
                    return await self._insist(raw, self._seen)
            except TimeoutError:
                raise ControlUnavailable(f"a record was not seen within {self._patience:g} s") from None
            finally:
                self._key = self._seen = None

    async def _insist(self, raw: bytes, seen: asyncio.Future[Seen]) -> Seen:
        while True:
            try:
                await self._log.append(raw)
                return await seen
            except KafkaError as error:  # not done, or in doubt: the same bytes again are harmless
                self._failed(str(error))
            await asyncio.wait([seen], timeout=RETRY)
            if seen.done():
                return seen.result()

    def saw(self, key: Key, seen: Seen) -> bool:
        """Tells the writer of the record with this key; False if nobody waits for it."""
        if self._seen is None or self._seen.done() or key != self._key:
            return False
        self._seen.set_result(seen)
        return True

    def abandon(self, why: str, *, joins: bool = False) -> None:
        """Whoever waits gets ControlUnavailable, for the session is over; a join needs none, and is given up
        only (`joins`) where what it was stamped with is lost."""
        ends = self._key is not None and (joins or self._key[1] >= 0)
        if ends and self._seen and not self._seen.done():
            self._seen.set_exception(ControlUnavailable(why))
            self._seen.exception()  # the writer may have given up, or its append may yet fail first
