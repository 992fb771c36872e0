"""Rules 11 and 12 of coordination.md section 4: what outlives a lost log, and peers that differ."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from scribe import Scribe, effect

from agent.control.admission import OTHER_HISTORY
from agent.control.adopter import adopts_after
from agent.control.agreement import STAMPS, Agreement
from agent.control.bodies import MAX_HANDLED, MAX_REDECLARED
from agent.control.carried import (
    Carried,
    carried,
    for_join,
    is_lost,
    lost_changes,
    lost_effect,
    owing,
    pack,
    told,
    unpack,
)
from agent.control.digests import KNOWN, digest_at
from agent.control.fold import fold
from agent.control.lost import Restorer, no_room, unexplained
from agent.control.records import MAX_BYTES
from agent.control.state import State
from agent.control.times import LAB
from agent.control_topic.keeping import Keeping

NOTHING = Carried()


def two() -> tuple[Scribe, int, int]:
    """A log with two agents."""
    log = Scribe.born()
    return log, log.join("broker-1"), log.join("broker-2")


def test_rule_11_own_effects_and_all_problems_are_carried_whoever_held_them() -> None:
    log, one, other = two()
    mine = log.dirty(one, "x:a", problem="mine")
    log.dirty(other, "x:b", problem="theirs")
    log.release(other, log.dirty(other, "x:c", problem="done"), "undone")
    log.wait(other, 10_000)
    log.claimed(one, "x:d", problem="only waits")
    kept = carried(log.state, "broker-1", NOTHING)
    assert [item["claim"] for item in kept.redeclare] == [mine]
    assert kept.redeclare[0]["effect"] == effect("k")
    left = {h["problem"]: h["left"] for h in kept.handled}
    assert left.keys() == {"mine", "theirs", "done"}
    assert left["theirs"] == LAB.cooldown
    assert LAB.cooldown - 11_000 < left["done"] <= LAB.cooldown - 10_000


def test_rule_11_the_journals_effect_stands_above_the_logs() -> None:
    log, one, _ = two()
    claim = log.dirty(one, "x:a")
    kept = carried(log.state, "broker-1", NOTHING, {claim: json.dumps(effect("k", "l"))})
    assert kept.redeclare[0]["effect"] == effect("k", "l")


def test_rule_11_what_is_owed_stays_owed_until_it_is_told() -> None:
    log, one, _ = two()
    log.dirty(one, "x:a", problem="p")
    owed = replace(carried(log.state, "broker-1", NOTHING), owed=True)
    again = Scribe.born()
    again.join("broker-2")
    kept = carried(again.state, "broker-1", owed)
    assert (kept.owed, kept.redeclare, kept.handled) == (True, owed.redeclare, owed.handled)
    last = carried(again.state, "broker-1", replace(owed, owed=False))
    assert (last.owed, last.redeclare, last.handled) == (False, (), ())


def test_rule_11_only_a_join_after_a_loss_carries_it_and_the_log_takes_it() -> None:
    log, one, _other = two()
    claim = log.dirty(one, "x:a", problem="p")
    kept = carried(log.state, "broker-1", NOTHING)
    assert for_join(kept, "broker-1") == ([], [])
    redeclare, handled = for_join(replace(kept, owed=True), "broker-1")
    again = Scribe.born()
    session = again.join("broker-1", redeclare=redeclare, handled=handled)
    (new,) = again.state.claims.values()
    assert (new.stamp, new.problem, new.session) == (claim, "p", session)
    assert again.claim(session, "x:b", problem="p").void == "problem was handled: p"


def test_rule_11_a_join_carries_what_fits_into_a_record_and_effects_first() -> None:
    log, one, _ = two()
    log.dirty(one, "x:a")
    kept = carried(log.state, "broker-1", NOTHING)
    big = {**kept.redeclare[0], "effect": effect("k", new="a" * 20_000)}
    many = [{"problem": f"p{n}" + "x" * 500, "left": n} for n in range(900)]
    redeclare, handled = for_join(Carried(redeclare=(big,) * 90, handled=tuple(many), owed=True), "broker-1")
    assert 0 < len(redeclare) < MAX_REDECLARED
    assert 0 < len(handled) < MAX_HANDLED
    assert len(json.dumps([redeclare, handled])) < MAX_BYTES
    again = Scribe.born()
    again.join("broker-1", redeclare=redeclare, handled=handled)


def test_rule_11_several_agents_tell_more_problems_than_one_join_has_room_for() -> None:
    owed = [{"problem": f"p{n}", "left": 60_000} for n in range(400)]
    log = Scribe.born(after="another")
    for agent in (f"broker-{n}" for n in range(8)):
        _, told_ = for_join(Carried(handled=tuple(owed), owed=True), agent)
        assert len(told_) == MAX_HANDLED
        log.join(agent, handled=told_)
    assert len(log.state.handled) == 400


def test_rule_11_what_a_join_has_no_room_for_is_told_as_what_others_lost() -> None:
    """Two effects of 30 KB: the record takes one, and the other keeps its slot."""
    log, one, _ = two()
    for scope in ("x:a", "x:b"):
        claim = log.claimed(one, scope)
        long = effect(scope, new="a" * 30_000)
        assert log.intent(one, claim, effect=long).void is None
    kept = owing(carried(log.state, "broker-1", NOTHING))
    redeclare, handled = for_join(kept, "broker-1")
    assert [item["scopes"] for item in redeclare] == [["x:a"]]
    again = Scribe.born()
    again.epoch = 1
    session = again.join("broker-1", redeclare=redeclare, handled=handled)
    after = told(kept, again.state, "broker-1")
    assert not after.owed
    (left,) = unexplained(after.lost, again.state)
    assert (left.scopes, left.claim, left.agent, left.holder) == (("x:b",), claim, "broker-1", "broker-1")
    assert unexplained(carried(again.state, "broker-1", after).lost, again.state) == (left,)
    other = again.join("broker-2")
    again.beat(other)  # the claim's stamp is no other one's
    waits = again.claimed(other, "x:b", problem="q")
    assert "x:b may be held by claim" in str(no_room(again.state, [left], again.state.claims[waits]))
    restorer = Restorer()
    assert restorer.next(again.state, session, [left], 0) is None
    body = restorer.next(again.state, session, [left], 60_000)
    assert body is not None
    assert again.say(session, "found", **body).void is None
    found = again.state.claims[again.state.offset]
    assert found.effect == left.effect == log.state.claims[claim].effect
    assert adopts_after(again.state, found, session) == 0
    assert carried(again.state, "broker-1", after).lost == ()
    assert told(replace(kept, owed=False), again.state, "broker-1").lost == ()


def test_rule_11_a_shorter_log_or_another_history_is_a_lost_one() -> None:
    log, one, _ = two()
    kept = carried(log.state, "broker-1", NOTHING)
    assert not is_lost(kept, log.state)
    log.beat(one)
    assert not is_lost(kept, log.state)
    shorter = Scribe.born()
    shorter.join("broker-1")
    assert is_lost(kept, shorter.state)
    for number in range(2, 6):
        shorter.join(f"broker-{number}", rack="r")
    assert is_lost(kept, shorter.state)
    assert not is_lost(NOTHING, shorter.state)


def _long_after(log: Scribe, step: int = 1) -> Scribe:
    """More records than digests are known, in little time."""
    log.step = step
    for _ in range(KNOWN + 10):
        log.raw(b"noise")
    return log


def test_rule_11_after_a_long_absence_an_own_claim_that_the_log_does_not_know_tells_of_the_loss() -> None:
    log, one, _ = two()
    log.dirty(one, "x:a")
    kept = carried(log.state, "broker-1", NOTHING)
    other = Scribe.born()
    other.join("broker-1")
    other.epoch = 1
    log = _long_after(other)
    assert digest_at(log.state.digests, log.state.offset, kept.offset) is None
    assert is_lost(kept, log.state)
    assert not is_lost(replace(kept, redeclare=()), log.state), "nobody can tell, and nothing is owed"


@pytest.mark.parametrize("outcome", ["", "undone"])
def test_rule_11_after_a_long_absence_a_claim_that_is_open_or_was_closed_tells_of_no_loss(
    outcome: str,
) -> None:
    log, one, _ = two()
    claim = log.dirty(one, "x:a")
    kept = carried(log.state, "broker-1", NOTHING)
    if outcome:
        log.release(one, claim, outcome)
    log.epoch = 1
    assert not is_lost(kept, _long_after(log).state)
    item = {**kept.redeclare[0], "epoch": -1}  # its offset was used again
    assert is_lost(replace(kept, redeclare=(item,)), log.state)


async def test_rule_11_who_folds_over_what_it_kept_can_tell_however_long_ago_that_was() -> None:
    """A claim that a peer closed hours ago, and that nobody remembers, is not taken for lost then."""
    log, one, _ = two()
    claim = log.dirty(one, "x:a")
    kept = carried(log.state, "broker-1", NOTHING)
    log.release(one, claim, "undone")
    log.epoch = 1
    _long_after(log, step=10_000).step = 100
    again = log.join("broker-2")
    log.release(again, log.claimed(again, "x:b"), "cancelled")  # older ones are forgotten with it
    assert is_lost(kept, log.state), "who cannot compare is careful"
    for held, lost in ((kept, False), (replace(kept, digest="f" * 32), True)):
        keeping = Keeping(None, "broker-1")
        keeping.kept = held
        state = State()
        for record in log.log:
            state, verdict = fold(state, record)
            keeping.saw(state, verdict)
        assert (await keeping.join(state)).owed is lost


def test_rule_11_under_one_leader_nothing_is_lost_however_long_ago_a_claim_was_closed() -> None:
    log, one, _ = two()
    log.release(one, log.dirty(one, "x:a"), "undone")
    gone = {"claim": -5, "epoch": log.epoch}
    kept = replace(carried(log.state, "broker-1", NOTHING), redeclare=(gone,))
    assert not is_lost(kept, _long_after(log).state)


def test_rule_11_operators_changes_that_were_lost_are_named() -> None:
    log, one, _ = two()
    before = replace(log.state)
    log.order(one, "pause", on=True, selector="kind:k", **{"for": 0})
    kept = carried(log.state, "broker-1", NOTHING)
    assert lost_changes(kept, log.state) == ()
    assert lost_changes(kept, before) == ("pause/kind:k",)


def test_rule_11_what_is_kept_comes_back_and_garbage_is_nothing() -> None:
    log, one, _ = two()
    log.dirty(one, "x:a", problem="p")
    kept = replace(carried(log.state, "broker-1", NOTHING), owed=True)
    assert unpack(pack(kept)) == kept
    assert unpack(None) == unpack(b"{") == unpack(b'{"log":1}') == NOTHING


def test_section_6_two_peers_must_agree_or_the_one_that_there_is_or_none() -> None:
    log, one, other = two()
    agreement = Agreement()

    def beat(session: int) -> None:
        log.beat(session)
        agreement.saw(log.state, log.last, "broker-1", one)

    assert agreement.missing(log.state, "broker-1") is not None
    beat(one)
    assert agreement.missing(log.state, "broker-1") is not None
    beat(other)
    assert agreement.missing(log.state, "broker-1") is None
    third, fourth = log.join("broker-3"), log.join("broker-4")
    assert agreement.missing(log.state, "broker-1") is not None
    beat(third)
    assert agreement.missing(log.state, "broker-1") is None
    for session in (other, third, fourth):
        log.say(session, "leave")
    agreement.drop()
    assert agreement.missing(log.state, "broker-1") is None


def test_rule_12_a_peer_whose_stamps_differ_again_and_again_is_named() -> None:
    log, one, other = two()
    agreement = Agreement()
    beat = {"status": "", "firing": []}
    for times in range(1, 4):
        log.put("beat", "broker-2", other, beat, d="f" * 64)
        agreement.saw(log.state, log.last, "broker-1", one)
        assert (agreement.differing() is not None) == (times == 3)
    assert str(agreement.differing()).startswith("broker-2 comes to another state")
    log.beat(other)
    agreement.saw(log.state, log.last, "broker-1", one)
    assert agreement.differing() is None


def test_rule_12_copies_of_long_ago_say_nothing_of_a_peers_state() -> None:
    """A flood of an agent's own old records: what their stamps meant, nobody remembers."""
    log, one, other = two()
    agreement = Agreement()
    log.beat(other)
    copy = log.log[-1].value
    for _ in range(KNOWN):
        log.raw(b"noise")
    for _ in range(STAMPS):
        assert log.raw(copy).void == OTHER_HISTORY
        agreement.saw(log.state, log.last, "broker-1", one)
    assert agreement.differing() is None


