"""A carrier and the sweep beside it: each claim has one who closes it, and none before it is settled
(coordination.md section 4, rules 5 and 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fenced_cluster import TIMES, boot_ms
from fenced_fleet import EFFECT, UNSET, Fleet, play
from msgspec.structs import replace
from stories import decision
from written_throttle import Clear

from agent.actions import Ports
from agent.daemon.carry import Carrier
from agent.daemon.evidence import Evidence
from agent.daemon.ledger import Ledger
from agent.journal import JournalFailed
from agent.kafka.errors import KafkaInDoubt
from agent.model import Change, Effect, Entry, Kind, Operation, Seen, Settle
from agent.rehearsal.stage import MemoryJournal
from agent.verify import View
from agent.wire import decode, encode

OF = decision(do="throttle_replication")
LATE = 70.0  # seconds until what nobody answered lands: the list's entries


async def knows(fleet: Fleet, *after: Kind, lease: int | None = None, effect: Effect = EFFECT) -> None:
    """Agent 1's journal has a start under the fleet's claim, and what came after it; no attempt holds it."""
    one: Any = fleet.agents[1]
    until, of = None if lease is None else boot_ms() + lease, replace(OF, do=effect.action)
    begun = Entry(0, Kind.STARTED, "so", OF.incident, decision=of, effect=effect, claim=fleet.claim)
    told = [replace(begun, until=until)]
    told += [Entry(1 + n, kind, "so", OF.incident) for n, kind in enumerate(after)]
    one.ledger = Ledger(MemoryJournal(), lambda _: None)  # type: ignore[arg-type]  # the same three methods
    for entry in told:
        await one.ledger.record(entry)
    one.claims.clear()
    one.sight = lambda: SimpleNamespace(world=lambda: None)


async def reads_again(one: Any, journal: MemoryJournal) -> None:
    """Its journal, in another life."""
    journal.lines = list(one.ledger._journal.lines)
    one.ledger = Ledger(journal, lambda _: None)  # type: ignore[arg-type]  # the same three methods
    await one.ledger.open()


async def sent_in_doubt(fleet: Fleet) -> None:
    """Agent 1 sent the first change, and nobody answers."""
    fleet.cluster.fate, fleet.cluster.late = "late", LATE
    with pytest.raises(KafkaInDoubt):
        await fleet.hold()
    fleet.cluster.fate = "done"


def test_the_sweep_leaves_what_a_carrier_still_settles() -> None:
    """Its incident has ended, and a request of it may still land."""

    async def story(fleet: Fleet) -> None:
        await sent_in_doubt(fleet)
        await knows(fleet, Kind.FAILED)
        one: Any = fleet.agents[1]
        begun = boot_ms()
        await Carrier(one, OF.incident).carry(resumed=True)
        assert boot_ms() - begun >= TIMES.e_controller
        assert fleet.agents[1].control.claim_called(fleet.claim) is None
        assert fleet.cluster.values == {"topic/orders": UNSET["topic/orders"]}
        assert not one.claims

    play(story)


def test_the_sweep_closes_nothing_before_it_is_settled() -> None:
    """Who carried it ended with its journal, and the incident is over."""

    async def story(fleet: Fleet) -> None:
        await sent_in_doubt(fleet)
        await knows(fleet, Kind.FAILED, Kind.UNDONE)
        begun = boot_ms()
        assert await fleet.closed(1) - begun >= TIMES.e_controller
        assert fleet.cluster.values == {"topic/orders": UNSET["topic/orders"]}

    play(story)


class GoesOn:
    """An action that is finished after a restart; whether its claim was in hand whenever it was."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        self.held: list[bool] = []
        self._holds = holds

    async def observe(self, _effect: Effect, _ports: Ports) -> Seen:
        """Nothing of it yet."""
        return Seen((), (), ())

    def settle(self, _effect: Effect, _seen: Seen) -> Settle:
        """Whatever stands."""
        return Settle.APPLY

    async def apply(self, _effect: Effect, _ports: Ports) -> None:
        """What is sent before is refused, and the remedy failed."""
        self.held.append(self._holds())


