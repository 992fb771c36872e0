"""Whether a join is under way, or something stands in its way (coordination.md section 8)."""

from __future__ import annotations

import pytest

from agent.control.membership import REFUSED, Membership
from agent.control.times import LAB, Settings


@pytest.fixture
def member() -> Membership:
    """It has not joined."""
    return Membership(Settings("broker-1", "h", times=LAB), 0)


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
    member.fail("no broker answers", LAB.degraded)
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
