"""What a log tail must know after a kill, in one piece: up to where it read, and what it had counted."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

import msgspec

from agent.sources.log_inputs import Places
from agent.sources.log_marks import Tally

_log = logging.getLogger(__name__)

_SAVE = 2.0  # seconds for the journal, which may hang: what was counted is told all the same


class Positions(Protocol):
    """One durable value, which is never half of one and half of another."""

    async def load(self) -> bytes | None:
        """What was saved last; None where nothing ever was."""

    async def save(self, value: bytes) -> None:
        """Replace it; durable when this returns."""


class Snapshot(Places):
    """All that must survive, in one piece: with the places what was counted up to there."""

    counts: list[tuple[str, tuple[tuple[str, str], ...], float]] = msgspec.field(default_factory=list)
    since: list[int] = msgspec.field(default_factory=list)  # when each came to that (ms)
    began: list[int] = msgspec.field(default_factory=list)  # and when it was first shown (ms)
    tally: Tally = msgspec.field(default_factory=Tally)


class Saved:
    """A snapshot at `positions`, where the same again costs nothing."""

    def __init__(self, positions: Positions) -> None:
        self.failed = ""  # why the last reading could not be saved
        self._positions = positions
        self._last = b""

    async def load(self) -> Snapshot:
        """What was saved; an empty one where nothing was, or it is unreadable."""
        self._last = await self._positions.load() or b""
        try:
            if self._last:
                return msgspec.json.decode(self._last, type=Snapshot)
        except msgspec.DecodeError as error:
            _log.warning(
                "the saved places in the log files are unreadable (%s): reading from their ends", error
            )
        return Snapshot()

    async def try_to_save(self, snapshot: Snapshot) -> None:
        """As `save`, within two seconds; what keeps it from that is `failed`."""
        try:
            async with asyncio.timeout(_SAVE):
                await self.save(snapshot)
        except OSError as error:  # TimeoutError is one
            why = str(error) or f"no answer within {_SAVE:g} s"
            if not self.failed:
                _log.warning("up to where log lines were counted cannot be saved: %s", why)
            self.failed = why
        else:
            self.failed = ""

    async def save(self, snapshot: Snapshot) -> None:
        """Whatever `positions` raise."""
        value = msgspec.json.encode(snapshot)
        if value != self._last:
            await self._positions.save(value)
            self._last = value
