"""One process's life in the log: joins it, beats, writes what waits, and joins again after it fell out."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress

from agent.control.claims import CLOSED
from agent.control.fold import Verdict
from agent.control.gossip import Gossip
from agent.control.membership import NOT_JOINED, Key, Membership
from agent.control.outbox import Outbox
from agent.control.records import BadRecord
from agent.control.times import Settings
from agent.control_topic.creation import create
from agent.control_topic.pen import Pen
from agent.control_topic.ports import RETRY, ControlUnavailable, CreateTopic, Log, NotAccepted
from agent.control_topic.reader import Listener, Reader
from agent.kafka.errors import KafkaError

_LOG = logging.getLogger(__name__)
PATIENCE = 10.0  # seconds until a writer is told that its record was not seen
REMEMBERED = 1_024  # ends of claims


class Life:
    """Its two loops run from `start` to `stop`."""

    def __init__(
        self, log: Log, settings: Settings, clock: Callable[[], int], create_topic: CreateTopic | None
    ) -> None:
        self.member = Membership(settings, clock())
        self.outbox = Outbox(settings.times)
        self.gossip = Gossip()
        self.ended: dict[int, str] = {}  # why claims were closed, the latest ones
        listener = Listener(self._saw, self._failed, self._lost, self._halted, self._turn)
        self.reader = Reader(log, settings.times.settle, clock, listener)
        self._log = log
        self._settings = settings
        self._clock = clock
        self._create_topic = create_topic
        self._pen = Pen(log, PATIENCE, self._failed)
        self._turned = asyncio.Condition()
        self._nudge = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._ghosts: list[int] = []  # claims that were accepted after their writer had given up

    async def start(self) -> None:
        """Returns when the join was accepted, or something stands in its way."""
        self._loops = [asyncio.create_task(self._follow()), asyncio.create_task(self._keep())]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.times.degraded / 1_000):
                await self.until(lambda: self.member.degraded != NOT_JOINED)

    async def stop(self) -> None:
        """Ends both loops, and whatever still waits for the log."""
        self.member.halt("the control topic was closed")
        self._after_trouble()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
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
        return self.member.stamp(self.reader.state, t, x)

    async def _written(self, make: Callable[[], tuple[Key, bytes]]) -> int:
        offset, void = await self._pen.write(make)
        if void is not None:
            raise NotAccepted(void)
        return offset

    def nudge(self) -> None:
        """There is something to write before the next beat."""
        self._nudge.set()

    # The reading loop.

    async def _follow(self) -> None:
        while self._create_topic and self._settings.create:
            try:
                await create(self._create_topic, self._settings.topic)
                break
            except KafkaError as error:
                self._failed(str(error))
                await asyncio.sleep(RETRY)
        await self.reader.run(lambda: self.member.session is None or self._pen.busy or self._holds())
        await self._turn()

    def _saw(self, offset: int, verdict: Verdict) -> None:
        state, record = self.reader.state, verdict.record
        key = self.member.key(record) if record else None
        if state.log != self._log.topic_id and state.log:
            self.member.halt(f"its genesis names the log {state.log}, but the topic is {self._log.topic_id}")
        self.member.saw(state, verdict, self._clock())
        self.gossip.saw(state, verdict)
        for move in verdict.moves:
            if move.after is CLOSED:
                self.ended[move.claim] = move.event
        while len(self.ended) > REMEMBERED:
            del self.ended[next(iter(self.ended))]
        awaited = key is not None and self._pen.saw(key, (offset, verdict.void))
        if key and record and record.t == "claim" and verdict.void is None and not awaited:
            self._ghosts.append(offset)
        self._after_trouble()

    def _failed(self, why: str) -> None:
        self.member.fail(why, self._clock())
        self._after_trouble()

    def _lost(self, why: str) -> None:
        _LOG.warning("control topic: its tail was lost: %s", why)
        self.member.lose_tail(why)
        self.gossip = Gossip()
        self.ended.clear()
        self._after_trouble()

    def _halted(self, why: str) -> None:
        _LOG.error("control topic: %s", why)
        self.member.halt(why)
        self._after_trouble()

    def _after_trouble(self) -> None:
        if self.member.session is None:
            self._ghosts.clear()  # a fresh join drops whatever waits
            self._pen.abandon(self.member.degraded or "")
            self._nudge.set()

    async def _turn(self) -> None:
        async with self._turned:
            self._turned.notify_all()

    # The writing loop.

    async def _keep(self) -> None:
        while not self.member.halted:
            self.member.watch(self._clock())
            try:
                if self.reader.caught_up:
                    await self._say_what_is_due()
            except (ControlUnavailable, NotAccepted, BadRecord) as error:
                _LOG.warning("control topic: %s", error)
                await asyncio.sleep(RETRY)
            await self._turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._nudge.wait()
            self._nudge.clear()

    async def _say_what_is_due(self) -> None:
        now = self._clock()
        if self.member.session is None:
            await self._enter()
        elif self._ghosts:
            await self._cancel(self._ghosts.pop())
        elif (line := self.outbox.next_note()) is not None:
            await self._write_note(line)
        elif self._due() <= now:
            await self.write("beat", self.outbox.beat())

    async def _enter(self) -> None:
        state = self.reader.state
        if state.log:
            nonce = secrets.token_hex(16)
            await self._written(lambda: self.member.join(self.reader.state, nonce))
        elif self._settings.create:
            await self._written(lambda: self.member.genesis(self.reader.state, self._log.topic_id))
        else:
            topic = self._settings.topic
            self.member.lose(f"{topic} holds no genesis: start one agent with control.create: true")

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
        self.outbox.noted(accepted)

    def _holds(self) -> bool:
        return any(c.session == self.member.session for c in self.reader.state.claims.values())

    def _due(self) -> int:
        return self.outbox.due(self.member.accepted_at, len(self.reader.state.sessions), self._holds())

    def _pause(self) -> float:
        """Seconds until something is due; at most one, to see in time that nothing comes any more."""
        if self.member.session is None or not self.reader.caught_up:
            return RETRY
        if self._ghosts or self.outbox.next_note() is not None:
            return 0
        return min(max(self._due() - self._clock(), 0) / 1_000, 1.0)
