"""What the journal is told of refusals: one entry for one reason, however its numbers move."""

from __future__ import annotations

from msgspec.structs import replace
from stage import DiskScenery, Stage, kinds

from agent.daemon.retold import RETOLD_MS
from agent.gate import World
from agent.rehearsal.virtual_time import run


class Reassigning(DiskScenery):
    """A cluster that somebody reassigns: each look counts fewer partitions."""

    left = 1_000_000

    def world(self) -> World:
        """One fewer than at the last look, until none is left."""
        self.left = max(self.left - 1, 0)
        return replace(super().world(), reassigning=self.left)


def reassigned() -> tuple[Stage, Reassigning]:
    stage = Stage()
    stage.scenery = Reassigning(stage.disk)
    return stage, stage.scenery


def test_a_count_that_moves_is_told_once_in_a_while() -> None:
    async def story() -> list[str]:
        stage, scenery = reassigned()
        await stage.start()
        await stage.play(2 * RETOLD_MS / 1_000 + 60, used=0.9)
        assert scenery.left < 999_900, "it was looked at often"
        await stage.crash()
        return stage.told()

    told = run(story())

    assert kinds(told) == ["refused"] * 3, told
    assert len(set(told)) == 3, "each with the number of its time"


def test_another_reason_is_told_at_once() -> None:
    async def story() -> list[str]:
        stage, _ = reassigned()
        await stage.start()
        await stage.play(60, used=0.9)
        await stage.play(60, left=0, fenced=frozenset({3}))
        await stage.play(60, fenced=frozenset({4}))
        await stage.crash()
        return stage.told()

    told = run(story())

    assert [line.partition("(")[2] for line in told] == ["coexistence)", "healthy elsewhere)"], told
