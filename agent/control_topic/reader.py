"""The reading loop: folds what comes, and tells a lost tail, another log and a bug from a bad connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.control.fold import LogGap, Verdict
from agent.control.state import State
from agent.control.times import Settings
from agent.control_topic.follower import BeginningGone, Follower, ShorterLog
from agent.control_topic.ports import RETRY, Log
from agent.control_topic.start import Begin, Kept, Start, nothing
from agent.kafka.errors import KafkaError, LogGone, LogRecreated, LogTruncated

_LOG = logging.getLogger(__name__)
# Seconds until a start is looked for again, doubled each time: by then a peer may have confirmed a snapshot.
AGAIN, SELDOM = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears of what was read. All but `turned` and `kept` get words or what was folded."""

    saw: Callable[[State, Verdict], None]  # the state after a record, and its verdict
    failed: Callable[[str], None]  # a read failed; it is tried again
    losing: Callable[[State, str], Awaitable[None]]  # it is about to be dropped, and the log folded anew
    lost: Callable[[str], None]  # the state was dropped
    halted: Callable[[str], None]  # nothing is read any more
    gone: Callable[[State], None]  # it is gone, and perhaps another one in its place: before `halted`
    turned: Callable[[], Awaitable[None]]  # after each read
    kept: Kept  # what the own journal knows of the log, once it was looked into


class Reader:
    """Reads one log for ever, or until it is no longer that log."""

    def __init__(self, log: Log, settings: Settings, clock: Callable[[], int], listener: Listener) -> None:
        self._log = log
        self._settings = settings
        self._clock = clock
        self._listener = listener
        self._follower = Follower(log)
        self._start = Start(log, settings.fold_max, settings.mark_every)
        self._began: Begin | None = None
        self._again = AGAIN
        self._short_since: int | None = None
        self._doubted: str | None = None
        self._gone = False  # when it was asked last
        self._own_counts = True  # what this agent had come to before: not where a peer says otherwise

    @property
    def state(self) -> State:
        """The state as far as the log was read."""
        return self._follower.state

    @property
    def caught_up(self) -> bool:
        """Whether everything readable was read."""
        return self._follower.caught_up

    @property
    def began(self) -> str:
        """From where it was folded, in words; empty: nothing was yet."""
        return self._began.words if self._began else ""

    @property
    def refused(self) -> int:
        """How many snapshots were none to start from."""
        return self._start.refused

    async def run(self, eager: Callable[[], bool]) -> None:
        """Returns only when reading has no sense any more. `eager`: whether each record is waited for."""
        while True:
            try:
                if self._began is None:
                    await self._begin()
                await self._read(eager())
            except BeginningGone as error:
                self._began, self._follower = None, Follower(self._log)
                await self._stumble(str(error), self._again)
                self._again = min(2 * self._again, SELDOM)
            except (LogRecreated, LogGap) as error:
                self._is_gone(error)
                self._listener.halted(f"the control topic cannot be followed any more: {error}")
                return await self._listener.losing(self.state, str(error))  # a later life will owe it
            except LogTruncated as error:
                await self._drop(str(error))
            except ShorterLog as error:
                await self._wait_or_drop(str(error))
            except KafkaError as error:
                self._is_gone(error)
                await self._stumble(str(error))
            except Exception as bug:  # noqa: BLE001 - stop folding and say so, never skip a record
                _LOG.exception("the fold failed after offset %d", self.state.offset)
                return self._listener.halted(f"a bug stopped the fold after {self.state.offset}: {bug!r}")
            await self._listener.turned()

    async def _begin(self) -> None:
        """Where folding goes on, from a snapshot's place or from the start."""
        begin = await self._start.find(self._listener.kept if self._own_counts else nothing)
        _LOG.info("control topic: folded from %s", begin.words)
        self._follower = Follower(self._log, begin.state, self._settings.mark_every, begin.end)
        self._began, self._own_counts, self._again = begin, True, AGAIN

    async def _read(self, eager: bool) -> None:
        async for verdict in self._follower.read(eager):
            self._listener.saw(self.state, verdict)
        self._short_since, self._gone = None, False
        if self._doubted is not None:
            self._own_counts = False
            await self._drop(self._doubted)

    def _is_gone(self, error: Exception) -> None:
        """Tells once whether the log is: it ended by then, however long its topic is not made again."""
        if isinstance(error, (LogGone, LogRecreated)) and not self._gone:
            self._gone = True
            self._listener.gone(self.state)

    def fold_again(self, why: str) -> None:
        """The state may be wrong: after this read it is dropped, as after a lost tail."""
        self._doubted = why

    async def _drop(self, why: str) -> None:
        await self._listener.losing(self.state, why)
        self._doubted = None
        self._began, self._follower = None, Follower(self._log)
        self._short_since = None
        self._listener.lost(why)

    async def _wait_or_drop(self, why: str) -> None:
        now = self._clock()
        self._short_since = now if self._short_since is None else self._short_since
        if now - self._short_since >= self._settings.times.short:
            await self._drop(why)
        else:
            await self._stumble(why)

    async def _stumble(self, why: str, pause: float = RETRY) -> None:
        self._follower.doubt()
        self._listener.failed(why)
        await asyncio.sleep(pause)
