"""Claims of a former life: closed where nothing stands, undone where the journal knows nothing of them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from stage import Brake, Disk
from stories import decision

from agent.control.past import Past
from agent.control_topic import ClaimState
from agent.daemon.claim_sweep import sweep_claims
from agent.history import History, replay
from agent.model import Change, Effect, Entry, Kind, Operation
from agent.rehearsal.virtual_time import run
from agent.wire import encode_effect

EFFECT = Effect("brake", "broker-1", (Change("broker/1", "brake", Operation.SET, None, "on"),))


@dataclass
class OneClaim:
    """A claim as the fold shows it."""

    state: ClaimState = ClaimState.DIRTY
    effect: str = encode_effect(EFFECT)
    id: int = 7
    stamp: int = 7
    token: int = 7
    adoptions: int = 0
    epoch: int = 0


@dataclass
class Topic:
    """A control topic that is read to its end."""

    claims: dict[int, OneClaim]
    released: list[tuple[int, str]] = field(default_factory=list)
    degraded: str | None = None
    caught_up: bool = True

    def own_claims(self) -> dict[int, OneClaim]:
        """What is open."""
        return self.claims

    def own_claim(self, name: Any) -> Any:
        """The one that is open."""
        claims: Any = self.claims
        return Past().called(claims, name)

    def is_called(self, claim: Any, name: Any) -> bool:
        """As who has read none of the joins that brought claims back knows it."""
        return Past().is_called(claim, name)

    def adopts_where(self, able: Any) -> None:
        """All are adopted already."""

    async def release(self, name: Any, outcome: str) -> None:
        """Close it."""
        number = self.own_claim(name).id
        del self.claims[number]
        self.released.append((number, outcome))


@dataclass
class Book:
    """A ledger in memory."""

    history: History
    told: list[str] = field(default_factory=list)

    async def record(self, entry: Entry) -> None:
        """Keep its reason."""
        self.told.append(entry.reason)


@dataclass
class Parts:
    """What closing needs of the agent's means."""

    ledger: Book
    actions: dict[str, Any]
    ports: Any = None
    fence: None = None
    claims: set[int] = field(default_factory=set)

    def clock(self) -> int:
        """Any time."""
        return 9


def story(*told: Kind, epoch: int | None = None) -> History:
    """An incident that holds claim 7, of this leader epoch."""
    of = decision()
    begun = Entry(0, told[0], "so", of.incident, decision=of, effect=EFFECT, claim=7, claim_epoch=epoch)
    after = (Entry(1 + n, kind, "so", of.incident, decision=of) for n, kind in enumerate(told[1:]))
    return replay([begun, *after])


def close(
    history: History,
    disk: Disk,
    *,
    state: ClaimState = ClaimState.DIRTY,
    held: bool = False,
    claim: OneClaim | None = None,
) -> tuple[Topic, Book]:
    """What a minute of sweeping makes of claim 7."""
    claim = claim or OneClaim(state)
    topic, book = Topic({claim.id: claim}), Book(history)
    parts: Any = Parts(book, {"brake": Brake(disk)}, claims={7} if held else set())
    own: Any = topic

    async def minute() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sweep_claims(parts, own), 60)

    run(minute())
    return topic, book


def test_what_had_ended_in_the_journal_is_closed_as_it_ended() -> None:
    """Killed between the last entry and the release."""
    healed = story(Kind.STARTED, Kind.DONE, Kind.HEALED, Kind.UNDONE)
    failed = story(Kind.STARTED, Kind.FAILED, Kind.UNDONE)

    assert close(healed, Disk())[0].released == [(7, "done")]
    assert close(failed, Disk())[0].released == [(7, "undone")]


def test_what_still_stands_keeps_its_claim() -> None:
    """Its carrier gives it back."""
    assert close(story(Kind.STARTED, Kind.DONE), Disk(brake="on"))[0].released == []


def test_what_an_attempt_holds_is_left_alone() -> None:
    """However long it waits."""
    assert close(History(), Disk(), state=ClaimState.QUEUED, held=True)[0].released == []


def test_a_claim_that_was_granted_to_nobody_is_cancelled() -> None:
    """Its attempt ended while the topic could not be written."""
    assert close(History(), Disk(), state=ClaimState.GRANTED)[0].released == [(7, "cancelled")]


def test_what_the_journal_does_not_know_is_undone_from_its_intent() -> None:
    """A journal that was lost: the log knows what was set."""
    disk = Disk(brake="on")

    topic, book = close(History(), disk)

    assert disk.brake is None
    assert topic.released == [(7, "undone")]
    assert "the journal does not know it" in book.told[0]


def test_a_claim_that_a_lost_tail_renamed_is_still_its_incidents() -> None:
    """It was declared again under another id, and kept its stamp."""
    again = OneClaim(id=1_000_000_000_000_044, stamp=7)

    assert close(story(Kind.STARTED, Kind.DONE), Disk(brake="on"), claim=again)[0].released == []


@pytest.mark.parametrize(("epoch", "released"), [(0, [(7, "undone")]), (1, []), (None, [])])
def test_an_adopted_claim_at_the_offset_of_an_own_one_is_closed_by_its_adopter(
    epoch: int | None, released: list[tuple[int, str]]
) -> None:
    """Offsets are used again: the own incident has claim 7 of epoch 0, or 1, or an older journal that tells
    none; the adopted one is of epoch 1."""
    disk, adopted = Disk(brake="on"), OneClaim(epoch=1, adoptions=1)

    topic, _ = close(story(Kind.STARTED, Kind.DONE, epoch=epoch), disk, claim=adopted)

    assert topic.released == released
    assert disk.brake == (None if released else "on")


def test_how_the_own_incident_ended_tells_nothing_of_an_adopted_claim_at_its_offset() -> None:
    """What healed would be released as done, with the effect of another standing."""
    disk = Disk(brake="on")
    healed = story(Kind.STARTED, Kind.DONE, Kind.HEALED, Kind.UNDONE, epoch=0)

    topic, book = close(healed, disk, claim=OneClaim(epoch=1, adoptions=1))

    assert topic.released == [(7, "undone")]
    assert disk.brake is None
    assert "the journal does not know it" in book.told[0]
