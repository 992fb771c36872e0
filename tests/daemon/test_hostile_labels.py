"""Alerts whose labels break expressions, or are too long for one: nothing stands for ever by that."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from stage import Disk, DiskScenery, Stage, book, kinds
from stories import decision

from agent.daemon.sight import judged_by
from agent.model import Sample, Verify, labels_of
from agent.rehearsal.virtual_time import run

HOSTILE = "x'} or vector(1) or up{a='"
LONG = "/" + "d" * 10_000  # an expression has room for 10,000 characters


class Labelled(DiskScenery):
    """Its disk is called so."""

    path = ""

    async def read(self, now: int) -> list[Sample]:
        """One sample."""
        self._at = now
        return [Sample("used", labels_of({"path": self.path}), now, self.disk.used)]


def story(path: str, *, verify: str = "used{path='$path'} < 0.7", **more: object) -> Stage:
    """Two minutes in which the disk with this path is full, until it is braked."""
    rules = book()
    one = rules.remedies["Full"]
    step = replace(one.steps[0], verify=Verify(verify, 30_000, 5_000))
    rules = replace(rules, remedies={"Full": replace(one, steps=(step,), **more)})

    async def played() -> Stage:
        stage = Stage(rules=rules, disk=Disk())
        stage.scenery = scenery = Labelled(stage.disk)
        scenery.path = path
        await stage.start()
        await stage.play(120, used=0.9)
        await stage.crash()
        return stage

    return run(played())


@pytest.mark.parametrize("path", ["/it's", '/a"b', "/a\\b", HOSTILE])
def test_what_such_a_label_started_is_verified(path: str) -> None:
    """In quotes that `rules check` accepts: the task that asked ended each second, and held its claim."""
    told = kinds(story(path, worse_if="used{path=`$path`} > 0.99").told())

    assert told == ["started", "done", "healed", "undone", "closed"]


@pytest.mark.parametrize("path", ["/it's", '/a"b', "/a\\b", HOSTILE])
def test_an_unless_asks_of_just_this_label(path: str) -> None:
    """It said nothing at all, or asked for something else."""
    (first, *_) = story(path, unless=("used{path='$path'} > 0.8",)).told()

    assert first.split(": ")[:2] == ["  10 refused", "unless"]
    assert "unknown" not in first


def test_where_no_expression_has_room_for_it_nothing_is_proven() -> None:
    """It did not help, as far as anybody can say, and is undone."""
    told = kinds(story(LONG, worse_if="used{path='$path'} > 0.99").told())

    assert told[:4] == ["started", "done", "no", "undone"]


def test_an_unless_objects_where_no_expression_has_room_for_it() -> None:
    """Nobody can say whether it has a result."""
    (first, *_) = story(LONG, unless=("used{path='$path'} > 0.99",)).told()

    assert "(unknown: longer than 10000 characters)" in first


def test_what_an_older_journal_keeps_of_such_a_label_keeps_no_agent_from_starting() -> None:
    """What stands was decided with an expression that is none."""
    broken = replace(decision(), verify=Verify("up{path='it's'} > 0", 60_000, 0), worse_if="up > 1")

    assert list(judged_by([broken])) == ["up > 1"]
