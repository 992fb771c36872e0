"""What a join brings back after a lost tail (coordination.md section 2, redeclare and handled)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from scribe import Scribe, Written, effect

from agent.control.claims import REDECLARED, STAMPS
from agent.control.orders import current_name
from agent.control.past import Past
from agent.control.state import Claim
from agent.control.times import LAB
from agent.control.words import claim_name


def two() -> tuple[Scribe, int, int]:
    """A log with two agents."""
    log = Scribe.born()
    return log, log.join("broker-1"), log.join("broker-2")


def item(log: Scribe, claim: int, *keys: str, **x: Any) -> dict[str, Any]:
    """What an agent redeclares of a claim that the state knows."""
    return {**told(log.state.claims[claim], *keys), **x}


def told(claim: Claim, *keys: str) -> dict[str, Any]:
    """What an agent remembers of a claim."""
    return {
        "claim": claim.id,
        "epoch": claim.epoch,
        "stamp": claim.stamp,
        "kind": claim.kind,
        "scopes": list(claim.scopes),
        "problem": claim.problem,
        "host": claim.host,
        "effect": effect(*keys or ("k",)),
    }


def lose_tail(log: Scribe, count: int) -> None:
    """An unclean election: the last records are gone, the next one comes from another leader."""
    kept = log.log[:-count]
    log.state, log.log, log.sequence = Scribe().state, [], {}
    log.epoch = 0
    for record in kept:
        _again(log, record)
    log.epoch = 1


def _again(log: Scribe, record: Written) -> None:
    log.now = record.at - log.step
    log.epoch = record.leader_epoch
    log.raw(record.value)
    for session in log.state.sessions.values():
        log.sequence[session.id] = session.n


def test_section_2_a_dirty_claim_whose_intent_was_lost_is_taken_back_and_keeps_its_identity() -> None:
    log, one, _ = two()
    claim = log.dirty(one, "x:topic/a")
    mine = item(log, claim)
    lose_tail(log, 1)
    assert log.is_(claim) == "granted"
    again = log.join("broker-1", redeclare=[mine])
    held = log.state.claims[claim]
    assert (log.is_(claim), held.session, held.token) == ("dirty", again, again)
    assert '"key":"k"' in str(held.effect)
    assert log.release(again, claim, "undone").void is None


def test_section_2_a_claim_that_is_gone_becomes_a_new_dirty_one_with_its_old_stamp() -> None:
    log, one, other = two()
    claim = log.dirty(one, "x:topic/a", "disk_drain", problem="p")
    mine = item(log, claim)
    lose_tail(log, 2)
    again = log.join("broker-1", redeclare=[mine])
    (new,) = log.state.claims
    assert new == REDECLARED + again
    held = log.state.claims[new]
    assert (log.is_(new), held.stamp, held.problem) == ("dirty", claim % 100_000, "p")
    assert held.scopes == ("x:topic/a", "disk_drain")
    log.beat(other)
    assert log.is_(log.claimed(other, "x:topic/a")) == "queued"
    assert log.intent(again, new, "k", "l").void is None
    assert log.release(again, new, "done").void is None


def test_the_id_that_a_join_gave_a_claim_is_not_taken_for_the_offset_of_another() -> None:
    log, one, _ = two()
    first, second = log.dirty(one, "x:topic/a", problem="p"), log.dirty(one, "x:topic/b", problem="q")
    mine = [item(log, first), item(log, second)]
    lose_tail(log, 4)
    again = log.join("broker-1", redeclare=mine)
    assert again == first, "the first has this stamp, and the second an id that ends so"
    brought_back = 2 * REDECLARED + again
    assert Past().called(log.state.claims, first) == log.state.claims[REDECLARED + again]
    assert Past().called(log.state.claims, second) == log.state.claims[brought_back]
    assert log.release(again, brought_back, "undone").void is None
    assert Past().called(log.state.claims, brought_back) is None


def test_section_2_a_claim_that_was_brought_back_twice_is_reached_under_each_id_that_it_had() -> None:
    log, one, _ = two()
    past = Past()
    first, other = log.dirty(one, "x:topic/a", problem="p"), log.dirty(one, "x:topic/b", problem="q")
    mine = [item(log, other), item(log, first)]
    lose_tail(log, 4)
    log.join("broker-1", redeclare=mine)
    past.saw(log.state, log.last)
    _, middle = sorted(log.state.claims)
    assert log.state.claims[middle].problem == "p"
    mine = [item(log, claim) for claim in (middle, min(log.state.claims))]
    lose_tail(log, 1)
    log.epoch = 2
    log.beat(one)
    again = log.join("broker-1", redeclare=mine)
    past.saw(log.state, log.last)
    last = log.state.claims[REDECLARED + again]
    assert last.problem == "p"
    assert middle not in log.state.claims
    for number in (first, middle, last.id):
        assert past.called(log.state.claims, number) == last
        assert current_name(log.state, past, claim_name(number)) == claim_name(last.id)
    assert current_name(log.state, Past(), str(first)) == str(first), "a stamp alone is no proof"
    assert current_name(log.state, past, str(first + STAMPS)) == str(first + STAMPS)
    assert current_name(log.state, past, "none") == "none"
    assert Past().called(log.state.claims, middle) is None, "who has not read the join cannot know"


def test_section_2_another_claim_at_the_offset_of_a_lost_one_is_not_taken_for_it() -> None:
    """broker-1 claims where broker-2's claim was, and that is declared again; then broker-2 adopts both."""
    log, one, two_ = two()
    past = Past()
    lost = log.dirty(two_, "x:topic/a", problem="p"), log.epoch
    mine = [item(log, lost[0])]
    lose_tail(log, 2)
    assert log.claimed(one, "x:topic/b", problem="q") == lost[0]
    again = log.join("broker-2", redeclare=mine)
    past.saw(log.state, log.last)
    log.beat(one)
    assert log.intent(one, lost[0], "l").void is None
    log.say(one, "leave")
    log.adopt(again, lost[0])
    claims = log.state.claims
    assert {claim.holder for claim in claims.values()} == {"broker-2"}
    for known in (past, Past()):  # a start from a snapshot has read neither record
        assert known.called(claims, lost) == claims[REDECLARED + again]
        assert known.called(claims, (lost[0], log.epoch)) == claims[lost[0]]
        assert not known.is_called(claims[lost[0]], lost)
        assert known.called(claims, lost[0]) == claims[lost[0]], "an id alone tells no more"
        assert known.is_called(claims[REDECLARED + again], lost[0])


