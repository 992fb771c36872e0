"""Rules 2 and 4 of coordination.md section 4: until when, and whether, an effect may start."""

from __future__ import annotations

from scribe import Scribe

from agent.control.hold import Hold, objection
from agent.control.times import LAB


class Holder:
    """An agent's session, one more beside it, and a hold time on a boot clock."""

    def __init__(self) -> None:
        self.log = Scribe.born()
        self.own, self.other = self.log.join("broker-1"), self.log.join("broker-2")
        self.hold = Hold()
        self.boot = 5_000

    def beat(self, created: int, session: int | None = None) -> None:
        """An own record that was created at this boot time and is seen only now."""
        session = self.own if session is None else session
        n = self.log.state.sessions[session].n + 1
        if session == self.own:
            self.hold.created(session, n, created)
        self.log.beat(session)
        self.hold.saw(self.log.state, self.log.last, self.own)

    def until(self) -> int | None:
        return self.hold.until(self.log.state)

    def why(self, claim: int, boot: int = 5_000) -> str | None:
        return objection(self.log.state, claim, self.own, self.until(), boot)


def test_rule_2_effects_may_start_until_h_after_the_creation_of_the_newest_accepted_record() -> None:
    holder = Holder()
    assert holder.until() is None
    holder.beat(5_000)
    assert holder.until() == 5_000 + LAB.h
    holder.beat(6_500)  # however late it was seen
    assert holder.until() == 6_500 + LAB.h


def test_rule_2_anothers_records_or_void_ones_prolong_nothing() -> None:
    holder = Holder()
    holder.beat(5_000)
    holder.beat(9_000, holder.other)
    holder.hold.created(holder.own, 2, 9_000)
    holder.log.claim(holder.own, "reboot")
    holder.hold.saw(holder.log.state, holder.log.last, holder.own)
    assert holder.until() == 5_000 + LAB.h


def test_rule_2_records_accepted_behind_a_barrier_prolong_nothing() -> None:
    holder = Holder()
    holder.beat(5_000)
    holder.log.epoch = 1
    holder.beat(6_000)
    holder.beat(7_000)  # out of the barrier, in which the other one still is
    assert holder.until() == 5_000 + LAB.h
    holder.beat(8_000, holder.other)
    holder.beat(9_000)
    assert holder.until() == 9_000 + LAB.h


def test_rule_2_a_session_that_ended_holds_nothing() -> None:
    holder = Holder()
    holder.beat(5_000)
    holder.hold.drop()
    assert holder.until() is None


def test_rule_4_an_effect_starts_only_within_the_hold_time() -> None:
    holder = Holder()
    claim = holder.log.dirty(holder.own, "x:a")
    assert str(holder.why(claim)).startswith("the hold time is over")
    holder.beat(5_000)
    assert holder.why(claim, 5_000 + LAB.h - 1) is None
    assert str(holder.why(claim, 5_000 + LAB.h)).startswith("the hold time is over")


def test_rule_4_the_claim_must_still_be_mine_and_dirty() -> None:
    holder = Holder()
    holder.beat(5_000)
    granted = holder.log.claimed(holder.own, "x:a")
    theirs = holder.log.dirty(holder.other, "x:b")
    for claim in (granted, theirs, 999):
        assert holder.why(claim) == "the claim is not this agent's any more"


def test_rule_4_not_paused_no_barrier_and_room_under_the_cap_in_force() -> None:
    holder = Holder()
    log = holder.log
    claim = log.dirty(holder.own, "disk_drain")
    log.dirty(holder.other, "disk_drain")
    holder.beat(5_000)
    assert holder.why(claim) is None
    log.order(holder.other, "budget", scope="disk_drain", cap=1, rate=0, window=0)
    assert holder.why(claim) == "disk_drain has no room any more: 2 hold it"
    log.order(holder.other, "pause", on=True, selector="agent:broker-1", **{"for": 0})
    assert holder.why(claim) == "agent:broker-1 is paused by ann: r"
    log.epoch = 1
    log.beat(holder.other)
    assert str(holder.why(claim)).startswith("the leader changed")
