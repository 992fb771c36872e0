"""A stage whose remedy asks a person first, and a journal whose disk takes its time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from msgspec.structs import replace
from stage import Brake, Disk, DiskScenery, Stage, book

from agent.actions import Ports, action
from agent.history import Incident
from agent.model import Blast, Change, Effect, Entry, Kind, Mode, Operation, Refusal, Seen
from agent.rehearsal.stage import MemoryJournal
from agent.rulebook import Rulebook

ASKING = book(mode=Mode.PROPOSE)


@dataclass
class Topics(Disk):
    """What the plan of the brake would touch now."""

    topics: tuple[str, ...] = ("a",)
    measured: int = 1_000


@action(blast=Blast.HOST, reversible=True)
class TopicBrake(Brake):
    """Brakes each topic that there is."""

    def __init__(self, disk: Topics) -> None:
        super().__init__(disk)
        self._all = disk
        self.plans = 0

    async def plan(self, ports: Ports, *, target: str, rate: str = "") -> Effect | Refusal:
        """A change for each."""
        self.plans += 1
        rate = rate or str(self._all.measured)
        resources = "disk/1", *(f"topic/{topic}" for topic in self._all.topics)
        changes = (Change(resource, "brake", Operation.SET, None, rate) for resource in resources)
        return Effect("brake", "broker-1", tuple(changes))

    async def observe(self, effect: Effect, ports: Ports) -> Seen:
        """By the first change."""
        return await super().observe(replace(effect, changes=effect.changes[:1]), ports)


async def asking(rules: Rulebook = ASKING, journal: MemoryJournal | None = None) -> Stage:
    """It has proposed to brake topic a."""
    disk = Topics()
    stage = Stage(rules=rules, disk=disk, journal=journal)
    stage.scenery = DiskScenery(disk)
    stage.scenery.actions = {"brake": TopicBrake(disk)}
    await stage.start()
    await stage.play(60, used=0.9)
    return stage


def one(stage: Stage) -> Incident:
    """The only incident."""
    (incident,) = stage.means.ledger.history.incidents.values()
    return incident


class Sluggish(MemoryJournal):
    """Takes so many seconds; `proposing` is set once it was given a proposal."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.proposing = asyncio.Event()

    async def append(self, *entries: Entry) -> None:
        """In the end it does."""
        if entries[-1].kind is Kind.PROPOSED:
            self.proposing.set()
        await asyncio.sleep(self.seconds)
        await super().append(*entries)
