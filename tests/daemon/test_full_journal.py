"""While the journal cannot be written: nothing is begun, and what stands is put back all the same."""

from __future__ import annotations

from stage import Disk, DiskScenery, Stage, book

from agent.model import Sample, labels_of
from agent.rehearsal.virtual_time import run


class TwoDisks(DiskScenery):
    """Another patient of the same rule beside it."""

    other = 0.5

    async def read(self, now: int) -> list[Sample]:
        """Two samples."""
        return [*await super().read(now), Sample("used", labels_of({"path": "/d2"}), now, self.other)]


def test_a_lease_ends_though_another_incidents_end_cannot_be_written() -> None:
    """The round that fails with the journal has carried on what stands before."""

    async def story() -> Disk:
        stage = Stage(rules=book(1, lease_ms=60_000))
        stage.scenery = scenery = TwoDisks(stage.disk)
        await stage.start()
        await stage.play(14, used=0.9, helps=False)
        scenery.other = 0.9
        await stage.play(12)
        assert "refused: 2 patients are more than max_targets 1 (storm)" in stage.told()[-1]
        assert stage.disk.brake == "on"
        stage.journal.full = True
        scenery.other = 0.5  # its end is to be told, each round
        await stage.play(120, used=0.5)
        await stage.crash()
        return stage.disk

    assert run(story()).brake is None