def test_who_was_restarted_goes_on_once_it_has_adopted_its_claim() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold(by_anyone=False)
        await fleet.agents[1].die()
        one: Any = await fleet.start(1)
        fleet.log.unwritable = "it takes no adoption yet"
        await knows(fleet)
        assert one.control.own_claim(fleet.claim) is not None
        assert not one.control.in_hand(fleet.claim), "it is a former life's still"
        one.actions["throttle_replication"] = action = GoesOn(lambda: one.control.in_hand(fleet.claim))
        carrier = Carrier(one, OF.incident)
        carrying = asyncio.ensure_future(carrier.carry(resumed=True))
        await asyncio.sleep(3)
        assert (action.held, carrier.trouble) == ([], "its claim must be adopted first")
        fleet.log.unwritable = ""
        async with asyncio.timeout(60):
            while not action.held:
                await asyncio.sleep(0.1)
        assert action.held == [True]
        carrying.cancel()

    play(story)


def test_what_is_half_done_and_may_not_go_on_after_a_restart_is_put_back() -> None:
    """It is not refused as what was never begun: that would say that nothing stands, and count no start."""
    before = {
        "follower.replication.throttled.rate": "5000000",
        "leader.replication.throttled.rate": "5000000",
    }
    clears = tuple(Change("broker/1", key, Operation.DELETE, rate, None) for key, rate in before.items())
    effect = Effect("clear_leftover_throttle", "broker-1", clears)

    async def story(fleet: Fleet) -> None:
        await fleet.claims(effect, "throttle", "x:broker/1")
        await fleet.agents[1].die()
        fleet.cluster.values["broker/1"] = dict([*before.items()][1:])
        one: Any = await fleet.start(1)
        await knows(fleet, effect=effect)
        pause = {"on": True, "selector": "*", "for": 0, "reason": "a rack moves", "by": "ann", "expect": -1}
        await fleet.agents[2].control.order("pause", pause)
        await Carrier(one, OF.incident).carry(resumed=True)
        told = [entry.kind for entry in map(decode, one.ledger._journal.lines)]
        assert told == [Kind.STARTED, Kind.FAILED, Kind.UNDONE]
        assert fleet.cluster.values["broker/1"] == before
        assert len(one.ledger.history.starts) == 1

    play(story)


def test_an_undo_ends_once_another_has_closed_its_claim() -> None:
    """However often it was tried before: who closed it has undone it."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await knows(fleet, Kind.FAILED)
        one: Any = fleet.agents[1]
        fleet.cluster.dead.add(1)
        carrier = Carrier(one, OF.incident)
        carrying = asyncio.ensure_future(carrier.carry())
        await asyncio.sleep(5)
        assert "dead" in carrier.trouble
        await one.control.release(fleet.claim, "undone")
        fleet.cluster.dead.clear()
        async with asyncio.timeout(60):
            await carrying
        assert "its claim is not ours any more (undone): left alone" in carrier.incident.reason

    play(story)


def test_what_helped_and_another_has_ended_is_held_no_more() -> None:
    """A peer undid it while this agent was cut off: nothing of it stands, whatever is left of the lease."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await knows(fleet, Kind.DONE, Kind.HEALED, lease=600_000)
        one: Any = fleet.agents[1]
        carrier = Carrier(one, OF.incident)
        carrying = asyncio.ensure_future(carrier.carry())
        await asyncio.sleep(5)
        assert carrier.incident.stands
        await one.control.release(fleet.claim, "undone")
        async with asyncio.timeout(5):
            await carrying
        assert carrier.incident.reason.startswith("another ended it; its claim is not ours any more (undone)")

    play(story)


