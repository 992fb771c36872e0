"""While the journal cannot be written: nothing is begun, and what stands is put back all the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from failing_cluster import Slow
from full_journal import agent_without_room
from stage import DiskScenery, Stage, book

from agent.assembly.service import make_service
from agent.daemon.desk import Desk
from agent.daemon.scenes import Local
from agent.journal import JournalFailed
from agent.model import Entry, Kind, Limits, Rate, Sample, labels_of
from agent.rehearsal.stage import MemoryJournal
from agent.rehearsal.virtual_time import run
from agent.rulebook import Rulebook
from agent.surface import Refused


class TwoDisks(DiskScenery):
    """Another patient of the same rule beside it."""

    other = 0.5

    async def read(self, now: int) -> list[Sample]:
        """Two samples."""
        return [*await super().read(now), Sample("used", labels_of({"path": "/d2"}), now, self.other)]


async def orders_undo(stage: Stage) -> None:
    """A person does, at the real desk."""
    unasked: Any = None
    desk = Desk("broker-2", "0", stage.means, stage.daemon, [], unasked, 0)
    with pytest.raises(Refused, match=r"put back as ordered, but shown as standing .*: disk full"):
        await desk.undo(None, "ann")


def played(story: Callable[[Stage], Awaitable[None]], stage: Stage) -> Stage:
    """The story, in virtual time, on a disk that is braked when it begins; then the journal is full."""

    async def whole() -> None:
        await stage.start()
        await stage.play(14, used=0.9, helps=False)
        assert stage.disk.brake == "on"
        await story(stage)
        await stage.crash()

    run(whole())
    return stage


def test_a_lease_ends_though_another_incidents_end_cannot_be_written() -> None:
    """The round that fails with the journal has carried on what stands before."""

    stage = Stage(rules=book(1, lease_ms=60_000))
    stage.scenery = scenery = TwoDisks(stage.disk)

    async def story(stage: Stage) -> None:
        scenery.other = 0.9
        await stage.play(12)
        assert "refused: 2 patients are more than max_targets 1 (storm)" in stage.told()[-1]
        stage.journal.full = True
        scenery.other = 0.5  # its end is to be told, each round
        await stage.play(120, used=0.5)

    assert played(story, stage).disk.brake is None


def test_what_a_person_orders_is_undone() -> None:
    """And is told once that can be written."""

    async def story(stage: Stage) -> None:
        stage.journal.full = True
        await orders_undo(stage)
        await stage.play(2)
        assert stage.disk.brake is None
        stage.journal.full = False
        await stage.play(10)

    stage = played(story, Stage(rules=book(1)))
    assert any("undone: undone by ann" in line for line in stage.told()), stage.told()


def test_what_a_person_ordered_to_be_undone_is_not_applied_again() -> None:
    """Its undo could not be written down, so that it counts as half done: the order holds on."""

    async def story(stage: Stage) -> None:
        stage.journal.full = True
        await orders_undo(stage)
        await stage.play(60)
        assert stage.disk.brake is None
        stage.journal.full = False
        await stage.play(10)

    stage = Stage(rules=book(1))
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Slow(stage.disk)}
    played(story, stage)
    assert stage.disk.applied == 1
    assert [line.split(": ", 1)[1] for line in stage.told()][1] == "undone by ann"


class OrderedEarly(Stage):
    """A person orders the undo once the start is written; the last look refuses it as the journal fills."""

    ordered = False

    async def _local(self) -> Local:
        if self.daemon.standing() and not self.ordered:
            self.ordered = True
            self.daemon.ask_undo(self.daemon.standing()[0], "undone by ann")
            self.journal.full, self.stop_file = True, "disks are exchanged"
        return await super()._local()


@pytest.mark.parametrize("stopped", [False, True])
def test_what_a_person_ordered_before_it_was_begun_is_not_begun(stopped: bool) -> None:
    """That the start was taken back could not be written down: the order holds on. Nor does it stand for as
    long as the stop file does, as there is nothing to put back."""

    async def story() -> None:
        await stage.start()
        await stage.play(14, used=0.9)
        assert (len(stage.told()), stage.journal.full) == (1, True)
        stage.stop_file = stage.stop_file if stopped else None
        await stage.play(10)
        stage.journal.full = False
        await stage.play(10)
        assert not stage.daemon.standing()
        stage.stop_file = None
        await stage.play(10)
        await stage.crash()

    stage = OrderedEarly(rules=book(1))
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Slow(stage.disk)}
    run(story())
    assert stage.disk.applied == 0
    words = "the stop file stands: disks are exchanged; undone by ann (stop file)"
    assert stage.told()[1].endswith(f"refused: {words}")
    assert stage.means.ledger.history.starts == ()


class Refusing(Stage):
    """Its last look refuses the start as the journal fills."""

    async def _local(self) -> Local:
        if len(self.entries()) == 1:
            self.journal.full, self.stop_file = True, "disks are exchanged"
        return await super()._local()


def test_what_was_taken_back_is_not_begun_though_that_could_not_be_written() -> None:
    """It was taken for what a restart leaves half done, and applied without a look; or told as failed."""

    async def story() -> None:
        await stage.start()
        await stage.play(14, used=0.9)
        stage.stop_file = None
        await stage.play(10)
        assert (stage.disk.applied, len(stage.told())) == (0, 1)
        stage.journal.full = False
        await stage.play(3)
        await stage.crash()

    stage = Refusing(rules=book(1))
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Slow(stage.disk)}
    run(story())
    assert stage.disk.applied == 0
    assert stage.told()[1].endswith("refused: the stop file stands: disks are exchanged (stop file)")


class Hesitating(MemoryJournal):
    """Says of its n-th start that it failed, and has written it."""

    def __init__(self, start: int = 1) -> None:
        super().__init__()
        self._left = start

    async def append(self, *entries: Entry) -> None:
        """Once."""
        await super().append(*entries)
        self._left -= entries[0].kind is Kind.STARTED
        if self._left == 0 and entries[0].kind is Kind.STARTED:
            raise JournalFailed("disk full")


def test_what_is_found_to_have_started_is_not_begun() -> None:
    """Nobody asked the gate once more."""

    async def story() -> None:
        await stage.start()
        await stage.play(16, used=0.9)
        await stage.crash()

    stage = Stage(rules=book(1), journal=Hesitating())
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Slow(stage.disk)}
    run(story())
    assert stage.disk.applied == 0
    words = "refused: its start was cut short, and nothing was sent (the instant of effect)"
    assert stage.told()[1].endswith(words)


def ladder(steps: int) -> Rulebook:
    """Whose steps follow each other at once."""
    return book(steps, limits=Limits(cooldown_ms=0, per_host=Rate(20, 3_600_000)))


class RefusingNext(Stage):
    """Its last look refuses the second start as the journal fills."""

    async def _local(self) -> Local:
        begun = [e.kind for e in self.entries()].count(Kind.STARTED)
        if begun == 2 and not self.journal.full:
            self.journal.full, self.stop_file = True, "disks are exchanged"
        return await super()._local()


async def restarted(stage: Stage) -> None:
    """Its first step does not help, and stands when the agent begins anew."""
    await stage.start()
    await stage.play(14, used=0.9, helps=False)
    await stage.crash()
    await stage.start()


def test_the_next_step_that_was_taken_back_after_a_restart_is_not_begun() -> None:
    """Its incident stood when this life began, by the step before: it was applied past the stop file."""

    async def story() -> None:
        await restarted(stage)
        await stage.play(60)
        assert stage.journal.full
        stage.stop_file = None
        await stage.play(10)
        assert stage.disk.applied == 1
        stage.journal.full = False
        await stage.play(10)
        await stage.crash()

    stage = RefusingNext(rules=ladder(2))
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Slow(stage.disk)}
    run(story())
    assert stage.told()[5].endswith("refused: the stop file stands: disks are exchanged (stop file)")


def test_the_next_step_that_is_found_to_have_started_after_a_restart_is_not_told_as_failed() -> None:
    """Nothing of it was sent: it is tried anew, and counts as no start."""

    async def story() -> None:
        await restarted(stage)
        await stage.play(40)
        await stage.crash()

    stage = Stage(rules=ladder(2), journal=Hesitating(2))
    run(story())
    words = "refused: its start was cut short, and nothing was sent (the instant of effect)"
    assert stage.told()[5].endswith(words)


def test_what_a_person_orders_after_a_restart_is_undone() -> None:
    """What the former life came to need not be written down first."""

    async def story(stage: Stage) -> None:
        await stage.crash()
        stage.journal.full = True
        await stage.start()
        await orders_undo(stage)
        await stage.play(10)

    stage = Stage(rules=book(1))
    stage.scenery = scenery = DiskScenery(stage.disk)
    scenery.actions = {"brake": Slow(stage.disk)}
    assert played(story, stage).disk.brake is None


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's path."""
    path = Path(tempfile.mkdtemp(prefix="ottla-"))
    yield path
    shutil.rmtree(path)


async def test_an_agent_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it cannot write down that it did: who else would put back what stands?"""
    service = await make_service(await agent_without_room(folder, monkeypatch))
    told: list[str] = []

    def ready(address: str) -> None:
        told.append(address)
        service.desk.end.set()

    async with asyncio.timeout(60):
        await service.run(ready)
    assert told
    assert "full" in str(service.ledger.failed)


def test_a_lease_ends_after_a_restart() -> None:
    """Whose claims wait, too: that they are gone cannot be written down."""

    async def story(stage: Stage) -> None:
        await stage.crash()
        stage.journal.full = True
        stage.disk.used = 0.5
        await stage.start()
        await stage.play(80)

    assert played(story, Stage(rules=book(1, lease_ms=60_000))).disk.brake is None
