"""A stage for scenarios: the real loop, gate and carrier, over a scripted world and a journal in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.actions import action
from agent.actions.ports import Ports
from agent.daemon.attempt import Means
from agent.daemon.ledger import Ledger
from agent.daemon.loop import Daemon
from agent.daemon.sight import Local, Sight
from agent.gate import World
from agent.history import replay
from agent.journal import JournalFailed
from agent.model import (
    AlertRule,
    Blast,
    Change,
    Effect,
    Entry,
    Kind,
    Limits,
    Mode,
    Operation,
    Place,
    Policy,
    Rate,
    Refusal,
    Remedy,
    Sample,
    Seen,
    Settle,
    Step,
    Verify,
    labels_of,
)
from agent.rulebook import Rulebook
from agent.series import Series
from agent.wire import decode, encode

PLACE = Place("story", 1, 1)
START_MS = 1_000_000_000


class MemoryJournal:
    """Keeps lines as the real one does; may be told to die after any number of them."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.lines: list[bytes] = []
        self.dies_after = dies_after
        self.full = False

    async def open(self) -> tuple[Entry, ...]:
        """Everything again."""
        return tuple(map(decode, self.lines))

    async def append(self, *entries: Entry) -> None:
        """Durable, or the end."""
        if self.full:
            raise JournalFailed("disk full")
        if not self.dead:
            self.lines.extend(map(encode, entries))
        while self.dead:  # killed right after the entry: this life does nothing more
            await asyncio.sleep(3_600)

    async def entries(self) -> tuple[Entry, ...]:
        """Everything again."""
        return await self.open()

    @property
    def dead(self) -> bool:
        """Whether the agent was killed."""
        return self.dies_after is not None and len(self.lines) >= self.dies_after


@dataclass
class Disk:
    """The patient: one setting, and a gauge that goes where the setting drives it."""

    used: float = 0.5
    brake: str | None = None
    helps: bool = True
    breaks: bool = False
    applied: int = 0


@action(blast=Blast.HOST, reversible=True)
class Brake:
    """Sets the brake of a disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def plan(self, ports: Ports, *, target: str) -> Effect | Refusal:
        """One change."""
        if self._disk.brake is not None:
            return Refusal("preconditions", "a brake stands that is not ours")
        return Effect("brake", "broker-1", (Change("disk/1", "brake", Operation.SET, None, "on"),))

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """Set it."""
        if self._disk.breaks:
            raise RuntimeError("the brake is broken")
        self._disk.applied += 1
        self._disk.brake = "on"
        if self._disk.helps:
            self._disk.used = 0.5

    async def undo(self, effect: Effect, ports: Ports) -> Seen:
        """Only where it is ours."""
        seen = await self.observe(effect, ports)
        if seen.ours:
            self._disk.brake = None
        return seen

    async def observe(self, effect: Effect, ports: Ports) -> Seen:
        """Ours, another's or gone."""
        (change,) = effect.changes
        if self._disk.brake == "on":
            return Seen((change,), (), ())
        if self._disk.brake is None:
            return Seen((), (), (change,))
        return Seen((), ((change, self._disk.brake),), ())

    def settle(self, effect: Effect, seen: Seen) -> Settle:
        """Done where it stands."""
        return Settle.DONE if seen.ours else Settle.GONE

    def scopes(self, effect: Effect) -> tuple[str, ...]:
        """Local."""
        return ()


def book(
    steps: int = 1, *, lease_ms: int | None = None, mode: Mode = Mode.ACT, limits: Limits | None = None
) -> Rulebook:
    """One rule: a disk above 80 % for 10 s; its remedy brakes, and help is below 70 % for 5 s."""
    rule = AlertRule("Full", "used > 0.8", 10_000, 0, (), (), "disk", PLACE)
    check = Verify('used{path="$path"} < 0.7', 30_000, 5_000)
    step = Step("brake", (), lease_ms, check, PLACE)
    limits = limits or Limits(cooldown_ms=60_000, per_host=Rate(2, 3_600_000))
    remedy = Remedy("Full", "sre", mode, "path", (), (step,) * steps, limits, None, PLACE)
    return Rulebook((rule,), {"Full": remedy}, (), "story")


@dataclass
class Stage:
    """One agent on it. `lives` counts its restarts; the disk and the journal outlive them."""

    rules: Rulebook = field(default_factory=book)
    disk: Disk = field(default_factory=Disk)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    stop_file: str | None = None
    fenced: frozenset[int] = frozenset()
    _series: Series = field(default_factory=lambda: Series(600_000))
    _daemon: Daemon | None = None
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def now(self) -> int:
        """Virtual milliseconds."""
        return START_MS + round(asyncio.get_running_loop().time() * 1000)

    async def start(self) -> None:
        """An agent's life begins: all it knows is the journal."""
        self._series = Series(600_000)
        ledger = Ledger(self.journal, lambda _: None)  # type: ignore[arg-type]  # the same three methods
        await ledger.open()
        means = Means(
            ledger=ledger,
            sight=lambda: daemon.sight,
            local=self._local,
            actions={"brake": Brake(self.disk)},
            ports=None,  # type: ignore[arg-type]  # the brake needs none
            control=None,
            clock=self.now,
        )
        daemon = self._daemon = Daemon(means, Sight(self.rules, self._series, self._world, 1))
        self._tasks = [asyncio.ensure_future(self._feed(daemon))]
        await daemon.recover()
        self._tasks.append(asyncio.ensure_future(daemon.run()))

    async def play(self, seconds: float, **changes: object) -> None:
        """Change the world, then let time pass."""
        for name, value in changes.items():
            setattr(self.disk if hasattr(self.disk, name) else self, name, value)
        await asyncio.sleep(seconds)

    async def crash(self) -> None:
        """All tasks end where they are, unprepared."""
        assert self._daemon is not None
        tasks = [*self._tasks, *self._daemon._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def daemon(self) -> Daemon:
        """The living agent."""
        assert self._daemon is not None, "not started"
        return self._daemon

    def told(self) -> list[str]:
        """The journal as lines: seconds, kind, reason."""
        return [
            f"{(e.at - START_MS) // 1000:>4} {e.kind}: {e.reason}{f' ({e.question})' if e.question else ''}"
            for e in map(decode, self.journal.lines)
        ]

    @property
    def standing(self) -> int:
        """How many effects may stand, by the journal."""
        return len(replay(map(decode, self.journal.lines)).standing())

    async def _feed(self, daemon: Daemon) -> None:
        while True:
            daemon.take([Sample("used", labels_of({"path": "/d1"}), self.now(), self.disk.used)])
            await asyncio.sleep(1)

    async def _local(self) -> Local:
        return Local(1, Policy(startup_grace_ms=0), 0, self.stop_file)

    def _world(self) -> World:
        return World(self.now(), 2, self.fenced)


def kinds(lines: Sequence[str]) -> list[str]:
    """Only the kinds of told lines."""
    return [line.split()[1].rstrip(":") for line in lines]


__all__ = ["Disk", "Kind", "Mapping", "MemoryJournal", "Stage", "book", "kinds"]
