"""What is found while the journal cannot be written, and must go, is put back, and told once it can."""

from __future__ import annotations

from typing import Any

import pytest
from failing_cluster import HOUR, Cluster, Failing, Slow, judged
from stage import Disk, Stage, kinds

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