def test_section_4_rule_5_who_held_a_claim_before_is_known_across_a_lost_tail() -> None:
    log, one, other = two()
    past = Past()
    claim = log.orphan(one, "x:topic/a")
    past.saw(log.state, log.last)  # it starts here
    assert past.holders(log.state.claims[claim]) == frozenset(), "its only holder is the last one"
    log.adopt(other, claim)
    past.saw(log.state, log.last)
    assert past.holders(log.state.claims[claim]) == {"broker-1"}
    log.say(other, "leave")
    past.saw(log.state, log.last)
    third = log.join("broker-3")
    past.saw(log.state, log.last)
    log.adopt(third, claim)
    past.saw(log.state, log.last)
    assert past.holders(log.state.claims[claim]) == {"broker-1", "broker-2"}
    lose_tail(log, 4)  # the second one's adoption is gone, what it did under it is not
    log.beat(other)
    past.saw(log.state, log.last)
    third = log.join("broker-3")
    past.saw(log.state, log.last)
    log.adopt(third, claim)
    past.saw(log.state, log.last)
    assert past.holders(log.state.claims[claim]) >= {"broker-1", "broker-2"}


def test_section_2_redeclared_effects_may_exceed_a_cap() -> None:
    log, one, other = two()
    mine = item(log, log.dirty(one, "disk_drain"))
    lose_tail(log, 2)
    for session in (one, other, one):
        log.beat(session)
    for number in range(2):
        log.dirty(other, "disk_drain", problem=f"p{number}")
    log.join("broker-1", redeclare=[mine])
    assert [c.state for c in log.state.claims.values()] == ["dirty"] * 3


