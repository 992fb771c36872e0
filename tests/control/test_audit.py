"""What folding a whole log shows: whose stamps are another history's, and snapshots that are none."""

from __future__ import annotations

import json

import pytest
from scribe import Scribe

from agent.control.audit import Audit
from agent.control.fold import fold
from agent.control.state import State
from agent.control.times import EVERY


def audit(log: Scribe) -> Audit:
    """Of the whole log."""
    found, state = Audit(), State()
    for record in log.log:
        state, verdict = fold(state, record)
        found.saw(state, verdict)
    assert state == log.state
    return found


def test_a_log_of_agents_that_agree_has_no_faults() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.release(one, log.dirty(one, "quota"), "done")
    log.raw(b"\xff")
    log.put("beat", "broker-1", one, {"status": "", "firing": []}, n=1)  # a late copy
    found = audit(log)

    assert list(found.faults()) == list(found.remarks()) == []
    assert found.accepted == {"genesis": 1, "join": 1, "claim": 1, "intent": 1, "release": 1}


def test_an_agent_that_folds_to_another_state_is_named() -> None:
    log = Scribe.born()
    one, two = log.join("broker-1"), log.join("broker-2")
    beat = {"status": "", "firing": []}
    for _ in range(2):
        log.put("beat", "broker-2", two, beat, d="f" * 64)
    first = log.state.offset - 1
    assert list(audit(log).remarks()) == [
        f"broker-2: 2 records stamped with another history, the first at offset {first}: void"
    ]
    log.beat(one)
    log.put("beat", "broker-2", two, beat, d="f" * 64)

    (fault,) = audit(log).faults()
    assert fault.startswith(f"broker-2: 3 records stamped with another history, the first at offset {first}")
    assert fault.endswith(": it folds to another state, so one release is wrong")


def test_records_that_come_late_from_a_lost_tail_are_no_fault() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    last = log.state.offset
    log.epoch += 1
    log.beat(one)
    for _ in range(5):
        log.put("beat", "broker-1", one, {"status": "", "firing": []}, b=last, d="f" * 64)
    found = audit(log)

    assert list(found.faults()) == []
    assert len(list(found.remarks())) == 1


def test_a_stamp_that_nobody_can_know_any_more_says_nothing() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.put("beat", "broker-1", one, {"status": "", "firing": []}, b=10**9, d="f" * 64)

    assert not audit(log).differing


@pytest.mark.parametrize("false", [False, True])
def test_a_snapshot_is_held_to_what_the_log_folds_to(false: bool) -> None:
    """The fold itself takes only the hash of its mark: that the state is that hash's, the audit looks at."""
    log = Scribe.born()
    one = log.join("broker-1")
    while log.last.marked is None or log.state.offset == 0:
        log.beat(one)
    assert log.state.offset == EVERY
    state = {} if false else json.loads(log.last.marked)
    log.say(one, "snapshot", at=log.state.mark.offset, hash=log.state.mark.hash, state=state)
    assert log.last.void is None
    (snapshot,) = audit(log).snapshots

    assert (snapshot["at"], snapshot["agent"], bool(snapshot["fault"])) == (EVERY, "broker-1", false)
    faults = list(audit(log).faults())
    offset = log.state.offset
    assert faults == ([f"the snapshot at offset {offset} is false: its hash is another"] if false else [])
