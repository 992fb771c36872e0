"""The fold (coordination.md section 3) and sessions (section 2): what is asked of every record."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace
from scribe import LOG, Scribe, Written

from agent.control.canonical import canonical
from agent.control.digests import KNOWN, sha256
from agent.control.fold import CLOCK_STEP, LogGap, fold
from agent.control.state import UNBORN, State
from agent.control.times import LAB, PRODUCTION, Settings, genesis


def test_genesis_brings_the_budgets_of_section_2() -> None:
    budgets = Scribe.born().state.budgets
    caps = {name: budget.cap for name, budget in budgets.items()}
    assert caps == {
        "restart": 1,
        "restart/*": 1,
        "start": 3,
        "disk_drain": 2,
        "throttle": 3,
        "election": 1,
        "quota": 2,
        "rebuild": 1,
    }
    assert (budgets["restart"].rate, budgets["restart"].window) == (3, 86_400_000)


def test_a_log_is_born_once_and_racing_genesis_is_void() -> None:
    log = Scribe.born()
    body = genesis(LOG, Settings("broker-2", "h", times=LAB))
    assert log.put("genesis", "broker-2", -1, body).void == "the log is born already"


def test_genesis_names_its_own_log_and_the_folds_times() -> None:
    log = Scribe()
    body = genesis(LOG, Settings("broker-2", "h", times=LAB))
    assert log.put("genesis", "broker-2", -1, body, log="other").void == "another log"
    assert log.put("genesis", "broker-2", -1, body | {"params": {"age": 1}}).void == (
        "params are missing: beat_each"
    )
    budgets = {"restart": {"cap": 1, "rate": 3, "window": 0}}
    verdict = log.put("genesis", "broker-2", -1, body | {"budgets": budgets})
    assert verdict.void == "a rate needs a window: restart"
    assert log.state.log == ""


def test_nothing_is_accepted_before_a_log_is_born() -> None:
    assert Scribe().put("beat", "broker-1", 0, {"status": "", "firing": []}).void == "no log is born"


def test_a_record_of_another_log_or_fold_is_void() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    beat = {"status": "", "firing": []}
    assert log.put("beat", "broker-1", s, beat, log="other").void == "another log"
    assert log.put("beat", "broker-1", s, beat, f=1).void == "another fold version"


def test_a_gap_is_an_error_and_never_skipped() -> None:
    log = Scribe.born()
    with pytest.raises(LogGap, match="offset 5 came after 0"):
        fold(log.state, Written(5, 0, 0, b""))


def test_void_records_are_counted_by_reason_and_change_nothing_else() -> None:
    log = Scribe.born()
    log.raw(b"garbage")
    log.raw(b"\xff")
    log.raw(b"{}")
    assert log.state.voids == {"not JSON": 1, "not printable ASCII": 1, "not an envelope": 1}
    assert not log.state.sessions


def test_a_stamp_of_another_history_is_void() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    verdict = log.put("beat", "broker-1", s, {"status": "", "firing": []}, d="f" * 64)
    assert verdict.void == "stale, or from a history that was lost"


def test_a_stamp_ahead_of_the_log_is_void() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    verdict = log.put("beat", "broker-1", s, {"status": "", "firing": []}, b=log.state.offset + 1)
    assert verdict.void == "stale, or from a history that was lost"


def test_only_the_last_4096_stamps_are_known() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    old, digest = log.state.offset, log.state.digest
    for _ in range(KNOWN - 1):
        log.raw(b"")
    beat = {"status": "", "firing": []}
    assert log.put("beat", "broker-1", s, beat, b=old, d=digest).void is None
    assert log.put("beat", "broker-1", s, beat, b=old, d=digest).void is not None
    assert sum(map(len, log.state.digests)) < KNOWN + 100  # and no more are kept


def test_the_digest_covers_every_part_of_a_record_and_its_verdict() -> None:
    one = Written(0, 0, 5, b"x")
    others = [Written(0, 1, 5, b"x"), Written(0, 0, 6, b"x"), Written(0, 0, 5, b"y")]
    digests = {fold(State(), record)[0].digest for record in [one, *others]}
    assert len(digests) == 4
    assert UNBORN not in digests
    assert fold(State(voids={"": 1}), one)[0].digest == fold(State(), one)[0].digest


def test_the_clock_is_virtual_a_spike_moves_it_by_five_seconds_and_nothing_moves_it_back() -> None:
    state = State(clock=10, time=1_000)
    ahead, _ = fold(state, Written(0, 0, 1_000_000, b""))
    assert ahead.clock == 10 + CLOCK_STEP
    back, _ = fold(ahead, Written(1, 0, 2_000, b""))
    assert back.clock == ahead.clock
    after, _ = fold(back, Written(2, 0, 2_300, b""))
    assert after.clock == ahead.clock + 300  # one spike must not stop the clock


def test_a_sessions_id_is_its_joins_offset_and_a_join_ends_the_agents_older_one() -> None:
    log = Scribe.born()
    first = log.join("broker-1")
    second = log.join("broker-1")
    assert (first, second) == (1, 2)
    assert list(log.state.sessions) == [second]
    assert log.beat(first).void == "its session is not live"


def test_a_join_must_raise_the_incarnation_so_a_late_copy_of_it_is_void() -> None:
    log = Scribe.born()
    log.join("broker-1")
    verdict = log.raw(log.log[-1].value)
    assert verdict.void == "incarnation is not above the last: 1, was 1"
    log.join("broker-2")  # another agent counts for itself


def test_a_join_that_cannot_fold_this_version_is_refused() -> None:
    log = Scribe.born()
    x = {"host": "", "rack": "", "incarnation": 1, "nonce": "0" * 32, "fold_max": 1, "version": "0"}
    verdict = log.put("join", "broker-1", -1, x | {"redeclare": [], "handled": []})
    assert verdict.void == "fold too old"


def test_join_and_genesis_come_before_any_session() -> None:
    log = Scribe.born()
    log.join("broker-1")
    body = genesis(LOG, Settings("broker-2", "h", times=PRODUCTION))
    assert log.put("genesis", "broker-2", 1, body).void == "a session before its join"


def test_a_copy_is_void_by_session_and_sequence() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    log.beat(s)
    assert log.raw(log.log[-1].value).void == "a copy"


def test_a_refused_record_uses_its_number_up_so_that_no_late_copy_of_it_is_accepted() -> None:
    log = Scribe.born()
    one, two = log.join("broker-1"), log.join("broker-2")
    held = log.dirty(one, "x:topic/a", problem="p")
    log.release(one, held, "done")
    assert log.claim(two, "x:topic/a", problem="p").void == "problem was handled: p"
    copy = log.log[-1].value
    log.wait(one, LAB.cooldown)
    assert log.raw(copy).void == "a copy"


def test_nobody_writes_in_anothers_session() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    verdict = log.put("beat", "broker-2", s, {"status": "", "firing": []})
    assert verdict.void == "its session is not live"


def test_leave_ends_the_session() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    assert log.say(s, "leave").void is None
    assert not log.state.sessions


def test_any_accepted_record_of_a_session_renews_it() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    heard = log.state.sessions[s].heard
    log.beat(s)
    assert log.state.sessions[s].heard == log.now > heard


def test_at_most_twelve_notes_a_minute_of_log_time() -> None:
    log = Scribe.born()
    s = log.join("broker-1")
    for _ in range(12):
        assert log.say(s, "note", entry="{}").void is None
    assert log.say(s, "note", entry="{}").void == "too many notes in a minute"
    log.wait(s, 60_000)
    assert log.say(s, "note", entry="{}").void is None


def test_section_3_states_that_judge_or_grant_differently_have_another_digest_from_then_on() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    before = log.state
    log.claim(one, "throttle", problem="p")
    record = log.log[-1]
    refusing = replace(before, handled={"p": before.clock + 10**6})
    waiting = replace(before, settled_at=before.clock + 10**6)
    poor = replace(before, budgets={})
    states = [fold(state, record) for state in (before, waiting, refusing, poor)]
    reasons = [None, None, "problem was handled: p", "no budget: throttle"]
    assert [verdict.void for _, verdict in states] == reasons
    assert [len(verdict.moves) for _, verdict in states] == [2, 1, 0, 0]
    assert len({state.digest for state, _ in states}) == 4


def test_section_3_a_link_is_the_hash_of_canonical_json() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.release(one, log.dirty(one, "x:topic/a"), "done")
    state, moved = State(), 0
    for record in log.log:
        earlier, (state, verdict) = state.digest, fold(state, record)
        moves = [[m.claim, m.before, m.after] for m in verdict.moves]
        moved += len(moves)
        place, value = (
            [state.offset, record.leader_epoch, record.at],
            hashlib.sha256(record.value).hexdigest(),
        )
        assert state.digest == sha256(canonical([earlier, *place, value, "", moves]))
    assert (state, moved) == (log.state, 4)
