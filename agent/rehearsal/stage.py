"""A stage: one agent's real loop, gate and carrier in virtual time, over a scenery that is played to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.actions import Action, Ports
from agent.alerts import Kept
from agent.control_topic import ControlTopic
from agent.daemon.claim_sweep import sweep_claims
from agent.daemon.ledger import Ledger
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.proposals import answer
from agent.daemon.scenes import Local
from agent.daemon.sight import Sight
from agent.gate import World
from agent.history import ANSWERS, replay
from agent.journal import JournalFailed
from agent.model import Boot, Entry, Kind, Policy, Sample
from agent.rulebook import Rulebook
from agent.series import Series
from agent.wire import decode, encode

START_MS = 1_000_000_000_000  # some day of 2001: a story's instants are counted from here
KEEP_S = 5.0  # how often the alerts are kept for the next life, as the agent does it
NOTHING_YET = Policy(startup_grace_ms=0)  # a story would only wait for the grace


class MemoryJournal:
    """Keeps lines as the real one does; may be told to die after any number of them."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.lines: list[bytes] = []
        self.dies_after = dies_after
        self.full = False

    async def open(self) -> None:
        """There is nothing to do."""

    async def append(self, *entries: Entry) -> None:
        """Durable, or the end."""
        if self.full:
            raise JournalFailed("disk full")
        if not self.dead:
            self.lines.extend(map(encode, entries))
        if self.dead:  # killed right after the entry: this life does nothing more
            await asyncio.get_running_loop().create_future()

    async def entries(self, after: int = 0) -> tuple[Entry, ...]:
        """Those that follow the first `after`."""
        return tuple(map(decode, self.lines[after:]))

    @property
    def dead(self) -> bool:
        """Whether the agent was killed."""
        return self.dies_after is not None and len(self.lines) >= self.dies_after


class Scenery(Protocol):
    """What the agent sees and touches; it outlives the agent."""

    @property
    def actions(self) -> Mapping[str, Action]:
        """By name."""

    def begin_life(self) -> None:
        """The agent is started: what its sources remember is gone."""

    def ports(self, clock: Callable[[], int], recorded: Callable[[str, str, str], bool]) -> Ports:
        """What its actions reach."""

    def world(self) -> World | None:
        """The cluster as a peer last told it."""

    async def read(self, now: int) -> list[Sample]:
        """What all sources give at this instant."""

    def next_read(self, now: int) -> int:
        """When there is something to read again."""


@dataclass
class Stage:
    """One agent. Its lives know of each other only by the journal and the alerts that were kept."""

    rules: Rulebook
    scenery: Scenery
    node_id: int = 1
    policy: Policy = NOTHING_YET
    start_ms: int = START_MS
    window_ms: int = 2 * 3_600_000
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    stop_file: str | None = None
    make_control: Callable[[], ControlTopic] | None = None
    _kept: tuple[Kept, ...] = ()
    _daemon: Daemon | None = None
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def now(self) -> int:
        """Virtual milliseconds."""
        return self.start_ms + round(asyncio.get_running_loop().time() * 1000)

    async def start(self) -> None:
        """An agent's life begins."""
        self.scenery.begin_life()
        self.control = self.make_control() if self.make_control else None
        self._series = Series(self.window_ms)
        ledger = Ledger(self.journal, lambda _: None)  # type: ignore[arg-type]  # the same three methods
        await ledger.open()
        self.means = Means(
            ledger=ledger,
            sight=lambda: daemon.sight,
            local=self._local,
            actions=self.scenery.actions,
            ports=self.scenery.ports(self.now, lambda *value: value in ledger.history.written),
            control=self.control,
            clock=self.now,
            boot=lambda: Boot("stage", self.now() - self.start_ms),
        )
        daemon = self._daemon = Daemon(self.means, self._sight())
        self._tasks = []
        if self.control is not None:
            self._begin(self.control.start())
            self._begin(sweep_claims(self.means, self.control))
        self._begin(self._feed(daemon))
        await daemon.recover()
        self._begin(daemon.run())
        self._begin(self._keep())

    async def crash(self) -> None:
        """All tasks end where they are, unprepared."""
        tasks = [*self._tasks, *self.daemon.crew.tasks.values()]  # a kill asks nobody
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def daemon(self) -> Daemon:
        """The living agent."""
        assert self._daemon is not None, "not started"
        return self._daemon

    async def order(self, verb: str, reason: str) -> None:
        """What a person orders: pause, resume, undo, or a word on what is proposed, as the desk obeys it."""
        if verb in ANSWERS:
            await self._answer(verb, reason)
            return
        words = {"pause": f"{reason} (operator)", "undo": "everything (operator)"}.get(verb, "operator")
        if verb == "undo":
            for incident in self.daemon.standing():
                self.daemon.ask_undo(incident, "undone by operator")
        await self.means.ledger.record(Entry(self.now(), Kind.OPERATOR, words, question=verb))

    async def _answer(self, verb: str, reason: str) -> None:
        for one in list(self.means.ledger.history.incidents.values()):
            if verb in one.answers:
                await answer(self.means, one.proposal, verb, reason, "operator")
        self.daemon.wake()

    def entries(self) -> list[Entry]:
        """The whole journal."""
        return [decode(line) for line in self.journal.lines]

    @property
    def standing(self) -> int:
        """How many effects may stand, by the journal."""
        return len(replay(self.entries()).standing())

    def faults(self) -> Iterable[BaseException]:
        """What ended a task of the agent by itself: never the story's doing."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                yield error

    def _sight(self) -> Sight:
        sight = Sight(self.rules, self._series, self.scenery.world, self.node_id)
        sight.resume(self._kept)
        return sight

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _feed(self, daemon: Daemon) -> None:
        while True:
            began = asyncio.get_running_loop().time()
            daemon.take(await self.scenery.read(self.now()), began)
            await asyncio.sleep((self.scenery.next_read(self.now()) - self.now()) / 1000)
            await asyncio.sleep(0)  # what the story changes at this very instant is seen

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_S)
            self._kept = self.daemon.sight.alerts.keep()

    async def _local(self) -> Local:
        return Local(self.node_id, self.policy, 0, self.stop_file, *self._fleet())

    def _fleet(self) -> tuple[str, dict[str, frozenset[str]]]:
        control = self.control
        if control is None:
            return "", {}
        why = control.degraded or (
            "" if control.caught_up else "the control topic is not read to its end yet"
        )
        return why, {name: frozenset(peer.firing) for name, peer in control.peers().items()}
