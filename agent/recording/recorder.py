"""Records what a server holds and what it gets, until it is told to stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from agent.quantities import show_duration
from agent.recording.limits import BadHistory, Tell
from agent.recording.prometheus import NoAnswer, Prometheus, TooLarge
from agent.recording.reading import Reading
from agent.recording.tape import Full, Tape

OVERLAP_MS = 60_000  # a new log counter has a sample from before it was first read
FIRST_PIECE_MS = 300_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to record: `selector`, from `back_ms` before the start, every `interval_ms`."""

    selector: str
    back_ms: int
    interval_ms: int


@dataclass(slots=True)
class Recorder:
    """One recording under way. `stop` ends it after the reading that it is at."""

    server: Prometheus
    tape: Tape
    wanted: Wanted
    tell: Tell
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    unanswered: int = 0
    why: str = ""  # it ended, or the last time that nobody answered

    async def run(self, for_ms: int | None) -> None:
        """Until `stop`, the end of `for_ms` or a full tape. Raises BadHistory, OSError.

        A server that goes away is waited for, once it has answered: what it then still holds is read.
        """
        loop = asyncio.get_running_loop()
        until = None if for_ms is None else loop.time() + for_ms / 1000
        reading = Reading(self.server, self.wanted.selector, self.wanted.interval_ms, FIRST_PIECE_MS)
        reached = await self._first(reading)
        while not self.stop.is_set():
            left = self.wanted.interval_ms / 1000 if until is None else until - loop.time()
            if left <= 0:
                return
            await self._pause(min(left, self.wanted.interval_ms / 1000))
            try:
                reached = await self._read(reading, reached - OVERLAP_MS, await self.server.now())
            except (NoAnswer, TooLarge) as error:  # the next reading is of a longer time
                self.unanswered += 1
                self.why = str(error)
                self.tell(f"waiting: {error}")
            except Full as full:
                self.why = str(full)
                return

    async def _first(self, reading: Reading) -> int:
        """What is there at the start. Raises NoAnswer: an address where nobody ever answered is a mistake."""
        now = await self.server.now()
        newest = self.tape.newest()
        since = now - self.wanted.back_ms
        try:
            return await self._read(reading, max(since, newest - OVERLAP_MS) if newest else since, now)
        except Full as full:
            self.why = str(full)
            self.stop.set()
            return now

    async def _read(self, reading: Reading, start: int, end: int) -> int:
        async for piece in reading.read(start, end):
            self.tape.write(piece.found.items())
            self.tell(
                f"{self.tape.samples:,} samples of {self.tape.series:,} series"
                + (
                    f", {show_duration((end - piece.end) // 1000 * 1000)} to catch up"
                    if piece.end < end
                    else ""
                )
            )
        if reading.resampled:
            raise BadHistory("the server gives no raw samples: a recording needs them")
        return max(start, end)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return