@pytest.mark.parametrize("by", ["a person", "the end of its lease"])
def test_an_undo_is_written_down_before_its_request_and_in_doubt_after_a_crash(by: str) -> None:
    """`ottla undo`, an agent that stops, and a lease: no verdict says that it must go."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await knows(fleet, Kind.DONE, Kind.HEALED, lease=600_000 if by == "a person" else 1_000)
        one: Any = fleet.agents[1]
        fleet.cluster.fate, fleet.cluster.late, before = "late", LATE, fleet.cluster.writes
        carrier = Carrier(one, OF.incident)
        carrying = asyncio.ensure_future(carrier.carry())
        if by == "a person":
            carrier.ask_undo("undone by ann")
        async with asyncio.timeout(30):
            while fleet.cluster.writes == before:
                await asyncio.sleep(0.001)
        carrying.cancel()  # killed, its request under way
        await asyncio.gather(carrying, return_exceptions=True)
        fleet.cluster.fate = "done"
        await reads_again(one, MemoryJournal())
        begun = boot_ms()
        again = Carrier(one, OF.incident)
        await again.carry(resumed=True)
        assert boot_ms() - begun >= TIMES.act + TIMES.e_controller
        assert fleet.cluster.values == UNSET
        assert again.incident.reason == ("undone by ann" if by == "a person" else "the lease ended")
        assert fleet.agents[1].control.end_of(fleet.claim) == "done"

    play(story)


class Full(MemoryJournal):
    """Has no room for what is said of an undo that begins."""

    async def append(self, *entries: Entry) -> None:
        if entries[0].kind is Kind.UNDOING:
            raise JournalFailed("disk full")
        await super().append(*entries)


def test_a_journal_that_cannot_be_written_keeps_nothing_from_being_put_back() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await knows(fleet, Kind.DONE, Kind.HEALED, lease=600_000)
        one: Any = fleet.agents[1]
        await reads_again(one, Full())
        carrier = Carrier(one, OF.incident)
        carrier.ask_undo("undone by ann")
        await carrier.carry()
        assert fleet.cluster.values == UNSET
        assert carrier.incident.reason == "undone by ann"

    play(story)


class Harmful(Clear):
    """It got worse."""

    def view(self, *_: object, **__: object) -> Any:
        """By its rule's own words."""
        return View(boot_ms(), False, None, True, None, None)


@pytest.mark.parametrize("by", ["harm", "a person"])
def test_what_an_unwritten_undo_sent_is_settled_by_the_next_carrier(by: str) -> None:
    """Nobody answered the first request of that undo, which may still land."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await knows(fleet, Kind.DONE)
        one: Any = fleet.agents[1]
        journal, one.sight = MemoryJournal(), Harmful if by == "harm" else Clear
        await reads_again(one, journal)
        journal.full = True
        fleet.cluster.fate, fleet.cluster.late = "late", LATE
        evidence = Evidence(one, OF.incident)
        first, again = (Carrier(one, OF.incident, evidence) for _ in range(2))
        if by == "a person":
            for carrier in (first, again):
                carrier.ask_undo("undone by ann")
        carrying = asyncio.ensure_future(first.carry())
        async with asyncio.timeout(30):
            while "no answer" not in first.trouble:
                await asyncio.sleep(0.001)
        fleet.cluster.fate = "done"
        with pytest.raises(JournalFailed):
            await carrying
        journal.full, begun = False, boot_ms()
        await again.carry(resumed=True)
        assert boot_ms() - begun >= TIMES.act + TIMES.e_controller
        assert fleet.cluster.values == UNSET
        assert again.incident.verdict is (Kind.WORSE if by == "harm" else None)

    play(story)


class Torn(MemoryJournal):
    """Writes, and then fails; once."""

    torn = True

    async def append(self, *entries: Entry) -> None:
        """It is on disk, and nobody is told so."""
        await super().append(*entries)
        if self.torn:
            self.torn = False
            raise JournalFailed("disk full")


async def test_nothing_is_recorded_on_a_history_that_is_not_so() -> None:
    """What failed had been written all the same: whoever decided on less must look again."""
    journal = Torn()
    started = Entry(0, Kind.STARTED, "so", OF.incident, decision=OF, effect=EFFECT, claim=7)
    undone = Entry(1, Kind.UNDONE, "so", OF.incident)
    journal.lines.append(encode(started))
    ledger = Ledger(journal, lambda _: None)  # type: ignore[arg-type]  # the same three methods
    await ledger.open()
    with pytest.raises(JournalFailed, match="disk full"):
        await ledger.record(undone)
    assert ledger.history.incidents[OF.incident].stands
    with pytest.raises(JournalFailed, match="look again"):
        await ledger.record(undone)
    assert not ledger.history.incidents[OF.incident].stands
    assert ledger.failed is None
    await ledger.record(Entry(2, Kind.AGENT, "goes on"))
    assert len(journal.lines) == 3
