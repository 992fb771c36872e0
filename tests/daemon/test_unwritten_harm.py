"""What is found while the journal cannot be written, and must go, is put back, and told once it can."""

from __future__ import annotations

from typing import Any

import pytest
from failing_cluster import HOUR, Cluster, Failing, Slow, judged
from stage import Brake, Disk, Stage, kinds

from agent.actions import Ports, action
from agent.journal import JournalFailed
from agent.model import Blast, Effect, Entry, Kind, Refusal
from agent.rehearsal.stage import MemoryJournal
from agent.rehearsal.virtual_time import run

WORSE_IF = "increase(log_dir_failed_total[1m]) > 0"


async def on_stage(within_ms: int, *, helps: bool, lease_ms: int = HOUR) -> Stage:
    """The disk was braked 70 s ago."""
    rules = judged(within_ms, worse_if=WORSE_IF, lease_ms=lease_ms)
    stage = Stage(rules=rules, disk=Disk(helps=helps))
    stage.scenery = Cluster(stage.disk)
    await stage.start()
    await stage.play(80, used=0.9)
    assert stage.disk.brake == "on"
    return stage


async def ended(stage: Stage) -> list[str]:
    """What is told at its end."""
    told = stage.told()
    await stage.crash()
    return told


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("harm", [{"offline": 7}, {"failed": 1}], ids=str)
@pytest.mark.parametrize("seconds", [4, 90])
def test_it_is_put_back_while_it_cannot_be_written(seconds: float, harm: dict[str, Any], held: bool) -> None:
    """Also where what it did passes with the effect, before it can be told."""

    async def story() -> list[str]:
        stage = await on_stage(30_000 if held else 900_000, helps=held)
        stage.journal.full = True
        await stage.play(3, **harm)
        assert stage.disk.brake is None
        await stage.play(seconds, offline=0)
        stage.journal.full = False
        await stage.play(10)
        return await ended(stage)

    told = kinds(run(story()))
    assert told[-3:] == ["worse", "undone", "closed" if held else "escalated"]


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("by", ["the end of its lease", "a person"])
def test_it_is_harm_whatever_else_wants_it_undone_before_it_can_be_written(by: str, held: bool) -> None:
    """Without that verdict the ladder would begin it again once its cool-down is over."""

    async def story() -> list[str]:
        lease_ms = 120_000 if by == "the end of its lease" else HOUR
        stage = await on_stage(30_000 if held else 900_000, helps=held, lease_ms=lease_ms)
        stage.journal.full = True
        await stage.play(3, offline=7)
        if by == "a person":
            (name,) = stage.daemon.standing()
            stage.daemon.ask_undo(name, "alice: looks bad")
        await stage.play(60, offline=0, used=0.9)
        stage.journal.full = False
        await stage.play(120)
        assert (stage.disk.brake, stage.disk.applied) == (None, 1)
        return await ended(stage)

    told = run(story())
    assert kinds(told)[-3:] == ["worse", "undone", "escalated"]
    assert told[-2].endswith("undone: worse: partitions offline rose from 0 to 7")


def test_what_is_no_better_is_put_back_while_that_cannot_be_written() -> None:
    """Also where it would help by then, had it been left."""

    async def story() -> list[str]:
        stage = Stage(rules=judged(30_000), disk=Disk(helps=False))
        stage.scenery = Cluster(stage.disk)
        await stage.start()
        await stage.play(20, used=0.9)
        stage.journal.full = True
        await stage.play(30)
        assert stage.disk.brake is None
        await stage.play(10, used=0.5)
        stage.journal.full = False
        await stage.play(10)
        return await ended(stage)

    told = run(story())
    assert kinds(told) == ["started", "done", "no", "undone", "closed"]
    assert told[2].endswith('no better: not used{path="/d1"} < 0.7 within 30s')


def test_what_failed_is_put_back_while_that_cannot_be_written() -> None:
    """It stands in full, and would be taken for done."""

    async def story() -> list[str]:
        stage = Stage(rules=judged(900_000), disk=Disk(helps=False))
        stage.scenery = scenery = Cluster(stage.disk)
        scenery.actions = {"brake": Failing(stage.disk)}
        await stage.start()
        await stage.play(20, used=0.9)
        assert stage.disk.brake == "on"
        stage.journal.full = True
        await stage.play(30)
        assert stage.disk.brake is None
        stage.journal.full = False
        await stage.play(10)
        return await ended(stage)

    assert kinds(run(story())) == ["started", "failed", "undone", "escalated"]


