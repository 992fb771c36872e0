"""Silence, votes and leader changes (coordination.md section 2 `expire`, section 3 barrier and settling)."""

from __future__ import annotations

import pytest
from scribe import CALM, LOG, Scribe

from agent.control.times import LAB, Settings, genesis

W, W_IDLE = LAB.w, LAB.w_idle


def three(log: Scribe | None = None) -> tuple[Scribe, int, int, int]:
    """A log with three agents."""
    log = log or Scribe.born()
    return log, log.join("broker-1"), log.join("broker-2"), log.join("broker-3")


def test_section_2_two_voters_end_a_silent_session_and_one_does_not() -> None:
    log, one, two, target = three()
    assert log.expire(one, target, W_IDLE).void is None
    assert target in log.state.sessions
    assert log.expire(two, target, W_IDLE).void is None
    assert target not in log.state.sessions


def test_section_2_one_agent_is_one_voter_however_often_it_votes_or_joins() -> None:
    log, one, _, target = three()
    log.expire(one, target, W_IDLE)
    log.expire(one, target, W_IDLE)
    log.expire(log.join("broker-1"), target, W_IDLE)
    assert log.state.sessions[target].votes == ("broker-1",)


def test_section_2_one_voter_that_waited_3_w_ends_it_alone() -> None:
    log, one, _, target = three()
    log.expire(one, target, 3 * W_IDLE - 1)
    assert target in log.state.sessions
    log.expire(one, target, 3 * W_IDLE)
    assert target not in log.state.sessions


def test_section_2_a_vote_needs_w_and_w_is_shorter_with_claims_queued_ones_included() -> None:
    log, one, two, target = three()
    assert log.expire(one, target, W_IDLE - 1).void == "not silent for W"
    log.dirty(two, "x:topic/a")
    log.claimed(target, "x:topic/a")  # it only waits
    assert log.expire(one, target, W - 1).void == "not silent for W"
    assert log.expire(one, target, W).void is None


def test_section_3_w_is_short_in_the_barrier() -> None:
    log, one, _, target = three()
    log.epoch = 1
    log.beat(one)
    assert log.expire(one, target, W).void is None


def test_section_2_a_vote_is_void_where_the_target_was_heard_since() -> None:
    log, one, two, target = three()
    last = log.state.sessions[target].last
    log.expire(one, target, W_IDLE)
    log.beat(target)
    assert log.expire(two, target, W_IDLE, last=last).void == "heard since"
    assert log.state.sessions[target].votes == ()  # and any accepted record clears what was voted before


def test_section_2_what_is_refused_renews_nothing_and_clears_no_vote() -> None:
    log, one, two, target = three()
    last = log.state.sessions[target].last
    log.expire(one, target, W_IDLE)
    assert log.claim(target, "reboot").void is not None
    assert log.state.sessions[target].votes == ("broker-1",)
    assert log.expire(two, target, W_IDLE, last=last).void is None
    assert target not in log.state.sessions


def test_section_2_nobody_votes_against_itself_or_the_dead() -> None:
    log, one, _, target = three()
    assert log.expire(one, one, W_IDLE).void == "its own session"
    log.say(target, "leave")
    assert log.expire(one, target, W_IDLE).void == "no such live session"


def test_section_3_an_ended_sessions_dirty_claims_are_orphans_and_the_rest_is_dropped() -> None:
    log, one, two, target = three()
    dirty, granted = log.dirty(target, "x:topic/a"), log.claimed(target, "x:topic/b")
    log.expire(one, target, 3 * W)
    assert [log.is_(c) for c in (dirty, granted)] == ["orphan", "closed"]
    assert log.is_(log.claimed(two, "x:topic/a")) == "queued"  # an orphan keeps its slot


def test_section_3_a_new_epoch_raises_a_barrier_of_all_live_sessions() -> None:
    log, one, two, three_ = three()
    log.epoch = 4
    log.beat(one)
    assert (log.state.epoch, log.state.epoch_start) == (4, log.state.offset)
    assert log.state.barrier == {one, two, three_}  # its writer had not seen the epoch either


def test_section_3_a_record_that_had_seen_the_epoch_takes_its_session_out() -> None:
    log, one, two, three_ = three()
    old = log.state.offset, log.state.digest
    log.epoch = 1
    log.beat(one)
    beat = {"status": "", "firing": []}
    assert log.put("beat", "broker-2", two, beat, b=old[0], d=old[1]).void is None
    assert two in log.state.barrier
    assert log.beat(two).void is None
    assert log.state.barrier == {one, three_}


def test_section_3_sessions_that_join_behind_a_barrier_are_not_in_it() -> None:
    log, *_ = three()
    log.epoch = 1
    later = log.join("broker-4")
    assert later not in log.state.barrier


