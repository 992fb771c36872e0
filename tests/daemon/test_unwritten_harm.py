"""Harm that is found while the journal cannot be written is put back, and told once it can."""

from __future__ import annotations

from typing import Any

import pytest
from failing_cluster import Cluster, Slow, judged
from stage import Disk, Stage, kinds

from agent.rehearsal.virtual_time import run

WORSE_IF = "increase(log_dir_failed_total[1m]) > 0"


async def on_stage(within_ms: int, *, helps: bool) -> Stage:
    """The disk was braked 70 s ago."""
    stage = Stage(rules=judged(within_ms, worse_if=WORSE_IF), disk=Disk(helps=helps))
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
