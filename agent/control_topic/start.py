"""Where folding begins: at the newest snapshot that is proved, else at the log's start (coordination.md
6)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from msgspec import Struct

from agent.control.bodies import FOLD
from agent.control.carried import Carried
from agent.control.confirmation import Confirmation, read, state_of
from agent.control.fold import LogGap
from agent.control.snapshot import BadSnapshot, is_snapshot
from agent.control.state import State
from agent.control.times import EVERY
from agent.control_topic.follower import BeginningGone, Follower, ShorterLog
from agent.control_topic.ports import Log, LogRecord
from agent.kafka.errors import OFFSET_OUT_OF_RANGE, KafkaError, KafkaRefused, LogTruncated

_LOG = logging.getLogger(__name__)
STEP, LONGEST_STEP = 1_000, 64_000  # offsets read backwards in one go: the first time, and at most
WITHIN = 5_000  # records behind a snapshot in which another's stamp is looked for: agents beat every minute
TRIED = 20  # snapshots in vain, until folding from the log's start is the shorter way

Kept = Callable[[], Awaitable[Carried]]


async def nothing() -> Carried:
    """No journal."""
    return Carried()


class Begin(Struct, frozen=True):
    """A state to go on from, and how it came to be trusted. `end` of the log, where it was asked just now."""

    state: State
    words: str = "the log's start"
    end: int | None = None


FROM_START = Begin(State())


class Start:
    """Finds it. `refused` counts the snapshots that were none to start from."""

    def __init__(self, log: Log, fold_max: int = FOLD, every: int = EVERY) -> None:
        self.refused = 0
        self._log = log
        self._fold_max = fold_max
        self._every = every

    async def find(self, kept: Kept = nothing, before: int | None = None) -> Begin:
        """Where to begin; with `before`, so that what lies from that offset on is folded. `kept` is what the
        own journal has, asked once there is something to prove by it.

        Raises BeginningGone where there is nothing to begin from, and KafkaError.
        """
        first, end = await self._log.bounds()
        if end <= self._every and not first:
            return Begin(State(), end=end)  # nothing was marked yet
        newest, refused = "", 0
        low = max(first, self._every + 1)
        async with aclosing(self._found(low, end if before is None else min(end, before))) as found:
            async for record in found:
                try:
                    return await self._proved(record, first, await kept())
                except BadSnapshot as why:
                    newest = newest or f": the newest one, at offset {record.offset}, {why}"
                    self.refused += 1
                    refused += 1
                    _LOG.warning("control topic: no start from the snapshot at %d: %s", record.offset, why)
                if refused >= TRIED and not first:
                    break
        if first > 0:
            raise BeginningGone(f"the log's beginning was deleted, and no snapshot is a start{newest}")
        return FROM_START

    async def _found(self, first: int, end: int) -> AsyncGenerator[LogRecord, None]:
        """The snapshots from `first` on, the newest first; the log is read backwards in growing steps."""
        step = STEP
        while end > first:
            low = max(first, end - step)
            for offset in reversed(await self._offsets(low, end)):
                for record in await self._read(offset):
                    if record.offset == offset:
                        yield record
                        break
            end, step = low, min(2 * step, LONGEST_STEP)

    async def _offsets(self, low: int, end: int) -> list[int]:
        """Of the snapshots from `low` on and before `end`: their bytes may be many."""
        found: list[int] = []
        while low < end and (records := await self._read(low)):
            found += [r.offset for r in records if low <= r.offset < end and is_snapshot(r.value)]
            low = records[-1].offset + 1
        return found

    async def _read(self, offset: int) -> list[LogRecord]:
        """From `offset` on, what one answer holds; nothing where the log has lost it meanwhile."""
        try:
            records = await self._log.fetch(offset, max_wait_ms=0, min_bytes=1)
        except LogTruncated:
            return []
        except KafkaRefused as error:
            if error.code != OFFSET_OUT_OF_RANGE:
                raise
            return []
        return [record for record in records if record.offset >= offset]

    async def _proved(self, found: LogRecord, first: int, own: Carried) -> Begin:
        """Its state, if that is the log's. Raises BadSnapshot."""
        snapshot = read(found.value, found.offset)
        state = state_of(snapshot.x, self._log.topic_id, first, self._fold_max, self._every)
        confirmation = Confirmation(snapshot, found.offset, own)
        try:
            why = await self._confirm(state, confirmation, found.offset + WITHIN)
        except (LogTruncated, ShorterLog, LogGap) as error:
            raise BadSnapshot(f"the log does not go on from its place: {error}") from error
        except KafkaError:
            raise
        except Exception as bug:
            raise BadSnapshot(f"the fold fails upon it: {bug!r}") from bug
        if why:
            raise BadSnapshot(why)
        by = f"{snapshot.a} wrote at {found.offset} and {confirmation.by} confirms"
        return Begin(state, f"the snapshot of offset {state.offset}, which {by}")

    async def _confirm(self, state: State, confirmation: Confirmation, last: int) -> str:
        """Folds until it is confirmed, at most up to about that offset; else why not."""
        follower = Follower(self._log, state, self._every)
        while not follower.caught_up and follower.state.offset < last:
            async with aclosing(follower.read(eager=True)) as verdicts:
                async for verdict in verdicts:
                    confirmation.saw(follower.state, verdict)
                    if confirmation.by:
                        return ""
                    if why := confirmation.refused(follower.state):
                        return why
        return confirmation.at_the_end()


async def beginning(log: Log, *, snapshot: bool, before: int | None = None) -> Begin:
    """The log's start; a snapshot as `Start.find` finds it where one is wanted, or the start was deleted."""
    first, _ = await log.bounds()
    return await Start(log).find(before=before) if snapshot or first else FROM_START