def test_section_2_an_identity_is_offset_and_leader_epoch() -> None:
    log, one, _ = two()
    mine = item(log, log.dirty(one, "x:topic/a", problem="p"))
    lose_tail(log, 2)
    log.beat(one)  # takes the lost claim's offset … two records later another claim could have it
    claim = log.claimed(one, "x:topic/b", problem="p")
    other = {**mine, "claim": claim}
    again = log.join("broker-1", redeclare=[other])
    assert log.state.claims[REDECLARED + again].scopes == ("x:topic/a",)


def test_section_2_another_problem_or_agent_is_another_claim() -> None:
    log, one, _other = two()
    claim = log.dirty(one, "x:topic/a", problem="p")
    log.join("broker-1", redeclare=[item(log, claim, "other", problem="q")])
    assert len(log.state.claims) == 2
    log.join("broker-2", redeclare=[item(log, claim, "third")])
    assert len(log.state.claims) == 3


def test_section_2_what_a_live_adopter_holds_is_left_alone() -> None:
    log, one, other = two()
    claim = log.orphan(one, "x:topic/a")
    log.adopt(other, claim)
    log.join("broker-1", redeclare=[item(log, claim)])
    assert list(log.state.claims) == [claim]
    assert log.state.claims[claim].session == other


def test_section_2_an_orphan_or_a_claim_of_an_older_session_is_taken_back() -> None:
    log, one, other = two()
    orphan = log.orphan(one, "x:topic/a")
    held = log.dirty(log.state.offset, "x:topic/b")
    log.beat(other)
    again = log.join("broker-1", redeclare=[item(log, orphan), item(log, held)])
    assert [log.is_(c) for c in (orphan, held)] == ["dirty", "dirty"]
    assert {c.session for c in log.state.claims.values()} == {again}


def test_section_2_what_only_waited_in_an_older_session_is_taken_back_before_that_session_ends() -> None:
    log, one, other = two()
    granted, held = log.claimed(one, "x:topic/a"), log.dirty(other, "x:topic/b")
    queued = log.claimed(one, "x:topic/b")
    log.join("broker-1", redeclare=[item(log, granted), item(log, queued, "l")])
    assert [log.is_(c) for c in (granted, held, queued)] == ["dirty"] * 3  # outside of any barrier


def test_section_2_what_was_adopted_for_the_last_time_is_taken_back_before_it_is_stuck() -> None:
    log, one, _ = two()
    claim = log.orphan(one, "x:topic/a")
    session = log.state.offset
    for _ in range(3):
        log.adopt(session, claim)
        if log.state.claims[claim].adoptions < 3:
            session = log.join("broker-1")
    log.join("broker-1", redeclare=[item(log, claim)])
    assert log.is_(claim) == "dirty"


def test_section_2_what_is_stuck_or_closed_is_left_alone() -> None:
    log, one, other = two()
    stuck = log.orphan(one, "x:topic/a")
    for _ in range(3):
        log.adopt(other, stuck)
        log.say(other, "leave")
        other = log.join("broker-2")
    closed = log.dirty(other, "x:topic/b")
    mine = item(log, closed)
    log.release(other, closed, "done")
    log.join("broker-1", redeclare=[item(log, stuck)])
    log.join("broker-2", redeclare=[mine])
    assert (log.is_(stuck), list(log.state.claims)) == ("stuck", [stuck])