def test_rule_9_what_others_held_is_kept_once_the_log_does_not_have_it_any_more() -> None:
    log = Scribe.born()
    one, two = log.join("broker-1"), log.join("broker-2")
    own, others, waits = log.dirty(one, "x:a"), log.dirty(two, "x:b"), log.claimed(two, "x:c")
    kept = carried(log.state, "broker-1", NOTHING)
    assert [lost.claim for lost in kept.others] == [others]
    assert kept.lost == ()
    assert own != waits
    lost = owing(kept)
    assert lost.owed
    assert unexplained(lost.lost, log.state) == ()  # the claim survived
    (gone,) = unexplained(lost.lost, Scribe.born().state)
    assert (gone.claim, gone.agent, gone.scopes, gone.host) == (others, "broker-2", ("x:b",), "")
    assert lost_effect(lost, log.state.claims[others]) == log.state.claims[others].effect
    assert lost_effect(lost, log.state.claims[own]) is None
    assert carried(log.state, "broker-1", lost).lost == lost.lost  # its intent may be what is lost next
    log.release(two, others, "undone")
    assert unexplained(lost.lost, log.state) == ()  # closed since, by who made sure
    assert carried(log.state, "broker-1", lost).lost == ()
    assert unpack(pack(lost)) == lost


def test_rule_9_what_is_lost_outlives_another_loss_and_a_save() -> None:
    log = Scribe.born()
    one, two = log.join("broker-1"), log.join("broker-2")
    log.dirty(two, "x:b")
    lost = owing(carried(log.state, "broker-1", NOTHING))
    other = Scribe.born()
    again = carried(other.state, "broker-1", lost)
    assert again.lost == lost.lost
    assert owing(again).lost == lost.lost
    assert one < two
