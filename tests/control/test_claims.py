"""Claims, intents, releases, budgets and the order of grants (coordination.md sections 2 and 3)."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace
from scribe import Scribe, effect

from agent.control.budgets import budget_of
from agent.control.claims import CLOSED, DIRTY, GRANTED, ORPHAN, QUEUED, STUCK, TRANSITIONS
from agent.control.state import ClaimState
from agent.control.times import LAB, Budget
from agent.control.words import blockers


def two() -> tuple[Scribe, int, int]:
    """A log with two agents."""
    log = Scribe.born()
    return log, log.join("broker-1"), log.join("broker-2")


def test_a_claims_id_is_its_offset_and_it_is_granted_at_once_where_there_is_room() -> None:
    log, one, _ = two()
    claim = log.claimed(one, "throttle", "x:broker/1")
    assert claim == log.state.offset
    assert log.is_(claim) == "granted"
    assert log.state.claims[claim].token == log.state.offset


def test_exclusive_scopes_have_room_for_one_and_the_next_waits_until_it_is_closed() -> None:
    log, one, other = two()
    first, second = log.dirty(one, "x:topic/a"), log.claimed(other, "x:topic/a")
    assert log.is_(second) == "queued"
    log.release(one, first, "done")
    assert log.is_(second) == "granted"
    assert log.state.claims[second].token == log.state.offset != second


def test_a_budget_has_room_for_its_cap() -> None:
    log, one, other = two()
    claims = [log.claimed(s, "disk_drain") for s in (one, other, one)]
    assert [log.is_(c) for c in claims] == ["granted", "granted", "queued"]


def test_an_unknown_scope_has_cap_0_and_an_empty_list_is_void() -> None:
    log, one, _ = two()
    assert log.claim(one, "reboot").void == "no budget: reboot"
    assert log.claim(one).void == "no scope is named"
    assert log.claim(one, "throttle", "throttle").void == "a scope is named twice"


def test_the_longest_prefix_of_a_budget_counts() -> None:
    log = Scribe.born()
    budgets = {**log.state.budgets, "restart/rack-a/*": Budget(3)}
    state = replace(log.state, budgets=budgets)
    assert budget_of(state, "restart").cap == 1
    assert budget_of(state, "restart/rack-b").cap == 1
    assert budget_of(state, "restart/rack-a/x").cap == 3
    assert budget_of(state, "restarts").cap == 0


def test_an_intent_needs_the_grant_the_session_and_the_token() -> None:
    log, one, other = two()
    held, waiting = log.claimed(one, "x:topic/a"), log.claimed(other, "x:topic/a")
    assert log.intent(other, waiting).void == "no such move: intent of a queued claim"
    assert log.intent(other, held).void == "not the holder: broker-1 is"
    assert log.intent(one, held, token=held + 1).void == "not the token"
    assert log.intent(one, 99).void == "no such open claim"
    assert log.intent(one, held).void is None
    assert log.is_(held) == "dirty"


def test_an_intent_is_refused_where_a_cap_in_force_is_full_of_dirty_claims() -> None:
    log, one, other = two()
    log.dirty(one, "disk_drain")
    second = log.claimed(other, "disk_drain")
    log.state = replace(log.state, budgets={**log.state.budgets, "disk_drain": Budget(1)})
    assert log.intent(other, second).void == "no room: disk_drain"
    assert log.is_(second) == "granted"


def test_an_intent_on_a_dirty_claim_extends_its_effect_and_never_drops_a_change() -> None:
    log, one, _ = two()
    claim = log.dirty(one, "throttle")
    assert log.intent(one, claim, "k", "l").void is None
    assert log.intent(one, claim, "l").void == "it drops a change"
    assert log.intent(one, claim, effect=effect("k", "l", new="2")).void == "it drops a change"
    assert '"key":"l"' in str(log.state.claims[claim].effect)


def test_an_effect_is_at_most_48_kib() -> None:
    log, one, _ = two()
    claim = log.claimed(one, "throttle")
    assert log.intent(one, claim, effect=effect("k", new="a" * 48 * 1024)).void == "the effect is too long"


@pytest.mark.parametrize("outcome", ["done", "undone", "cancelled"])
def test_release_outcomes_go_by_the_claims_state(outcome: str) -> None:
    log, one, other = two()
    dirty, granted = log.dirty(one, "x:topic/a"), log.claimed(one, "x:topic/b")
    waiting = log.claimed(other, "x:topic/a")
    for session, claim in ((one, granted), (other, waiting)):
        assert (log.release(session, claim, outcome).void is None) == (outcome == "cancelled")
    assert (log.release(one, dirty, outcome).void is None) == (outcome != "cancelled")


def test_a_release_needs_the_session_and_the_token() -> None:
    log, one, other = two()
    claim = log.dirty(one, "x:topic/a")
    assert log.release(other, claim, "done").void == "not the holder: broker-1 is"
    assert log.release(one, claim, "done", token=0).void == "not the token"
    assert log.is_(claim) == "dirty"


@pytest.mark.parametrize("outcome", ["done", "undone"])
def test_a_handled_problem_is_remembered_for_its_cool_down(outcome: str) -> None:
    log, one, other = two()
    log.release(one, log.dirty(one, "throttle", problem="p"), outcome)
    assert log.claim(other, "throttle", problem="p").void == "problem was handled: p"
    log.wait(one, LAB.cooldown - 1_000)
    assert log.claim(other, "throttle", problem="p").void == "problem was handled: p"
    log.wait(one, 1_000)
    assert log.claim(other, "throttle", problem="p").void is None


def test_a_cancelled_claim_handled_nothing() -> None:
    log, one, other = two()
    log.release(one, log.claimed(one, "throttle", problem="p"), "cancelled")
    assert log.claim(other, "throttle", problem="p").void is None


def test_handling_a_problem_drops_the_claims_that_wait_on_it_granted_ones_too() -> None:
    log, one, other = two()
    held = log.dirty(one, "x:topic/a", problem="p")
    queued, granted = (
        log.claimed(other, "x:topic/a", problem="p"),
        log.claimed(other, "throttle", problem="p"),
    )
    apart = log.claimed(other, "x:topic/a", problem="q")
    log.release(one, held, "undone")
    assert [log.is_(c) for c in (queued, granted, apart)] == ["closed", "closed", "granted"]


def test_a_join_drops_what_waited_and_makes_orphans_of_what_is_dirty() -> None:
    log, one, other = two()
    dirty, granted = log.dirty(one, "x:topic/a"), log.claimed(one, "x:topic/b")
    theirs = log.dirty(other, "x:topic/c")
    queued = log.claimed(one, "x:topic/c")
    log.join("broker-1")
    assert [log.is_(c) for c in (dirty, granted, queued, theirs)] == ["orphan", "closed", "closed", "dirty"]
    assert log.state.claims[dirty].holder == "broker-1"


def test_what_is_dirty_keeps_its_room_when_its_agent_leaves_whatever_time_passes() -> None:
    log, one, other = two()
    claim = log.dirty(one, "x:topic/a")
    log.say(one, "leave")
    waiting = log.claimed(other, "x:topic/a")
    log.wait(other, 3_600_000)
    assert (log.is_(claim), log.is_(waiting)) == ("orphan", "queued")


def test_leaving_drops_what_was_not_begun() -> None:
    log, one, other = two()
    log.claimed(one, "x:topic/a")
    waiting = log.claimed(other, "x:topic/a")
    log.say(one, "leave")
    assert log.is_(waiting) == "granted"


def test_priority_goes_before_age_in_the_queue() -> None:
    log, one, other = two()
    held = log.dirty(one, "x:topic/a")
    old, urgent = log.claimed(other, "x:topic/a"), log.claimed(other, "x:topic/a", priority=1)
    log.release(one, held, "done")
    assert (log.is_(old), log.is_(urgent)) == ("queued", "granted")


def test_a_young_waiting_claim_blocks_only_what_it_lacks() -> None:
    log, one, other = two()
    log.dirty(one, "x:topic/a")
    log.claimed(other, "x:topic/a", "x:topic/b")
    passing = log.claimed(one, "x:topic/b")
    assert log.is_(passing) == "granted"


def test_after_age_a_waiting_claim_blocks_all_its_scopes_so_that_nobody_starves() -> None:
    log, one, other = two()
    log.dirty(one, "x:topic/a")
    old = log.claimed(other, "x:topic/a", "x:topic/b")
    log.wait(one, LAB.age)
    late = log.claimed(one, "x:topic/b")
    assert (log.is_(old), log.is_(late)) == ("queued", "queued")


def test_what_an_agent_left_behind_never_makes_a_waiting_claim_block_its_other_scopes() -> None:
    log, one, other = two()
    log.dirty(one, "x:topic/a")
    log.say(one, "leave")
    log.claimed(other, "x:topic/a", "x:topic/b")
    log.wait(other, LAB.age)
    assert log.is_(log.claimed(other, "x:topic/b")) == "granted"


def test_a_rate_counts_what_began_in_the_window_and_what_waits() -> None:
    log = Scribe.born(budgets={"quota": Budget(cap=3, rate=2, window=100_000)})
    one = log.join("broker-1")
    log.release(one, log.dirty(one, "quota"), "done")
    log.claimed(one, "quota")
    assert log.claim(one, "quota").void == (
        "rate: quota allows 2 in 100 s: 1 began, 1 wait, one is free in 99 s"
    )


def test_a_restarted_agent_finds_no_rate_refilled_and_the_window_frees_it() -> None:
    log = Scribe.born(budgets={"quota": Budget(cap=3, rate=1, window=100_000)})
    one = log.join("broker-1")
    log.release(one, log.dirty(one, "quota"), "done")
    again = log.join("broker-1")
    assert str(log.claim(again, "quota").void).startswith("rate: ")
    log.wait(again, 100_000)
    assert log.claim(again, "quota").void is None


def test_a_rate_is_asked_again_at_intent() -> None:
    log = Scribe.born(budgets={"quota": Budget(cap=3, rate=2, window=100_000)})
    one = log.join("broker-1")
    log.release(one, log.dirty(one, "quota"), "done")
    claim = log.claimed(one, "quota")
    log.state = replace(log.state, budgets={**log.state.budgets, "quota": Budget(3, 1, 100_000)})
    assert str(log.intent(one, claim).void).startswith("rate: quota allows 1")


def test_a_remedys_own_limit_travels_with_its_claim() -> None:
    log, one, other = two()
    limit = {"name": "Full/drain", "rate": 1, "window": 100_000}
    log.release(one, log.dirty(one, "disk_drain", limit=limit), "done")
    refused = log.claim(other, "disk_drain", limit=limit).void
    assert refused == ("rate: limit/Full/drain allows 1 in 100 s: 1 began, 0 wait, one is free in 99 s")
    assert log.claim(other, "disk_drain").void is None


def test_a_budget_record_can_tighten_a_remedys_limit_but_not_widen_it() -> None:
    log = Scribe.born(budgets={"limit/tight": Budget(0, 1, 100_000), "limit/wide": Budget(0, 9, 100_000)})
    one = log.join("broker-1")
    for name in ("tight", "wide"):
        limit = {"name": name, "rate": 2, "window": 100_000}
        accepted = [log.claim(one, "throttle", limit=limit).void is None for _ in range(3)]
        assert accepted == [True, name == "wide", False]


def test_at_most_six_claims_a_session() -> None:
    log, one, _ = two()
    for number in range(6):
        log.claimed(one, f"x:topic/{number}")
    assert log.claim(one, "x:topic/6").void == "too many claims of this session"


def test_at_most_256_claims_wait() -> None:
    log = Scribe.born()
    log.dirty(log.join("broker-0"), "x:a")
    for number in range(1, 44):
        session = log.join(f"broker-{number}")
        for _ in range(6 if number < 43 else 4):
            log.claimed(session, "x:a")
    assert log.claim(session, "x:a").void == "the queue is full"


def test_only_a_release_or_a_person_closes_what_may_stand_and_no_row_is_times() -> None:
    ends = {row for row, after in TRANSITIONS.items() if after is CLOSED and row[0] in (DIRTY, ORPHAN, STUCK)}
    assert ends == {(DIRTY, "done"), (DIRTY, "undone"), (ORPHAN, "resolved"), (STUCK, "resolved")}
    assert not [row for row in TRANSITIONS if row[0] is CLOSED]
    assert set(product([QUEUED], ["room"])) == {r for r, after in TRANSITIONS.items() if after is GRANTED}
    assert [row for row, after in TRANSITIONS.items() if after is STUCK] == [
        (DIRTY, "session ended after the last adoption")
    ]
    assert set(ClaimState) == {QUEUED, GRANTED, DIRTY, ORPHAN, STUCK, CLOSED}


def test_words_name_the_holder_since_when_and_what_it_does() -> None:
    log, one, other = two()
    log.dirty(one, "x:topic/a")
    waiting = log.claimed(other, "x:topic/a")
    (line,) = blockers(log.state, waiting)
    assert line == (
        "x:topic/a is held by broker-1 since offset 3 (intent 00:16:40): throttle_replication: too slow"
    )
    log.say(one, "leave")
    assert blockers(log.state, waiting)[0].endswith(
        "; broker-1 left it, and it is kept until an agent has closed it"
    )


def test_words_name_who_came_first_where_nobody_holds_it() -> None:
    log, one, other = two()
    log.dirty(one, "x:topic/a")
    log.claimed(other, "x:topic/a", "x:topic/b")
    log.wait(one, LAB.age)
    late = log.claimed(one, "x:topic/b")
    (line,) = blockers(log.state, late)
    assert line.startswith("broker-2 waits for x:topic/b before it (claim 5, 00:16:40): ")
    assert blockers(log.state, 3) == blockers(log.state, 999) == ()


def test_words_say_how_many_a_budget_allows() -> None:
    log, one, other = two()
    for session in (one, other):
        log.dirty(session, "disk_drain")
    waiting = log.claimed(one, "disk_drain")
    lines = blockers(log.state, waiting)
    assert [line.split(" since")[0] for line in lines] == [
        "disk_drain (2 at once) is held by broker-1",
        "disk_drain (2 at once) is held by broker-2",
    ]
