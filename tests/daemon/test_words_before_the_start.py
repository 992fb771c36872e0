"""What is written down before a start counts for it, however long the start waited for its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from asking_stage import ASKING, Sluggish, TopicBrake, Topics, asking, one
from claiming_stage import limited, peer
from msgspec.structs import replace
from stage import Brake, Disk, DiskScenery, Stage, book, kinds

from agent.actions import Ports, action
from agent.daemon.proposals import answer
from agent.daemon.scenes import Local
from agent.model import Blast, Effect, Kind, Mode, Refusal
from agent.rehearsal.memory_log import MemoryLog
from agent.rehearsal.virtual_time import run
from agent.rulebook import Rulebook


async def denied_while_it_begins(stage: Stage, journal: Sluggish) -> None:
    """Ann approves; Bob's denial holds the ledger's turn while the round heeds her word."""
    seen = one(stage).proposal
    await answer(stage.means, seen, "approve", "looked", "ann")
    journal.seconds = 3.0
    word = asyncio.ensure_future(answer(stage.means, seen, "deny", "not that one", "bob"))
    await asyncio.sleep(0.05)
    stage.daemon.wake()
    await stage.play(30)
    await word
    journal.seconds = 0
    await stage.play(40)
    await stage.crash()


def test_a_denial_that_was_taken_stops_what_waits_to_begin() -> None:
    async def story() -> Stage:
        journal = Sluggish()
        stage = await asking(journal=journal)
        await denied_while_it_begins(stage, journal)
        return stage

    stage = run(story())

    assert stage.disk.applied == 0
    assert kinds(stage.told()) == ["proposed", "operator", "operator", "refused"], stage.told()
    assert stage.told()[-1].endswith("denied by bob: not that one (mode)")


def test_its_claim_is_given_back() -> None:
    async def story() -> Stage:
        journal = Sluggish()
        stage = Stage(rules=ASKING, journal=journal)
        log = MemoryLog(stage.now)
        other = await peer(log, limited(stage, log))
        await stage.start()
        await stage.play(90, used=0.9)
        await denied_while_it_begins(stage, journal)
        assert not other.state.claims
        await other.close()
        return stage

    stage = run(story())

    assert stage.disk.applied == 0
    assert kinds(stage.told()) == ["proposed", "operator", "operator", "refused"], stage.told()


@action(blast=Blast.HOST, reversible=True)
class Meanwhile(TopicBrake):
    """Something is written while its plan is made."""

    what: Awaitable[object]
    written: asyncio.Future[object]

    async def plan(self, ports: Ports, *, target: str, rate: str = "") -> Effect | Refusal:
        """The first time only."""
        if not self.plans:
            self.written = asyncio.ensure_future(self.what)
            await asyncio.sleep(0.5)
        return await super().plan(ports, target=target, rate=rate)


def test_a_pause_that_is_being_written_stops_what_waits_to_begin() -> None:
    """It is not in the history yet when the plan is judged."""

    async def story() -> Stage:
        journal, disk = Sluggish(), Topics()
        stage = Stage(disk=disk, journal=journal)
        brake = Meanwhile(disk)
        stage.scenery = DiskScenery(disk)
        stage.scenery.actions = {"brake": brake}
        await stage.start()
        journal.seconds = 3.0
        brake.what = stage.order("pause", "hands off")
        await stage.play(90, used=0.9)
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.applied == 0
    assert kinds(stage.told()) == ["operator", "refused"], stage.told()


class SlowStopFile(Stage):
    """Somebody pauses while the stop file is read for the last look."""

    async def _local(self) -> Local:
        if [entry.kind for entry in self.entries()] == [Kind.STARTED]:
            await self.order("pause", "hands off")
        return await super()._local()


def test_the_last_look_sees_a_pause_that_was_ordered_since_the_start() -> None:
    async def story() -> Stage:
        stage = SlowStopFile()
        await stage.start()
        await stage.play(60, used=0.9)
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.applied == 0
    assert kinds(stage.told()) == ["started", "operator", "refused"], stage.told()


def twice() -> Rulebook:
    """Two alerts, each with a remedy for the same disk."""
    rules = book()
    rule, remedy = replace(rules.alerts[0], name="Fuller"), replace(rules.remedies["Full"], alert="Fuller")
    return replace(rules, rules=(*rules.rules, rule), remedies={**rules.remedies, "Fuller": remedy})


def test_of_two_that_wait_to_begin_on_one_target_one_does() -> None:
    """Neither was under way when the other was judged."""

    async def story() -> Stage:
        journal = Sluggish()
        stage = Stage(rules=twice(), disk=Disk(helps=False), journal=journal)
        await stage.start()
        journal.seconds = 1.0
        await stage.play(14, used=0.9)
        await stage.crash()
        return stage

    told = run(story()).told()

    assert kinds(told)[:2] == ["started", "refused"], told
    assert told[1].endswith("is under way on /d1 (one at a time)")


@action(blast=Blast.HOST, reversible=True)
class SlowPlan(Brake):
    """The alert ends while it is made."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self.begun = asyncio.Event()

    async def plan(self, ports: Ports, *, target: str) -> Effect | Refusal:
        """One change."""
        self.begun.set()
        self._disk.used = 0.5
        await asyncio.sleep(2.5)
        return await super().plan(ports, target=target)


def test_the_last_round_ends_nothing_behind_a_start_that_is_queued_when_the_agent_stops() -> None:
    """The attempt is cancelled, and what it had to write down is written all the same."""

    async def story() -> tuple[Stage, list[BaseException]]:
        journal, rules = Sluggish(), twice()
        remedies = {**rules.remedies, "Full": replace(rules.remedies["Full"], mode=Mode.OBSERVE)}
        stage = Stage(rules=replace(rules, remedies=remedies), journal=journal)
        brake = SlowPlan(stage.disk)
        stage.scenery = DiskScenery(stage.disk)
        stage.scenery.actions = {"brake": brake}
        await stage.start()
        await stage.play(30, used=0.9, fenced=frozenset({3}))
        await stage.play(0, fenced=frozenset())
        await brake.begun.wait()
        journal.seconds = 3.0  # Full is withdrawn all this time, and the start of Fuller queued behind it
        await stage.play(3)
        await stage.daemon.stop(handover=True)
        await stage.play(20)
        broken = list(stage.faults())
        await stage.crash()
        return stage, broken

    stage, broken = run(story())

    assert not broken
    assert kinds(stage.told()) == ["refused", "refused", "withdrawn", "started"], stage.told()
