"""Races of the loop, in virtual time: rounds beside an attempt, undo at any instant, a torn write."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace
from stage import Brake, Disk, DiskScenery, Stage, book, kinds
from stories import decision

from agent.actions import Ports
from agent.daemon.attempt import Attempt
from agent.daemon.scenes import Local
from agent.model import Effect, Entry, Kind, Limits, Rate, Seen
from agent.rehearsal.stage import START_MS, MemoryJournal
from agent.rehearsal.virtual_time import run


class Slow(Stage):
    """The look at the stop file takes two seconds: rounds turn meanwhile."""

    async def _local(self) -> Local:
        await asyncio.sleep(2)
        return await super()._local()


def test_a_round_between_start_and_effect_does_not_take_the_incident_from_its_attempt() -> None:
    """What was just written down is the attempt's until its last look is over: it is acted on once."""

    async def story() -> Stage:
        stage = Slow(disk=Disk())
        await stage.start()
        await stage.play(60, used=0.9)
        await stage.crash()
        return stage

    stage = run(story())

    assert kinds(stage.told()) == ["started", "done", "healed", "undone", "closed"], stage.told()
    assert stage.disk.applied == 1


def test_an_incident_is_not_withdrawn_under_its_attempt() -> None:
    """Refused once, tried again, and the alert ends meanwhile: the attempt ends before the incident does."""

    async def story() -> Stage:
        stage = Slow(disk=Disk())
        await stage.start()
        await stage.play(16, used=0.9, fenced=frozenset({3}))
        await stage.play(1.5, fenced=frozenset())
        await stage.play(40, used=0.5)
        assert not any(task.done() for task in stage._tasks), "no fault of ours ends the rounds"
        await stage.crash()
        return stage

    told = kinds(run(story()).told())

    assert told[0] == "refused"
    assert told[-1] in ("closed", "withdrawn")


def test_an_undo_asked_before_the_carrier_runs_is_not_lost() -> None:
    """Right after a restart nothing carries the incident yet: the order reaches it all the same."""

    async def story() -> Stage:
        stage = Stage(disk=Disk())
        await stage.start()
        await stage.play(13, used=0.9)
        await stage.crash()
        await stage.start()
        (standing,) = stage.daemon.standing()
        stage.daemon.ask_undo(standing, "undone by sre")
        await stage.play(10)
        await stage.crash()
        return stage

    told = run(story()).told()

    assert any("undone: undone by sre" in line for line in told), told


class Sluggish(MemoryJournal):
    """Writes for so long."""

    seconds = 0.0

    async def append(self, *entries: Entry) -> None:
        """In the end it does."""
        await asyncio.sleep(self.seconds)
        await super().append(*entries)


def test_what_ends_while_a_round_writes_another_end_is_not_ended_again() -> None:
    """By an attempt whose claim was in vain: an end that is not possible would end all rounds."""

    async def story() -> None:
        journal = Sluggish()
        stage = Stage(journal=journal)
        await stage.start()
        await stage.play(13)
        ledger = stage.daemon._means.ledger
        deciding = stage.daemon.crew.deciding
        for name in ("a", "b"):
            deciding[name] = Attempt(stage.daemon._means, decision(do="brake"))
            refused = replace(decision(), incident=name)
            await ledger.record(Entry(START_MS + 13_000, Kind.REFUSED, "no", name, decision=refused))
        journal.seconds = 2.0  # longer than between two rounds
        del deciding["a"]  # the next round ends it, behind what the attempt at b writes meanwhile
        await ledger.record(Entry(START_MS + 14_000, Kind.WITHDRAWN, "in vain", "b"))
        del deciding["b"]
        await stage.play(5)
        assert kinds(stage.told()) == ["refused", "refused", "withdrawn", "withdrawn"], stage.told()
        assert not any(task.done() for task in stage._tasks), "no fault of ours ends the rounds"
        await stage.crash()

    run(story())


def test_a_wait_that_ends_while_a_round_cuts_another_short_is_not_cut_short_again() -> None:
    """An attempt that could not write its last entry leaves a wait behind: the round that ends it ends no
    other that ended meanwhile."""

    async def story() -> None:
        journal = Sluggish()
        stage = Stage(journal=journal)
        await stage.start()
        await stage.play(13)
        ledger, deciding = stage.daemon._means.ledger, stage.daemon.crew.deciding
        for name in ("a", "b"):
            deciding[name] = Attempt(stage.daemon._means, decision(do="brake"))
            wanted = replace(decision(), incident=name)
            await ledger.record(Entry(START_MS + 13_000, Kind.WAITING, "no", name, decision=wanted, claim=1))
        journal.seconds = 2.0  # longer than between two rounds
        del deciding["a"]
        await ledger.record(Entry(START_MS + 14_000, Kind.WITHDRAWN, "in vain", "b"))
        del deciding["b"]
        await stage.play(8)
        ends = ["withdrawn", "refused", "withdrawn"]  # no alert of a's fires either
        assert kinds(stage.told()) == ["waiting", "waiting", *ends], stage.told()
        assert list(stage.faults()) == []
        await stage.crash()

    run(story())


class Stuck(Brake):
    """Cannot be taken back while its disk is broken."""

    plan = Brake.plan

    async def undo(self, effect: Effect, ports: Ports) -> Seen:
        """Once it is mended."""
        if self._disk.breaks:
            raise RuntimeError("it is stuck")
        return await super().undo(effect, ports)


def test_an_order_to_undo_is_over_once_nothing_stands() -> None:
    """It was for one step, and not for the next one."""

    async def story() -> Stage:
        stage = Stage(rules=book(2, limits=Limits(cooldown_ms=0, per_host=Rate(9, 3_600_000))))
        stage.scenery = scenery = DiskScenery(stage.disk)
        scenery.actions = {"brake": Stuck(stage.disk)}
        await stage.start()
        await stage.play(13, used=0.9, helps=False)
        await stage.play(40, breaks=True)
        (undoing,) = stage.daemon.standing()
        stage.daemon.ask_undo(undoing, "undone by sre")
        await stage.play(60, breaks=False)
        await stage.crash()
        return stage

    told = run(story()).told()

    assert kinds(told)[:8] == ["started", "done", "no", "undone"] * 2, told


def test_a_stop_before_the_first_round_undoes_what_stands() -> None:
    """Stopped right after its start, the agent leaves nothing reversible behind."""

    async def story() -> Stage:
        stage = Stage(disk=Disk())
        await stage.start()
        await stage.play(13, used=0.9)
        await stage.crash()
        await stage.start()
        await stage.daemon.stop(handover=False)
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.brake is None, stage.told()


def test_a_write_goes_on_when_its_caller_is_gone() -> None:
    """A client that hangs up during its `pause` leaves journal and history of one mind."""

    async def story() -> Stage:
        stage = Stage(disk=Disk())
        await stage.start()
        ledger = stage.daemon._means.ledger
        append = stage.journal.append

        async def slowly(*entries: Entry) -> None:
            await append(*entries)
            await asyncio.sleep(1)

        stage.journal.append = slowly  # type: ignore[method-assign]
        asking = asyncio.ensure_future(
            ledger.record(Entry(stage.now(), Kind.OPERATOR, "sre", question="pause"))
        )
        await asyncio.sleep(0.5)
        asking.cancel()
        await asyncio.sleep(2)
        assert ledger.history.paused(stage.now()) is not None
        await stage.crash()
        return stage

    run(story())