def test_section_3_nothing_is_granted_or_begun_behind_a_barrier() -> None:
    log, one, two, target = three()
    granted = log.claimed(one, "x:topic/a")
    log.epoch = 1
    log.beat(one)
    assert log.intent(one, granted).void == "behind a barrier"
    waiting = log.claimed(one, "x:topic/b")
    log.beat(two)
    assert log.is_(waiting) == "queued"
    log.expire(one, target, 3 * W)  # silence is no reason to wait for ever
    assert log.is_(waiting) == "granted"
    assert log.intent(one, granted).void is None


def test_section_3_a_session_that_ends_in_the_barrier_leaves_orphans_even_of_what_only_waited() -> None:
    log, one, two, target = three()
    held = log.dirty(one, "x:topic/a")
    granted, queued = log.claimed(target, "x:topic/b"), log.claimed(target, "x:topic/a")
    log.epoch = 1
    for session in (one, two, one):
        log.beat(session)
    log.expire(one, target, 3 * W)
    assert [log.is_(c) for c in (held, granted, queued)] == ["dirty", "orphan", "orphan"]
    assert log.state.claims[granted].effect is None


def test_section_3_a_restart_in_the_barrier_leaves_orphans_too() -> None:
    log, one, two, target = three()
    granted = log.claimed(target, "x:topic/b")
    log.epoch = 1
    log.beat(one)
    log.join("broker-3")
    assert log.is_(granted) == "orphan"
    assert log.state.barrier == {one, two}


def test_section_3_a_session_that_left_the_barrier_and_then_ends_had_begun_nothing() -> None:
    log, one, _, target = three()
    granted = log.claimed(target, "x:topic/b")
    log.epoch = 1
    log.beat(one)
    log.beat(target)
    log.join("broker-3")
    assert log.is_(granted) == "closed"


def test_section_3_after_the_barrier_the_log_settles() -> None:
    log, one, *_ = three(Scribe.born(times=LAB))
    log.wait(one, 10_000)
    granted = log.claimed(one, "x:topic/a")
    log.epoch = 1
    for session in (*log.state.sessions, one):
        log.beat(session)
    waiting = log.claimed(one, "x:topic/b")
    assert log.intent(one, granted).void == "the log settles"
    assert log.is_(waiting) == "queued"
    log.wait(one, log.state.settled_at - log.state.clock - 1)
    assert log.is_(waiting) == "queued"
    log.wait(one, 1)
    assert log.is_(waiting) == "granted"
    assert log.intent(one, granted).void is None


def test_section_3_the_log_settles_after_genesis() -> None:
    log = Scribe.born(times=LAB)
    one = log.join("broker-1")
    claim = log.claimed(one, "x:topic/a")
    assert log.is_(claim) == "queued"
    log.wait(one, LAB.settle)
    assert log.is_(claim) == "granted"


def test_section_2_an_intent_needs_a_session_older_than_probation() -> None:
    log = Scribe.born(times=LAB)
    log.wait(log.join("broker-2"), 10_000)
    one = log.join("broker-1")
    claim = log.claimed(one, "x:topic/a")
    assert log.intent(one, claim).void == "its session is in probation"
    log.wait(one, LAB.probation)
    assert log.intent(one, claim).void is None


def test_section_3_the_epoch_of_the_log_never_goes_back() -> None:
    log, one, *_ = three()
    log.epoch = 3
    log.beat(one)
    start = log.state.epoch_start
    log.epoch = 2
    log.beat(one)
    assert (log.state.epoch, log.state.epoch_start) == (3, start)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("h", LAB.w, "the hold time does not fit into W"),
        ("h", 5_882, "the hold time does not fit into W"),  # 5,882 × 1.01 / 0.99 = 6,000.8
        ("w", 10**9, "out of bounds: w is 100 to 3600000"),
        ("w_idle", LAB.w - 1, "W idle is below W"),
        ("colour", 1, "no such parameter: colour"),
    ],
)
def test_section_5_no_log_is_born_with_times_that_do_not_fit(name: str, value: int, why: str) -> None:
    log = Scribe()
    body = genesis(LOG, Settings("broker-1", "h", times=LAB))
    times = CALM.params() | {name: value}
    assert log.put("genesis", "broker-1", -1, body | {"params": times}).void == why


def test_section_5_the_longest_hold_time_that_fits_does() -> None:
    body = genesis(LOG, Settings("broker-1", "h", times=LAB))
    times = CALM.params() | {"h": 5_881}
    assert Scribe().put("genesis", "broker-1", -1, body | {"params": times}).void is None
