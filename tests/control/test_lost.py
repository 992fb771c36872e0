"""Section 9 of coordination.md: what went with a lost tail is known to the log again before grants resume."""

from __future__ import annotations

from scribe import CALM, Scribe, effect

from agent.control.carried import Carried, carried, owing
from agent.control.duties import Duties
from agent.control.lost import AGAIN, Lost, Restorer, no_room, unexplained
from agent.control.times import LAB, Budget, Times

CAP = {"quota": Budget(cap=2)}


def lost(log: Scribe, agent: str = "broker-1") -> tuple[Lost, ...]:
    """What that agent knows of others' claims once all of this log is lost."""
    return owing(carried(log.state, agent, Carried())).lost


def one_lost(*scopes: str) -> Lost:
    """Of broker-2, by broker-1."""
    log = Scribe.born(budgets=CAP)
    log.join("broker-1")
    log.dirty(log.join("broker-2"), *(scopes or ("quota", "x:broker/2")), problem="p")
    (one,) = lost(log)
    return one


def born(*agents: str, times: Times = LAB) -> tuple[Scribe, list[int]]:
    """A log that knows nothing of it, and its agents."""
    log = Scribe.born(times, budgets=CAP)
    return log, [log.join(agent) for agent in agents]


def test_section_9_it_is_told_within_the_time_that_the_log_settles_and_once() -> None:
    one = one_lost()
    log, (session, _) = born("broker-1", "broker-3")
    restorer = Restorer()
    begun = 50_000
    assert restorer.next(log.state, session, [one], begun) is None
    due = restorer.due(log.state, session, [one], begun)
    assert due is not None
    assert LAB.settle // 4 < due - begun < LAB.settle
    assert restorer.next(log.state, session, [one], due - 1) is None
    body = restorer.next(log.state, session, [one], due)
    assert body is not None
    assert restorer.next(log.state, session, [one], due + AGAIN - 1) is None
    assert restorer.next(log.state, session, [one], due + AGAIN) == body
    assert log.say(session, "found", **body).void is None
    (claim,) = log.state.claims.values()
    assert (claim.state, claim.scopes, claim.kind, claim.host) == ("orphan", one.scopes, one.kind, one.host)
    assert claim.effect == one.effect
    assert restorer.due(log.state, session, unexplained([one], log.state), due + AGAIN) is None


def test_section_9_what_was_told_is_not_told_by_the_next_one_nor_once_it_is_closed() -> None:
    one = one_lost()
    log, (session, other) = born("broker-1", "broker-3")
    body = Restorer().next(log.state, session, [one], 0) or {}
    assert body == {}
    restorer = Restorer()
    restorer.next(log.state, session, [one], 0)
    log.say(session, "found", **(restorer.next(log.state, session, [one], 60_000) or {}))
    assert unexplained([one], log.state) == ()
    (claim,) = log.state.claims.values()
    assert log.say(other, "adopt", id=claim.id, token=claim.token).void is None
    log.release(other, claim.id, "undone")
    assert log.state.claims == {}
    assert unexplained([one], log.state) == ()
    assert carried(log.state, "broker-1", Carried(lost=(one,))).lost == ()


def test_section_9_who_declares_it_again_needs_nobody_to_tell_of_it() -> None:
    log = Scribe.born(budgets=CAP)
    log.join("broker-1")
    log.dirty(log.join("broker-2"), "quota", problem="p")
    (one,) = lost(log)
    own = owing(carried(log.state, "broker-2", Carried()))
    again, (session,) = born("broker-1")
    holder = again.join("broker-2", redeclare=own.redeclare)
    assert unexplained([one], again.state) == ()
    (claim,) = again.state.claims
    again.release(holder, claim, "undone")
    assert unexplained([one], again.state) == ()
    assert session < holder


def test_section_9_an_offset_that_is_used_again_explains_nothing() -> None:
    """Another claim of the same agent on the same problem, under the same id, in another epoch."""
    one = one_lost("quota")
    log = Scribe.born(budgets=CAP)
    log.join("broker-1")
    log.epoch = 1
    session = log.join("broker-2")
    assert log.claimed(session, "quota", problem="p") == one.claim
    assert unexplained([one], log.state) == (one,)


def test_section_9_it_is_told_right_before_the_session_is_ended_for_which_all_wait() -> None:
    """With that grants resume."""
    one = one_lost()
    log, (session, _) = born("broker-1", "broker-2")
    duties = Duties("broker-1")
    duties.saw(log.state, log.last, session, 0)
    log.epoch += 1
    told = []
    for boot in range(500, LAB.w + 2_000, 500):
        log.beat(session)
        duties.saw(log.state, log.last, session, boot)
        assert duties.restorer.due(log.state, session, [one], boot) is None
        t, x = duties.next(log.state, session, (boot, None), boot, lost=unexplained([one], log.state)) or (
            "",
            {},
        )
        if t in ("found", "adopt", "expire"):
            told.append((t, boot))
            log.say(session, t, **x)
            duties.saw(log.state, log.last, session, boot)
    assert [t for t, _ in told] == ["found", "adopt", "expire"]
    assert told[0][1] >= LAB.w


def test_section_9_nothing_is_told_that_an_open_claim_changes() -> None:
    one = one_lost()
    log, (session, other) = born("broker-1", "broker-3", times=CALM)
    claim = log.dirty(other, "quota")
    assert log.state.claims[claim].effect == one.effect
    restorer = Restorer()
    assert restorer.due(log.state, session, [one], 0) is None
    log.release(other, claim, "undone")
    assert restorer.due(log.state, session, [one], 0) is not None


def test_section_9_nothing_begins_beside_it_until_it_is_told() -> None:
    one = one_lost()
    log, (session, other) = born("broker-1", "broker-3", times=CALM)
    first = log.claimed(session, "quota", "x:broker/1")
    assert no_room(log.state, [one], log.state.claims[first]) is None  # the cap has room for both
    second = log.dirty(other, "quota", "x:broker/3")
    assert no_room(log.state, [], log.state.claims[first]) is None
    why = no_room(log.state, [one], log.state.claims[first])
    assert why is not None
    assert why.startswith(f"quota may be held by claim {one.claim} of broker-2")
    assert no_room(log.state, [one], log.state.claims[second]) is None
    third = log.claimed(session, "x:broker/2")
    assert "x:broker/2" in (no_room(log.state, [one], log.state.claims[third]) or "")


def test_section_9_it_is_a_duty_of_its_session() -> None:
    one = one_lost()
    log, (session, _) = born("broker-1", "broker-3")
    duties = Duties("broker-1")
    log.beat(session)
    assert duties.next(log.state, session, (0, None), 0, lost=[one]) is None
    duty = duties.next(log.state, session, (LAB.settle, None), LAB.settle, lost=[one])
    assert duty is not None
    assert duty[0] == "found"
    assert duty[1]["effect"] == effect("k")
