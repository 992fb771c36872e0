"""One process's life in the log: joins it, beats, writes what waits, and joins again after it fell out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from agent.control.carried import Carried
from agent.control.duties import holds
from agent.control.membership import JOINING, NOT_JOINED, READING
from agent.control.records import BadRecord
from agent.control.times import Settings
from agent.control.unheard import LOOK
from agent.control_topic.creation import create_where_missing
from agent.control_topic.due import Due
from agent.control_topic.hearing import Hearing
from agent.control_topic.joining import Joining
from agent.control_topic.permission import Permission
from agent.control_topic.ports import RETRY, ControlUnavailable, Log, NotAccepted, Surroundings
from agent.control_topic.reader import Listener, Reader
from agent.control_topic.settings_watch import SettingsWatch
from agent.control_topic.snapshots import Snapshots
from agent.control_topic.writer import Writer

_LOG = logging.getLogger(__name__)


class Life:
    """Its loops run from `start` to `stop`."""

    def __init__(self, log: Log, settings: Settings, around: Surroundings) -> None:
        self._nudge = asyncio.Event()
        self.hearing = hears = Hearing(log, settings, around, self.nudge)
        self.member, self.duties = hears.member, hears.duties
        self.reader = reader = Reader(log, settings, hears.boot, self._listener())
        hears.fold_again = reader.fold_again
        self.permission = Permission(settings, hears, reader)
        self.snapshots = Snapshots(log, hears, reader)
        self._writer = Writer(hears, reader, self.permission, self.until)
        self._joining = Joining(log, settings, around, hears, reader, self._writer)
        self._due = Due(around, hears, reader, self.permission, self._writer)
        self._log = log
        self._settings = settings
        self._around = around
        self._settings_watch = SettingsWatch(settings.topic, around.describe, hears.member)
        self._turned = asyncio.Condition()
        self._looked = False  # into what a former life kept
        self._loops: list[asyncio.Task[None]] = []

    def _listener(self) -> Listener:
        hears = self.hearing
        return Listener(
            hears.saw,
            hears.failed,
            hears.losing,
            hears.lost,
            hears.halted,
            hears.gone,
            self._turn,
            self._kept,
        )

    async def start(self) -> None:
        """Returns when the join was accepted, or something stands in its way."""
        loops = (self._make(), self._follow(), self._keep(), self._watch_settings(), self._look())
        self._loops = [asyncio.create_task(loop) for loop in loops]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.times.degraded / 1_000):
                await self.until(lambda: self.member.degraded != NOT_JOINED)

    async def stop(self) -> None:
        """Ends the loops, and whatever still waits for the log."""
        self.member.halt("the control topic was closed")
        self.hearing.after_trouble()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.snapshots.close()
        await self._turn()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Waits for what the log, or degraded mode, brings."""
        async with self._turned:
            await self._turned.wait_for(happened)

    async def write(self, t: str, x: Mapping[str, object]) -> int:
        """Its offset, once it was seen accepted. Raises NotAccepted, ControlUnavailable and BadRecord."""
        return await self._writer.write(t, x)

    async def keep(self) -> None:
        """What was seen so far outlives this process and the log. Raises ControlUnavailable."""
        await self.hearing.keeping.keep(self.reader.state)

    def nudge(self) -> None:
        """There is something to write before the next beat."""
        self._nudge.set()

    async def _turn(self) -> None:
        async with self._turned:
            self._turned.notify_all()

    async def _follow(self) -> None:
        """The reading loop."""
        await self.reader.run(self._eager)
        await self._turn()

    async def _make(self) -> None:
        """The loop that makes the topic: the log is read meanwhile, since it may be there."""
        if self._settings.create:
            await create_where_missing(
                self._around, self._settings.topic, lambda: bool(self._log.topic_id), self.hearing.failed
            )

    async def _load(self) -> None:
        """What a former life kept; nobody waits for a disk that does not give it."""
        try:
            await self.hearing.keeping.load()
        finally:
            self._looked = True

    async def _kept(self) -> Carried:
        await self.until(lambda: self._looked)
        return self.hearing.keeping.kept

    def _eager(self) -> bool:
        """Whether each record is waited for: by holders, waiters, and everybody behind a barrier."""
        state, session = self.reader.state, self.member.session
        return session is None or self.hearing.pen.busy or bool(state.barrier) or holds(state, session)

    async def _watch_settings(self) -> None:
        """The loop that looks at the topic itself."""
        await self._settings_watch.run(
            lambda: self.reader.state.epoch, self.until, self.hearing.after_trouble
        )

    async def _look(self) -> None:
        """The loop that counts how long this process runs."""
        while not self.member.halted:
            self.hearing.looked()
            await self._turn()
            await asyncio.sleep(LOOK / 1_000)

    async def _keep(self) -> None:
        """The writing loop."""
        loaded = False
        while not self.member.halted:
            try:
                if not loaded:
                    await self._load()
                    loaded = True
                if self.reader.caught_up:
                    self.snapshots.tell_faults()
                    await self._say_what_is_due()
            except (ControlUnavailable, NotAccepted, BadRecord) as error:
                _LOG.warning("control topic: %s", error)
                if self.member.session is None:  # nobody waits for ever for a join that its own disk prevents
                    readable = self.reader.caught_up or not loaded
                    self.hearing.failed(str(error), JOINING if readable else READING)
                await asyncio.sleep(RETRY)
            await self._turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._nudge.wait()
            self._nudge.clear()

    async def _say_what_is_due(self) -> None:
        if self.member.session is None:
            await self._joining.enter()
        else:
            await self._due.write(self.member.session)
        if self.member.session is not None and self.duties.not_ready(self.reader.state) is None:
            self.snapshots.write(self.member.session)
            await self.keep()

    def _pause(self) -> float:
        """Seconds until something is due; at most one, to see in time that nothing comes any more."""
        session, boot = self.member.session, self.hearing.boot()
        if session is None or not self.reader.caught_up:
            return RETRY
        due, snapshot = self._due.wait(session, boot), self.snapshots.wait(session, boot)
        if snapshot is not None:
            due = min(due, snapshot)
        return min(max(due, 0) / 1_000, 1.0)
