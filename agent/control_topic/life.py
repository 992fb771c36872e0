"""One process's life in the log: joins it, beats, writes what waits, and joins again after it fell out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from agent.control.carried import Carried
from agent.control.duties import Duty, holds
from agent.control.former import not_heard
from agent.control.hold import objection
from agent.control.lost import Lost, no_room, unexplained
from agent.control.membership import JOINING, NOT_JOINED, READING, Key
from agent.control.records import BadRecord
from agent.control.state import State
from agent.control.times import Settings
from agent.control.unheard import LOOK
from agent.control_topic.creation import create_where_missing
from agent.control_topic.hearing import Hearing
from agent.control_topic.own_cluster import OwnCluster
from agent.control_topic.ports import RETRY, ControlUnavailable, Log, NotAccepted, Surroundings
from agent.control_topic.reader import Listener, Reader
from agent.control_topic.settings_watch import SettingsWatch
from agent.control_topic.snapshot_pen import SnapshotPen

_LOG = logging.getLogger(__name__)
LEAST = 100  # ms between two looks whether a snapshot can be written: something else may be in its way


class Life:
    """Its loops run from `start` to `stop`."""

    def __init__(self, log: Log, settings: Settings, around: Surroundings) -> None:
        self._nudge = asyncio.Event()
        self.hearing = hears = Hearing(log, settings, around, self.nudge)
        self.member, self.duties = hears.member, hears.duties
        listener = Listener(
            hears.saw,
            hears.failed,
            hears.losing,
            hears.lost,
            hears.halted,
            hears.gone,
            self._turn,
            self._kept,
        )
        self.reader = Reader(log, settings, hears.boot, listener)
        hears.fold_again = self.reader.fold_again
        self._snapshot_pen = SnapshotPen(log, self._beat_at_once)
        self._log = log
        self._settings = settings
        self._around = around
        self._own_cluster = OwnCluster(around.place, hears.member)
        self._settings_watch = SettingsWatch(settings.topic, around.describe, hears.member)
        self._turned = asyncio.Condition()
        self._looked = False  # into what a former life kept
        self._loops: list[asyncio.Task[None]] = []

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
        await self._snapshot_pen.close()
        await self._turn()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Waits for what the log, or degraded mode, brings."""
        async with self._turned:
            await self._turned.wait_for(happened)

    async def write(self, t: str, x: Mapping[str, object]) -> int:
        """Its offset, once it was seen accepted. Raises NotAccepted, ControlUnavailable and BadRecord."""
        await self.until(lambda: self.reader.caught_up or self.member.degraded is not None)
        return await self._written(lambda: self._stamped(t, x))

    def _stamped(self, t: str, x: Mapping[str, object]) -> tuple[Key, bytes]:
        if why := self.member.degraded:
            raise ControlUnavailable(why)
        if t == "claim" and (why := self.not_heard(str(x["kind"]))):
            raise NotAccepted(why)
        key, raw = self.member.stamp(self.reader.state, t, x)
        self.duties.hold.created(key[1], key[2], self.hearing.boot())
        return key, raw

    async def _written(self, make: Callable[[], tuple[Key, bytes]]) -> int:
        offset, void = await self.hearing.pen.write(make)
        if void is not None:
            raise NotAccepted(void)
        return offset

    def objection(self, claim: int, *, undo: bool = False) -> str | None:
        """Why no effect of this claim may start at this instant, as far as the log knows."""
        state, boot = self.reader.state, self.hearing.boot()
        hold = self.duties.hold.until(state)
        differing = None if undo else self.duties.agreement.differing()
        why = differing or objection(state, claim, self.member.session, hold, boot, undo=undo)
        return why if why or undo else self.lost_holds(claim)

    def not_heard(self, kind: str | None = None) -> str | None:
        """Why nothing of that kind, or of any, is begun yet in a log that was made again, in words."""
        return not_heard(self.reader.state, self.hearing.keeping.kept.followed, kind)

    def lost(self) -> tuple[Lost, ...]:
        """As ControlTopic tells it."""
        return unexplained(self.hearing.keeping.kept.lost, self.reader.state)

    def lost_holds(self, claim: int) -> str | None:
        """Which of them may hold the room that this claim has, in words."""
        found = self.reader.state.claims.get(claim)
        return no_room(self.reader.state, self.lost(), found) if found else None

    def snapshots(self) -> dict[str, Any]:
        """As ControlTopic tells it."""
        duty, log_start = self.duties.snapshots, self._log.log_start
        return {
            "newest": duty.newest,
            "bytes": duty.size,
            "log_start": log_start,
            "folded": self.reader.began,
            "refused": self.reader.refused,
            "faults": list(duty.faults(self.reader.state, log_start)),
        }

    @property
    def params(self) -> Mapping[str, int]:
        """The times in force; the own settings' where no log is known."""
        return self.reader.state.params or self._settings.times.params()

    @property
    def act(self) -> int:
        """How long an effect may take to leave (ms): a shorter one that is ordered holds at once for what is
        sent, and late for what is in doubt."""
        coming = self.reader.state.coming.get("act")
        return min(self.params["act"], coming.value) if coming is not None else self.params["act"]

    def act_by(self) -> int:
        """Own boot time in ms by which an effect that is about to start must have left this process: ACT from
        now, or the end of the hold time where that is earlier and one runs."""
        state, boot = self.reader.state, self.hearing.boot()
        hold = self.duties.hold.until(state)
        return boot + self.act if hold is None else min(hold, boot + self.act)

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
                    self._snapshot_pen.tell(self.snapshots()["faults"])
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
        state, session = self.reader.state, self.member.session
        if session is None:
            await self._enter()
        elif self.hearing.ghosts:
            await self._cancel(self.hearing.ghosts.pop())
        elif duty := await self._duty(state, session):
            await self.write(*duty)
        elif (line := self.duties.outbox.next_note()) is not None:
            await self._write_note(line)
        if self.member.session is not None and self.duties.not_ready(self.reader.state) is None:
            self._write_snapshot(self.member.session)
            await self.keep()

    def _write_snapshot(self, session: int) -> None:
        """Where one is due, and the next beat is not soon. Its number is above those of all records that are
        under way; one that overtakes it makes it void, and waits for nothing."""
        state, boot, snapshots = self.reader.state, self.hearing.boot(), self.duties.snapshots
        wait = snapshots.wait(state, session, boot)
        if wait is None or wait > 0 or self.hearing.pen.busy or self._snapshot_pen.busy:
            return
        heard = self.member.heard
        if boot - heard[0] >= self.duties.due(state, session, heard) - boot:
            return
        snapshots.tried(state, boot)
        key, raw = self.member.stamp_snapshot(state, snapshots.text)
        self.duties.hold.created(key[1], key[2], boot)
        self._snapshot_pen.write(raw)

    def _beat_at_once(self) -> None:
        """Each poll reads the last record again: a snapshot must not stay the last one."""
        self.duties.outbox.hurry()
        self.nudge()

    async def _duty(self, state: State, session: int) -> Duty | None:
        """Who does not reach the brokers leaves what others left to whoever does."""
        boot, reaches = self.hearing.boot(), True
        if self._around.reaches and self.duties.to_adopt(state, session, boot) is not None:
            reaches = await self._around.reaches()
        boot, lost = self.hearing.boot(), self.lost()
        return self.duties.next(state, session, self.member.heard, boot, reaches=reaches, lost=lost)

    async def _enter(self) -> None:
        """Genesis, or a join; nothing in a log that is not this agent's."""
        state, keeping = self.reader.state, self.hearing.keeping
        if self.member.deviates:
            return
        own = self._own_cluster
        if why := await own.unknown(keeping.kept.cluster) or own.stranger(state) or keeping.stranger(state):
            self.member.lose(why, stuck=True)
        elif state.log:
            nonce, lost = self._around.nonce(), await keeping.join(state)
            try:
                await self._written(lambda: self.member.join(self.reader.state, nonce, lost))
            except NotAccepted as error:
                self.member.refused(str(error))
                raise
            if lost.owed:
                await keeping.joined(self.reader.state)
        elif self._settings.create:
            await self._written(lambda: self.member.genesis(self.reader.state, self._log.topic_id))
        else:
            topic = self._settings.topic
            why = f"{topic} holds no genesis: start one agent with control.create: true"
            self.member.lose(why, stuck=True)

    async def _cancel(self, ghost: int) -> None:
        if claim := self.reader.state.claims.get(ghost):
            await self.write("release", {"id": ghost, "token": claim.token, "outcome": "cancelled"})

    async def _write_note(self, line: str) -> None:
        accepted = False
        try:
            await self.write("note", {"entry": line})
            accepted = True
        except (NotAccepted, BadRecord) as error:
            _LOG.warning("control topic: a note was dropped: %s", error)
        self.duties.outbox.noted(accepted)

    def _pause(self) -> float:
        """Seconds until something is due; at most one, to see in time that nothing comes any more."""
        session = self.member.session
        if session is None or not self.reader.caught_up:
            return RETRY
        state = self.reader.state
        if self.hearing.ghosts or self.duties.outbox.next_note() is not None:
            return 0
        if self.duties.own_left(state, session) is not None:
            return 0
        boot = self.hearing.boot()
        due = self.duties.due(state, session, self.member.heard) - boot
        snapshot = self.duties.snapshots.wait(state, session, boot)
        if snapshot is not None and not self.hearing.pen.busy:
            due = min(due, max(snapshot, LEAST))
        lost = self.duties.restorer.due(state, session, self.lost(), boot)
        due = due if lost is None else min(due, lost - boot)
        return min(max(due, 0) / 1_000, 1.0)
