"""A stage for our own stories: the rehearsal's, with one disk and one action that brakes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.actions import action
from agent.actions.ports import Ports
from agent.gate import World
from agent.model import (
    AlertRule,
    Blast,
    Change,
    Effect,
    Limits,
    Mode,
    Operation,
    Place,
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
from agent.rehearsal import stage
from agent.rehearsal.stage import START_MS, MemoryJournal
from agent.rulebook import Rulebook

PLACE = Place("story", 1, 1)


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


class DiskScenery:
    """What there is to see: the disk's gauge each second, and a cluster in which brokers may be fenced."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.fenced: frozenset[int] = frozenset()
        self.actions = {"brake": Brake(disk)}
        self._at = 0

    def begin_life(self) -> None:
        """Nothing is remembered."""

    def ports(self, clock: Callable[[], int], recorded: Callable[[str, str, str], bool]) -> Ports:
        """The brake needs none."""
        return None  # type: ignore[return-value]

    def world(self) -> World:
        """As broker 2 sees it."""
        return World(self._at, 2, self.fenced)

    async def read(self, now: int) -> list[Sample]:
        """One sample."""
        self._at = now
        return [Sample("used", labels_of({"path": "/d1"}), now, self.disk.used)]

    def next_read(self, now: int) -> int:
        """Each second."""
        return now + 1_000


class Stage(stage.Stage):
    """One agent on that disk."""

    def __init__(
        self, rules: Rulebook | None = None, disk: Disk | None = None, journal: MemoryJournal | None = None
    ) -> None:
        self.disk = disk or Disk()
        super().__init__(rules or book(), DiskScenery(self.disk), journal=journal or MemoryJournal())

    async def play(self, seconds: float, **changes: object) -> None:
        """Change the world, then let time pass."""
        for name, value in changes.items():
            owner = next(o for o in (self.disk, self.scenery, self) if hasattr(o, name))
            setattr(owner, name, value)
        await asyncio.sleep(seconds)

    def told(self) -> list[str]:
        """The journal as lines: seconds, kind, reason."""
        return [
            f"{(e.at - START_MS) // 1000:>4} {e.kind}: {e.reason}{f' ({e.question})' if e.question else ''}"
            for e in self.entries()
        ]


def kinds(lines: Sequence[str]) -> list[str]:
    """Only the kinds of told lines."""
    return [line.split()[1].rstrip(":") for line in lines]
