"""Whether a join is under way, or something stands in its way (coordination.md section 8)."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest
from scribe import CALM, Scribe

from agent.control.duties import Duties
from agent.control.membership import JOINING, REFUSED, Membership
from agent.control.times import LAB, Settings


@pytest.fixture
def member() -> Membership:
    """It has not joined."""
    return Membership(Settings("broker-1", "h", times=LAB), 0)


WALL = 8 * 3_600_000  # 08:00:00


def run(member: Membership, since: int, until: int, wall: int = WALL) -> None:
    """No broker answers, from one boot time to the other; the process looks once a second."""
    for boot in range(since, until + 1, 500):
        if boot % 2_000 == since % 2_000:
            member.fail("no broker answers", boot, wall + boot)
        member.watch(boot, wall + boot)


def test_section_8_the_log_cannot_be_used_when_nothing_was_accepted_for_so_long_after_a_failure(
    member: Membership,
) -> None:
    run(member, 1_000, LAB.degraded + 500)
    assert member.joining
    run(member, LAB.degraded + 1_000, LAB.degraded + 1_000)
    assert member.degraded == "control topic unreadable since 08:00:00: no broker answers"


def test_a_join_that_fails_though_the_log_is_read_is_not_called_an_unreadable_log(member: Membership) -> None:
    member.fail("the disk is broken", 0, WALL, JOINING)
    for boot in range(1_000, LAB.degraded + 1_000, 1_000):
        member.watch(boot, WALL + boot)
    assert member.degraded == "not joined since 08:00:00: the disk is broken"


def test_who_cannot_join_for_another_reason_goes_on_saying_that(member: Membership) -> None:
    member.lose("the log is another cluster's", stuck=True)
    run(member, 0, 2 * LAB.degraded)
    assert member.degraded == "the log is another cluster's"


@pytest.mark.parametrize("step", [-3_600_000, 3_600_000])
def test_section_8_a_step_of_the_wall_clock_neither_enters_degraded_mode_nor_puts_it_off(
    member: Membership, step: int
) -> None:
    run(member, 1_000, 3_000)
    run(member, 3_500, LAB.degraded + 500, WALL + step)
    assert member.joining
    run(member, LAB.degraded + 1_000, LAB.degraded + 1_000, WALL + step)
    assert not member.joining


def test_section_8_a_suspend_or_a_stop_is_no_silence_and_what_failed_before_it_does_not_count(
    member: Membership,
) -> None:
    run(member, 1_000, LAB.degraded)
    woke = LAB.degraded + 40_000
    for boot in range(woke, woke + 60_000, 1_000):
        member.watch(boot, WALL + boot)  # nothing failed since it woke
    assert member.joining
    failed = woke + 60_000
    run(member, failed, failed + LAB.degraded - 500)
    assert member.joining
    run(member, failed + LAB.degraded, failed + LAB.degraded)
    assert not member.joining


def test_section_8_one_failure_in_a_quiet_time_asks_for_a_beat_and_for_nothing_else(
    member: Membership,
) -> None:
    """An agent among many beats once a minute: that alone is no 30 s without an accepted record."""
    for boot in range(0, 60_000, 1_000):
        member.watch(boot, WALL + boot)
    member.fail("the leader changed", 60_000, WALL)
    assert member.joining
    log = Scribe.born(changed(CALM, beat_each=60_000, beat_most=60_000, w_idle=150_000))
    session = log.join("broker-1")
    duties = Duties("broker-1")
    assert duties.next(log.state, session, (30_000, None), 62_000) is None
    duty = duties.next(log.state, session, (30_000, member.heard[1]), 62_000)
    assert duty is not None
    assert duty[0] == "beat"


def test_who_starts_joins_and_who_lost_its_session_joins_again(member: Membership) -> None:
    assert member.joining
    member.lose("the session ended")
    assert member.joining
    assert member.degraded == "the session ended"


def test_joins_that_are_void_again_and_again_are_no_race(member: Membership) -> None:
    for _ in range(REFUSED - 1):
        member.refused("too many agents")
        assert member.joining
    member.refused("too many agents")
    assert not member.joining
    assert member.degraded == "the control topic does not take this agent in: too many agents"


def test_nobody_joins_a_log_that_cannot_be_read_or_that_deviates(member: Membership) -> None:
    run(member, 0, LAB.degraded)
    assert not member.joining
    member.lose("the session ended")
    member.deviate("retention.ms is 1000")
    member.lose("the session ended")
    assert not member.joining
    assert member.degraded == "retention.ms is 1000"
    member.deviate(None)
    assert member.joining
    member.halt("closed")
    assert not member.joining