def test_section_2_after_the_cool_down_a_closed_claim_is_known_no_more() -> None:
    log, one, other = two()
    claim = log.dirty(one, "x:topic/a")
    mine = item(log, claim)
    log.release(one, claim, "done")
    log.wait(other, LAB.cooldown)
    again = log.join("broker-1", redeclare=[mine])
    assert list(log.state.claims) == [REDECLARED + again]


def test_section_2_what_an_open_claim_with_the_same_stamp_holds_already_is_dropped() -> None:
    log, one, other = two()
    mine = item(log, log.dirty(one, "x:topic/a"))
    lose_tail(log, 2)
    log.beat(one)
    log.beat(other)
    body = {"kind": "k", "scopes": ["x:topic/a"], "effect": effect("k"), "host": "", "problem": "f"}
    assert log.say(other, "found", **body).void is None
    seen = log.state.offset
    claims = {seen: replace(log.state.claims[seen], stamp=mine["stamp"])}
    log.state = replace(log.state, claims=claims)
    log.join("broker-1", redeclare=[mine])
    assert list(log.state.claims) == [seen]
    log.join("broker-1", redeclare=[{**mine, "stamp": 77}])
    assert len(log.state.claims) == 2


def test_section_2_redeclaring_never_drops_a_change_that_the_log_knows() -> None:
    log, one, _ = two()
    claim = log.dirty(one, "x:topic/a")
    log.intent(one, claim, "k", "l")
    log.join("broker-1", redeclare=[item(log, claim, "m", "k")])
    assert [key in str(log.state.claims[claim].effect) for key in ('"k"', '"l"', '"m"')] == [True] * 3


def test_section_2_the_same_item_twice_is_one_claim() -> None:
    log, one, _ = two()
    claim = log.dirty(one, "x:topic/a")
    log.join("broker-1", redeclare=[item(log, claim), item(log, claim)])
    assert log.state.claims[claim].adoptions == 1


def test_section_2_handled_problems_are_brought_back_for_what_is_left_of_their_cool_down() -> None:
    log, _one, other = two()
    handled = [{"problem": "p", "left": 10_000}, {"problem": "q", "left": 10**12}]
    log.join("broker-1", handled=handled)
    assert log.state.handled == {"p": log.state.clock + 10_000, "q": log.state.clock + LAB.cooldown}
    log.wait(other, 10_000)
    assert log.claim(other, "x:a", problem="p").void is None
    assert log.claim(other, "x:a", problem="q").void == "problem was handled: q"


def test_section_2_a_shorter_memory_does_not_replace_a_longer_one() -> None:
    log, one, _other = two()
    log.release(one, log.dirty(one, "x:a", problem="p"), "done")
    until = log.state.handled["p"]
    log.join("broker-2", handled=[{"problem": "p", "left": 1}])
    assert log.state.handled["p"] == until


def test_section_2_what_is_brought_back_drops_the_claims_that_wait_on_it() -> None:
    log, _one, other = two()
    waiting = log.claimed(other, "x:a", problem="p")
    log.join("broker-1", handled=[{"problem": "p", "left": 10_000}])
    assert log.is_(waiting) == "closed"


def test_section_3_but_not_those_of_a_session_behind_the_barrier_which_may_be_dirty() -> None:
    log, one, other = two()
    granted = log.dirty(other, "x:a", problem="p")
    mine = item(log, granted)
    lose_tail(log, 1)  # its intent
    log.beat(one)
    log.join("broker-1", handled=[{"problem": "p", "left": 10_000}])
    assert log.is_(granted) == "granted"
    log.join("broker-2", redeclare=[mine])
    assert log.is_(granted) == "dirty"


def test_section_3_and_if_it_had_not_begun_it_begins_nothing_now() -> None:
    log, one, other = two()
    granted = log.claimed(other, "x:a", problem="p")
    log.epoch = 1
    log.beat(one)
    log.join("broker-1", handled=[{"problem": "p", "left": 10_000}])
    log.beat(other)
    assert log.intent(other, granted).void == "problem was handled: p"