def test_what_did_harm_is_not_applied_again() -> None:
    """It was half done: without its verdict that is what a restart leaves, and would be gone on with."""

    async def story() -> list[str]:
        stage = Stage(rules=judged(900_000))
        stage.scenery = scenery = Cluster(stage.disk)
        scenery.actions = {"brake": Slow(stage.disk)}
        await stage.start()
        await stage.play(14, used=0.9, helps=False)
        stage.journal.full = True
        await stage.play(60, offline=7)
        assert (stage.disk.brake, stage.disk.applied) == (None, 1)
        stage.journal.full = False
        await stage.play(10)
        return await ended(stage)

    assert kinds(run(story())) == ["started", "worse", "undone", "escalated"]


def test_what_fails_while_nobody_carries_it_is_compared_with_what_was_before() -> None:
    """Its carrier ended, since that it healed cannot be written."""

    async def story() -> list[str]:
        stage = Stage(rules=judged(30_000))
        stage.scenery = Cluster(stage.disk)
        await stage.start()
        await stage.play(12, used=0.9)
        stage.journal.full = True
        while stage.daemon.carriers:
            await stage.play(0.1)
        await stage.play(5, offline=7)
        stage.journal.full = False
        await stage.play(10)
        assert stage.disk.brake is None
        return await ended(stage)

    told = run(story())
    assert kinds(told) == ["started", "done", "worse", "undone", "closed"]
    assert told[2].endswith("partitions offline rose from 0 to 7")


class Hanging(MemoryJournal):
    """Its disk hangs from an entry of this kind on. That one is written once it answers, the others never."""

    def __init__(self, at: Kind) -> None:
        super().__init__()
        self._at: Kind | None = at
        self._late: tuple[Entry, ...] = ()

    async def append(self, *entries: Entry) -> None:
        """Whoever waits for it gives up."""
        if entries[0].kind is self._at:
            self._late, self._at = entries, None
        if self._late:
            raise JournalFailed("the disk hangs")
        await super().append(*entries)

    async def entries(self, after: int = 0) -> tuple[Entry, ...]:
        """Nor can it be read."""
        if self._late:
            raise JournalFailed("the disk hangs")
        return await super().entries(after)

    async def answers(self) -> None:
        """What hung is on disk."""
        late, self._late = self._late, ()
        await super().append(*late)


@action(blast=Blast.HOST, reversible=True, keeps=True)
class Mending(Brake):
    """What it mended stays."""

    async def plan(self, ports: Ports, *, target: str) -> Effect | Refusal:
        """As the brake's."""
        return await super().plan(ports, target=target)


@pytest.mark.parametrize("kept", [False, True])
def test_what_was_put_back_is_not_told_as_healed_though_that_was_written(kept: bool) -> None:
    """That it healed hung, the symptom came again, and it was put back meanwhile: on disk it was `held`, or
    `what was mended stays`."""

    async def story() -> list[str]:
        journal = Hanging(Kind.HEALED)
        rules = judged(30_000, lease_ms=None if kept else HOUR)
        stage = Stage(rules=rules, disk=Disk(), journal=journal)
        stage.scenery = scenery = Cluster(stage.disk)
        scenery.actions = {"brake": Mending(stage.disk) if kept else Brake(stage.disk)}
        await stage.start()
        await stage.play(23, used=0.9)
        await stage.play(60, used=0.9, helps=False)
        assert (stage.disk.brake, stage.disk.applied) == (None, 1)
        await journal.answers()
        await stage.play(10)
        (one, *_) = stage.means.ledger.history.incidents.values()
        assert (one.mended, stage.means.ledger.history.unverified) == (False, 1)
        return await ended(stage)

    told = run(story())
    assert kinds(told)[:6] == ["started", "done", "healed", "no", "undone", "escalated"]
    assert told[4].endswith('undone: no better: not used{path="/d1"} < 0.7 within 30s')
    assert told[5].endswith("escalated: no better after the last step: a person is needed")


def test_what_failed_is_not_told_as_done_though_that_was_written() -> None:
    """That it stood hung, and a person changed it before anybody looked again."""

    async def story() -> list[str]:
        journal = Hanging(Kind.DONE)
        stage = Stage(rules=judged(900_000), disk=Disk(helps=False), journal=journal)
        stage.scenery = Cluster(stage.disk)
        await stage.start()
        await stage.play(11, used=0.9)
        await stage.play(20, brake="theirs")
        await journal.answers()
        await stage.play(10)
        assert (stage.disk.brake, stage.means.ledger.history.unverified) == ("theirs", 1)
        return await ended(stage)

    told = run(story())
    assert kinds(told)[:5] == ["started", "done", "failed", "undone", "escalated"]
    assert (
        "undone: failed: found when it was taken up again: 0 of 1 changes stand as ours, 1 as others'; "
        in told[3]
    )
    assert told[4].endswith("failed after the last step: a person is needed")
