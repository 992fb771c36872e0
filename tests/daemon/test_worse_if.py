"""`worse_if` looks at all that was since the effect began: while it is applied, verified, after a restart."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from stage import Brake, Disk, DiskScenery, Stage, book

from agent.actions import Ports
from agent.model import Effect, Sample, Verify
from agent.rehearsal.virtual_time import run
from agent.rulebook import Rulebook

FAILED = "log_dir_failed_total"


class Slow(Brake):
    """Takes three minutes, as a drain may."""

    plan = Brake.plan  # the action's schema is looked for in its own class

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """At their end."""
        await asyncio.sleep(180)
        await super().apply(effect, ports)


class Dirs(DiskScenery):
    """Log dirs may fail beside it."""

    failed = 0

    async def read(self, now: int) -> list[Sample]:
        """Two samples."""
        return [*await super().read(now), Sample(FAILED, (), now, float(self.failed))]


def worse_if_a_dir_fails() -> Rulebook:
    """A window of five minutes, within a verification of fifteen."""
    rules = book()
    remedy = rules.remedies["Full"]
    step = replace(remedy.steps[0], verify=Verify('used{path="$path"} < 0.7', 900_000, 5_000))
    remedy = replace(remedy, steps=(step,), worse_if=f"increase({FAILED}[5m]) > 0")
    return replace(rules, remedies={"Full": remedy})


async def story(slow: bool, restart: bool, fails: int) -> list[str]:
    """Begun at 10 s; restarted at 100 s; a dir fails at the given second."""
    stage = Stage(rules=worse_if_a_dir_fails(), disk=Disk(helps=False))
    stage.scenery = scenery = Dirs(stage.disk)
    scenery.actions = {"brake": (Slow if slow else Brake)(stage.disk)}
    await stage.start()
    await stage.play(100, used=0.9)
    if restart:
        await stage.crash()
        await stage.start()
    await stage.play(fails - 100)
    await stage.play(600, failed=1)
    told = stage.told()
    await stage.crash()
    return told


@pytest.mark.parametrize(
    ("slow", "restart", "fails"),
    [(True, False, 180), (False, False, 200), (False, True, 200)],
    ids=["while it is applied", "while it is verified", "after a restart"],
)
def test_what_fails_within_the_window_after_the_beginning_is_worse(
    slow: bool, restart: bool, fails: int
) -> None:
    """As soon as the window lies after the beginning."""
    told = run(story(slow, restart, fails))
    assert [line.split(":")[0].strip() for line in told[1:3]] == [
        "190 done" if slow else "10 done",
        "310 worse",
    ]
