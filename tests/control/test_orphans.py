"""Orphans, adoption, what is stuck, found or resolved (coordination.md sections 2 and 3)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from scribe import Scribe, effect

from agent.control.budgets import budget_of
from agent.control.state import State
from agent.control.times import LAB, Budget


def two() -> tuple[Scribe, int, int]:
    """A log with two agents."""
    log = Scribe.born()
    return log, log.join("broker-1"), log.join("broker-2")


def found(log: Scribe, session: int, *keys: str, **x: object) -> str | None:
    """Why an effect that was seen is not accepted."""
    body = {"kind": "k", "scopes": ["disk_drain"], "effect": effect(*keys), "host": "", "problem": "f"} | x
    return log.say(session, "found", **body).void


def test_section_3_orphans_and_stuck_claims_keep_their_slot() -> None:
    log, one, other = two()
    claim = log.orphan(one, "disk_drain")
    held = log.dirty(other, "disk_drain")
    waiting = log.claimed(other, "disk_drain")
    assert [log.is_(c) for c in (claim, held, waiting)] == ["orphan", "dirty", "queued"]
    for _ in range(3):
        log.adopt(other, claim)
        log.say(other, "leave")
        other = log.join("broker-2")
    assert log.is_(claim) == "stuck"
    assert log.is_(log.claimed(other, "disk_drain")) == "queued"


def test_section_2_an_adopter_holds_the_claim_under_a_new_token() -> None:
    log, one, other = two()
    claim = log.orphan(one, "x:topic/a")
    before = log.state.claims[claim].token
    assert log.adopt(other, claim).void is None
    after = log.state.claims[claim]
    assert (log.is_(claim), after.holder, after.session) == ("dirty", "broker-2", other)
    assert after.token == log.state.offset != before
    assert after.agent == "broker-1"
    assert log.release(other, claim, "undone", token=before).void == "not the token"
    assert log.release(other, claim, "undone").void is None


def test_section_2_only_one_of_two_racing_adopters_has_it() -> None:
    log, one, other = two()
    claim = log.orphan(one, "x:topic/a")
    again = log.state.offset
    token = log.state.claims[claim].token
    assert log.adopt(other, claim, token=token).void is None
    assert log.adopt(again, claim, token=token).void == "no such orphan"


def test_section_2_an_adoption_needs_the_token() -> None:
    log, one, other = two()
    claim = log.orphan(one, "x:topic/a")
    assert log.adopt(other, claim, token=1).void == "not the token"
    assert log.adopt(other, 999).void == "no such orphan"
    assert log.is_(claim) == "orphan"


def test_section_2_what_is_of_one_host_is_adopted_there_only() -> None:
    log, one, other = two()
    local, anyones = log.dirty(one, "x:a", host="broker-1"), log.dirty(one, "x:b", host="")
    log.say(one, "leave")
    assert log.adopt(other, local).void == "not its host: broker-1 is"
    assert log.adopt(other, anyones).void is None
    assert log.adopt(log.join("broker-1"), local).void is None


def test_section_2_after_three_adoptions_it_is_stuck_and_nobody_adopts_it() -> None:
    log, one, other = two()
    claim = log.orphan(one, "x:topic/a")
    for _ in range(LAB.adoptions):
        assert log.is_(claim) == "orphan"
        assert log.adopt(other, claim).void is None
        log.say(other, "leave")
        other = log.join("broker-2")
    assert log.is_(claim) == "stuck"
    assert log.adopt(other, claim).void == "no such orphan"


def test_section_2_a_person_resolves_what_is_stuck_or_an_orphan_and_nothing_else() -> None:
    log, one, other = two()
    claim, dirty = log.orphan(one, "x:topic/a", problem="p"), log.dirty(other, "x:topic/b")
    for session, number in ((other, dirty), (other, 999)):
        words = {"id": number, "token": 0, "reason": "r", "by": "ann"}
        assert log.say(session, "resolve", **words).void == "neither an orphan nor stuck"
    words = {"id": claim, "token": 0, "reason": "looked at it", "by": "ann"}
    assert log.say(other, "resolve", **words).void == "not the token"
    assert log.say(other, "resolve", **words | {"token": log.state.claims[claim].token}).void is None
    assert log.is_(claim) == "closed"
    assert log.claim(other, "x:topic/a", problem="p").void == "problem was handled: p"


def test_section_2_an_adopted_claims_effect_may_be_extended_only_by_its_adopter() -> None:
    log, one, other = two()
    claim = log.orphan(one, "x:topic/a")
    again = log.state.offset
    log.adopt(other, claim)
    assert log.intent(again, claim, "k", "l").void == "not the holder: broker-2 is"
    assert log.intent(other, claim, "l").void == "it drops a change"
    assert log.intent(other, claim, "k", "l").void is None


def test_section_2_what_is_found_is_an_orphan_and_may_exceed_a_cap() -> None:
    log, one, other = two()
    for session in (one, other):
        log.dirty(session, "disk_drain", problem=f"p{session}")
    assert budget_of(log.state, "disk_drain").cap == 2
    assert found(log, one, "seen") is None
    claim = log.state.offset
    assert (log.is_(claim), log.state.claims[claim].holder) == ("orphan", "")
    log.release(other, other + 1, "done")
    assert log.adopt(other, claim).void is None


def test_section_2_what_an_open_claim_explains_is_not_found_whatever_its_value() -> None:
    log, one, other = two()
    claim = log.dirty(one, "throttle")  # changes k
    assert found(log, other, "k", "l") == f"an open claim holds it: {claim}"
    assert found(log, other, effect=effect("k", new="2")) == f"an open claim holds it: {claim}"
    log.release(one, claim, "done")
    assert found(log, other, "k") is None
    assert found(log, one, "k") == f"an open claim holds it: {log.state.offset - 1}"


def test_section_2_something_must_be_found_and_named() -> None:
    log, one, _ = two()
    assert found(log, one, effect=effect()) == "nothing is changed"
    assert found(log, one, "k", scopes=[]) == "no scope is named"


def test_section_2_what_is_found_or_redeclared_counts_in_its_rates() -> None:
    log = Scribe.born(budgets={"quota": Budget(cap=3, rate=1, window=100_000)})
    one = log.join("broker-1")
    assert found(log, one, "k", scopes=["quota"]) is None
    assert str(log.claim(one, "quota").void).startswith("rate: quota allows 1 in 100 s: 1 began")


def test_section_2_no_claim_gets_a_stamp_that_an_open_or_remembered_claim_has() -> None:
    log, one, _ = two()
    claim = log.dirty(one, "x:topic/a")
    assert log.state.claims[claim].stamp == claim % 100_000
    log.state = _stamped(log, claim, (log.state.offset + 1) % 100_000)
    assert log.claim(one, "x:topic/b").void == "its stamp is taken: claim again"
    assert log.claim(one, "x:topic/b").void is None
    log.state = _stamped(log, claim, log.state.offset + 2)
    log.release(one, claim, "done")
    assert log.claim(one, "x:topic/c").void == "its stamp is taken: claim again"


def _stamped(log: Scribe, claim: int, stamp: int) -> State:
    claims = {**log.state.claims, claim: replace(log.state.claims[claim], stamp=stamp)}
    return replace(log.state, claims=claims)


@pytest.mark.parametrize("outcome", ["done", "undone"])
def test_section_2_a_closed_claim_is_remembered_with_epoch_and_stamp_for_its_cool_down(outcome: str) -> None:
    log, one, _ = two()
    claim = log.dirty(one, "x:topic/a", problem="p")
    log.release(one, claim, outcome)
    closed = log.state.closed[claim]
    assert (closed.epoch, closed.stamp, closed.agent, closed.problem) == (0, claim, "broker-1", "p")
    assert closed.until == log.state.clock + LAB.cooldown
