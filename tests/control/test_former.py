"""Section 9 of coordination.md, "topic deleted and made again": nothing is begun before all are heard who may
have done something of which this agent had not read."""

from __future__ import annotations

from dataclasses import replace

from scribe import LOG, Scribe

from agent.control.carried import Carried, carried
from agent.control.fold import CLOCK_STEP
from agent.control.former import Followed, followed, not_heard
from agent.control.times import LAB

BEFORE = Followed("before", ("broker-2", "broker-3"))


def again() -> Scribe:
    """A log that was made in place of `before`."""
    return Scribe.born(LAB, after="before")


def until(log: Scribe, age: int) -> None:
    """Records come until the log is so old."""
    while log.state.clock < CLOCK_STEP + age:
        log.raw(b"")


def test_section_9_who_did_not_follow_the_former_log_waits_until_all_handled_there_is_forgotten() -> None:
    log = again()
    for known in (None, Followed("another", ())):
        why = not_heard(log.state, known)
        assert why == (
            "the log was made again, and this agent had not followed the former to its end: "
            "it begins nothing until 00:17:10"
        )
    log.join("broker-2")
    until(log, LAB.cooldown - log.step)
    assert not_heard(log.state, None)
    until(log, LAB.cooldown)
    assert not_heard(log.state, None) is None


def test_section_9_who_followed_it_waits_for_all_who_lived_in_it_or_as_long() -> None:
    log = again()
    assert str(not_heard(log.state, BEFORE)).startswith(
        "the log was made again, and these of the former have yet to join it: broker-2, broker-3; nothing is"
    )
    log.join("broker-3")
    assert "have yet to join it: broker-2;" in str(not_heard(log.state, BEFORE))
    session = log.join("broker-2")
    assert not_heard(log.state, BEFORE) is None
    log.say(session, "leave")
    assert not_heard(log.state, BEFORE) is None, "what it knew, its join told"
    later = again()
    until(later, LAB.cooldown)
    assert not_heard(later.state, BEFORE) is None, "the dead must not stop the living for ever"


def test_section_9_a_kinds_own_cooldown_counts_for_it() -> None:
    log = again()
    params = {**log.state.params, "cooldown/restart": 2 * LAB.cooldown}
    session = log.join("broker-1")
    log.order(session, "params", values=params)
    assert log.last.void is None, log.last
    until(log, LAB.cooldown)
    assert not_heard(log.state, None, "throttle_replication") is None
    assert not_heard(log.state, None, "restart")
    assert not_heard(log.state, None), "told as long as anything waits"
    until(log, 2 * LAB.cooldown)
    assert not_heard(log.state, None) is None


def test_a_log_that_replaces_none_keeps_nobody_waiting() -> None:
    assert not_heard(Scribe.born(LAB).state, None) is None
    assert not_heard(Scribe().state, None) is None


def test_section_9_a_log_was_followed_to_its_end_where_who_joined_since_began_nothing_yet() -> None:
    log = Scribe.born(LAB)
    for agent in ("broker-1", "broker-3", "broker-2"):
        session = log.join(agent)
    seen = 50_000
    soon = seen + LAB.probation * 9 // 10
    end = followed(log.state, "broker-1", None, seen, soon)
    assert end == Followed(LOG, ("broker-2", "broker-3"))
    assert followed(log.state, "broker-1", None, seen, seen + LAB.probation * 99 // 100) is None, (
        "slow clocks"
    )
    assert followed(log.state, "broker-1", None, None, seen) is None, "no session"
    log.say(session, "leave")
    assert followed(log.state, "broker-1", None, seen, seen) == Followed(LOG, ("broker-3",))
    at_once = Scribe.born(replace(LAB, probation=0))
    at_once.join("broker-1")
    assert followed(at_once.state, "broker-1", None, seen, seen) is None


def test_section_9_whom_it_still_waits_for_it_waits_for_in_the_next_log_too() -> None:
    log = again()
    log.join("broker-3")
    log.join("broker-1")
    assert followed(log.state, "broker-1", None, 0, 0) is None
    assert followed(log.state, "broker-1", BEFORE, 0, 0) == Followed(LOG, ("broker-2", "broker-3"))
    until(log, LAB.cooldown)
    assert followed(log.state, "broker-1", None, 0, 0) == Followed(LOG, ("broker-3",))


def test_section_9_it_is_kept_as_long_as_that_log_does_not_go_on_after_all() -> None:
    kept = Carried(log="before", followed=BEFORE)
    assert carried(again().state, "broker-1", kept).followed == BEFORE
    gone_on = Carried(log=LOG, followed=Followed(LOG, ()))
    assert carried(again().state, "broker-1", gone_on).followed is None
