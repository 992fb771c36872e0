"""A remedy that is changed between a decision and its first effect, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from claiming_stage import RatedBrake, braking, giving, limited, pause_fleet, peer, reload
from msgspec.structs import replace
from stage import Brake, Disk, DiskScenery, Stage, book, kinds

from agent.model import Effect, Entry, Kind, Mode, Step
from agent.rehearsal.memory_log import MemoryLog
from agent.rehearsal.virtual_time import run
from agent.rulebook import Rulebook

TYPO, MEANT = braking("10kB"), braking("10MB")
(RATED,) = MEANT.remedies["Full"].steps
LEASED = giving(replace(RATED, lease_ms=60_000))
UNVERIFIED = giving(replace(RATED, verify=None))


def started(stage: Stage) -> list[Entry]:
    """What was begun."""
    return [entry for entry in stage.entries() if entry.kind is Kind.STARTED]


async def changed_while_it_waits(before: Rulebook, after: Rulebook) -> tuple[Stage, set[int]]:
    """A claim waits, since the fleet is paused; the rules are others; the pause ends. The claims that were
    open when it did, too."""
    stage = Stage(rules=before, disk=Disk())
    log = MemoryLog(stage.now)
    other = await peer(log, limited(stage, log, RatedBrake))
    await stage.start()
    await stage.play(2)
    offset = await pause_fleet(other, on=True)
    await stage.play(60, used=0.9)
    assert kinds(stage.told())[-1] == "waiting"
    reload(stage, after)
    await stage.play(10)
    claims = set(other.state.claims)
    await pause_fleet(other, on=False, expect=offset)
    await stage.play(90)
    assert not other.state.claims
    await other.close()
    await stage.crash()
    return stage, claims


@pytest.mark.parametrize("before", [TYPO, LEASED, UNVERIFIED], ids=["argument", "lease", "verify"])
def test_what_waits_for_its_claim_is_decided_anew(before: Rulebook) -> None:
    stage, _ = run(changed_while_it_waits(before, MEANT))

    (one,) = started(stage)
    (step,) = MEANT.remedies["Full"].steps
    assert one.decision is not None
    assert (one.decision.args, one.decision.lease_ms) == (step.args, step.lease_ms), stage.told()
    assert one.decision.verify is not None
    told = "refused: the remedy was changed since this was decided (mode)"
    assert sum(told in line for line in stage.told()) == 1, stage.told()
    assert len({entry.incident for entry in stage.entries() if entry.incident}) == 1


def test_what_stays_as_it_is_keeps_its_place() -> None:
    """Other rules, the same remedy: nothing is given back and asked for again."""
    stage, _ = run(changed_while_it_waits(MEANT, replace(MEANT, digest="other")))

    assert len(started(stage)) == 1
    assert "refused" not in kinds(stage.told())


def test_a_remedy_that_only_observes_now_gives_its_claim_back_while_it_waits() -> None:
    stage, open_before = run(changed_while_it_waits(MEANT, braking("10MB", Mode.OBSERVE)))

    assert not open_before
    assert started(stage) == []
    assert stage.told()[-1].endswith("mode is observe: would have done brake on /d1 (mode)")


def test_a_change_while_the_plan_is_made_keeps_the_former_from_beginning() -> None:
    class Reloading(Brake):
        """Its plan takes as long as a reload."""

        async def plan(self, ports: object, *, target: str) -> Effect:
            """What the former rules want."""
            if stage.rules is former:
                reload(stage, now)
                await asyncio.sleep(2)
            plan = await Brake.plan(self, ports, target=target)  # type: ignore[arg-type]
            assert isinstance(plan, Effect)
            return plan

    async def story() -> None:
        await stage.start()
        await stage.play(60, used=0.9)
        await stage.crash()

    step = book().remedies["Full"].steps[0]
    former, now = giving(step), giving(replace(step, lease_ms=60_000))
    stage = Stage(rules=former, disk=Disk())
    stage.scenery = DiskScenery(stage.disk)
    stage.scenery.actions = {"brake": Reloading(stage.disk)}
    run(story())

    assert [entry.decision and entry.decision.lease_ms for entry in started(stage)] == [60_000], stage.told()


def test_what_has_begun_goes_on_as_it_was_decided() -> None:
    async def story(stage: Stage) -> Stage:
        await stage.start()
        await stage.play(14, used=0.9)
        assert kinds(stage.told())[:2] == ["started", "done"], stage.told()
        reload(stage, giving(replace(step, lease_ms=60_000)))
        await stage.play(30)
        await stage.crash()
        return stage

    step: Step = book().remedies["Full"].steps[0]
    told = run(story(Stage(rules=giving(step), disk=Disk()))).told()

    assert kinds(told) == ["started", "done", "healed", "undone", "closed"], told
