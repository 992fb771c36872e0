"""Who writes the snapshot of a mark, when, and what people are told of snapshots (coordination.md 6)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from scribe import Scribe

from agent.control.beats import SPREAD
from agent.control.fold import Verdict
from agent.control.records import MAX_SNAPSHOT, Record
from agent.control.snapshot import ROOM, sealed
from agent.control.snapshot_duty import FEWEST, MISSING, SnapshotDuty
from agent.control.state import Mark, State

EVERY = 10
SNAPSHOT = Record("snapshot", 2, "log-1", "broker-1", 1, 1, 0, "", {"at": EVERY, "hash": "", "state": {}})


def marked(log: Scribe) -> Verdict:
    """The log goes on to its next mark."""
    while True:
        if (verdict := log.raw(b"")).marked:
            return verdict


@pytest.fixture
def log() -> Scribe:
    """Of three agents, just behind a mark."""
    log = Scribe.born(every=EVERY)
    for number in (1, 2, 3):
        log.join(f"broker-{number}")
    marked(log)
    return log


def test_one_after_the_other_by_rank_and_again_when_all_had_their_turn(log: Scribe) -> None:
    duty = SnapshotDuty(EVERY)
    duty.saw(log.state, log.last, boot=1_000)
    waits = {session: duty.wait(log.state, session, 1_000) for session in log.state.sessions}
    assert sorted(waits.values()) == [0, SPREAD, 2 * SPREAD]  # type: ignore[type-var]
    first = min(waits, key=lambda s: waits[s] or 0)
    duty.tried(log.state, 1_000)
    assert duty.wait(log.state, first, 1_000) == FEWEST * SPREAD


def test_there_is_nothing_to_write_before_a_mark_or_behind_its_snapshot(log: Scribe) -> None:
    duty, session = SnapshotDuty(EVERY), min(log.state.sessions)
    assert duty.wait(log.state, session, 0) is None
    duty.saw(log.state, log.last, boot=0)
    duty.saw(log.state, Verdict("not the mark", (), SNAPSHOT), boot=0)
    assert duty.wait(log.state, session, 0) is not None
    duty.saw(log.state, Verdict(None, (), SNAPSHOT), boot=0)
    assert duty.wait(log.state, session, 0) is None
    assert duty.newest == EVERY


def test_the_mark_of_the_first_record_is_not_worth_a_snapshot() -> None:
    log = Scribe.born(every=EVERY)
    duty = SnapshotDuty(EVERY)
    duty.saw(log.state, log.last, boot=0)
    assert log.last.marked
    assert duty.wait(log.state, 0, 0) is None


def test_what_was_sealed_is_what_would_have_been_encoded(log: Scribe) -> None:
    session, text = min(log.state.sessions), log.last.marked or ""
    before = log.state
    log.snapshot(session, text)
    assert log.last.void is None
    assert log.last.record
    empty = replace(log.last.record, x={**log.last.record.x, "state": {}})
    assert sealed(empty, text) == log.log[-1].value
    assert before.mark.hash == log.last.record.x["hash"]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (MAX_SNAPSHOT // 2, None),
        (MAX_SNAPSHOT * 9 // 10, "a snapshot of the state takes 866 KiB, and 960 KiB are the most"),
        (MAX_SNAPSHOT - ROOM, "a snapshot of the state takes 960 KiB, and 960 KiB are the most"),
        (MAX_SNAPSHOT, "the state takes 962 KiB, and no snapshot of it is written: 960 KiB are the most"),
    ],
)
def test_a_state_that_hardly_fits_or_does_not_is_told(size: int, said: str | None) -> None:
    duty = SnapshotDuty(EVERY)
    duty.saw(State(offset=EVERY), Verdict(None, (), None, "x" * size), boot=0)
    assert duty.faults(State(offset=EVERY), 0) == ((said,) if said else ())
    assert (duty.wait(State(), 0, 0) is None) == (size == MAX_SNAPSHOT)


def test_people_are_told_where_nobody_can_join_soon_or_no_snapshot_comes() -> None:
    duty = SnapshotDuty(EVERY)
    early, late = State(mark=Mark(EVERY)), State(mark=Mark(MISSING * EVERY))
    assert duty.faults(early, 0) == ()
    assert duty.faults(late, 0) == ("there is no snapshot, and none was accepted at the last 3 marks",)
    duty.saw(early, Verdict(None, (), SNAPSHOT), boot=0)
    assert duty.faults(early, 0) == duty.faults(late, 0) == ()
    (said,) = duty.faults(early, 1)
    place = "the log begins at offset 1, and the newest snapshot is of offset 10"
    assert said == f"{place}: once that is deleted nobody can join"
