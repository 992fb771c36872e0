"""A remedy in mode `propose`, in virtual time; and a remedy's limit for the whole cluster."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from claiming_stage import limited, pause_fleet, peer, reload
from stage import Disk, Stage, book, kinds

from agent.control_topic import ControlTopic
from agent.control_topic.birth import walk
from agent.daemon.proposals import answer
from agent.daemon.service import Notes
from agent.model import Entry, Kind, Limits, Mode, Rate
from agent.rehearsal.memory_log import Line, MemoryLog
from agent.rehearsal.virtual_time import run
from agent.surface import Refused
from agent.wire import decode


def proposing(steps: int = 1) -> Stage:
    return Stage(rules=book(steps, mode=Mode.PROPOSE), disk=Disk())


def proposal(stage: Stage) -> Entry:
    """The newest one."""
    return [e for e in stage.entries() if e.kind is Kind.PROPOSED][-1]


def shown(stage: Stage) -> str:
    """The name under which `ottla status` shows it."""
    return stage.means.ledger.history.incidents[proposal(stage).incident].proposal


async def said(stage: Stage, verb: str, reason: str = "", named: str | None = None) -> None:
    await answer(stage.means, shown(stage) if named is None else named, verb, reason, "ann")
    stage.daemon.wake()


def test_it_asks_once_says_what_it_would_change_and_acts_when_a_person_says_so() -> None:
    async def story() -> Stage:
        stage = proposing()
        await stage.start()
        await stage.play(60, used=0.9)
        assert stage.disk.applied == 0
        (change,) = proposal(stage).effect.changes  # type: ignore[union-attr]
        assert (change.resource, change.new) == ("disk/1", "on")
        await said(stage, "approve", "looked at it")
        await stage.play(60)
        await stage.crash()
        return stage

    stage = run(story())
    told = stage.told()

    assert kinds(told) == ["proposed", "operator", "started", "done", "healed", "undone", "closed"], told
    assert "(approve)" in told[1]
    assert "ann: looked at it" in told[1]
    assert stage.disk.applied == 1


def test_what_is_denied_is_not_done_until_somebody_approves_it_after_all() -> None:
    async def story() -> Stage:
        stage = proposing()
        await stage.start()
        await stage.play(30, used=0.9)
        await said(stage, "deny", "not now")
        await stage.play(60)
        assert stage.disk.applied == 0
        await said(stage, "approve")
        await stage.play(60)
        await stage.crash()
        return stage

    told = run(story()).told()

    assert kinds(told)[:5] == ["proposed", "operator", "refused", "operator", "started"], told
    assert told[2].endswith("refused: denied by ann: not now (mode)")


def test_a_proposal_that_nobody_answers_ends_with_its_alert() -> None:
    async def story() -> Stage:
        stage = proposing()
        await stage.start()
        await stage.play(60, used=0.9)
        await stage.play(60, used=0.5)
        with pytest.raises(Refused, match="is not proposed, but closed; proposed are: none"):
            await said(stage, "approve", named=proposal(stage).incident)
        await stage.crash()
        return stage

    told = run(story()).told()

    assert kinds(told) == ["proposed", "withdrawn"], told
    assert "the proposal expired: " in told[1]


def test_an_approval_goes_through_the_gate_on_fresh_data() -> None:
    """Another broker fails before the next try: nothing begins, however often it was approved."""

    async def story() -> Stage:
        stage = proposing()
        await stage.start()
        await stage.play(30, used=0.9)
        await stage.play(0, fenced=frozenset({3}))
        await said(stage, "approve")
        await stage.play(30)
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.applied == 0
    assert "broker 3 is down" in stage.told()[-1]


def test_an_approval_that_could_not_begin_for_long_is_asked_for_again() -> None:
    async def story() -> Stage:
        stage = proposing()
        await stage.start()
        await stage.play(30, used=0.9)
        await stage.play(0, fenced=frozenset({3}))
        await said(stage, "approve")
        await stage.play(1_000)
        await stage.play(30, fenced=frozenset())
        await stage.crash()
        return stage

    told = run(story()).told()

    assert kinds(told)[-1] == "proposed", told
    assert "approved it more than 15m ago" in told[-1]


def test_each_step_of_a_ladder_is_asked_for_and_an_answer_outlives_a_crash() -> None:
    async def story() -> Stage:
        stage = proposing(steps=2)
        await stage.start()
        await stage.play(30, used=0.9, helps=False)
        await said(stage, "approve")
        await stage.crash()
        await stage.start()
        await stage.play(120)
        await stage.crash()
        return stage

    stage = run(story())
    told = kinds(stage.told())

    assert told.count("started") == stage.disk.applied == 1, stage.told()
    assert told[-1] == "proposed"
    assert proposal(stage).decision.step == 1  # type: ignore[union-attr]


def test_a_remedy_s_limit_for_the_cluster_travels_with_its_claim_and_is_kept() -> None:
    """One in an hour by all agents together: the second patient of the hour is refused in words."""

    async def story() -> Stage:
        limits = Limits(cooldown_ms=1, per_cluster=Rate(1, 3_600_000))
        stage = Stage(rules=book(limits=limits), disk=Disk())
        log = MemoryLog(stage.now)
        other = await peer(log, limited(stage, log))
        await stage.start()
        await stage.play(60, used=0.9)
        (began,) = other.state.began
        assert "limit/Full" in began.names
        (start,) = [entry for entry in stage.means.ledger.entries if entry.kind is Kind.STARTED]
        (incident,) = stage.means.ledger.history.incidents.values()
        assert incident.claimed == (start.claim, other.state.epoch), "no other claim is ever taken for it"
        await stage.play(700, used=0.5)  # the problem's own cool-down
        await stage.play(30, used=0.9)
        await other.close()
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.applied == 1, stage.told()
    assert "rate: limit/Full allows 1 in 3600 s: 1 began, 0 wait" in stage.told()[-1]


def test_what_was_approved_may_be_denied_while_its_claim_waits() -> None:
    async def story() -> Stage:
        stage = proposing()
        log = MemoryLog(stage.now)
        other = await peer(log, limited(stage, log))
        await stage.start()
        await stage.play(30, used=0.9)
        offset = await pause_fleet(other, on=True)
        await said(stage, "approve")
        await stage.play(20)
        assert kinds(stage.told())[-1] == "waiting"
        with pytest.raises(Refused, match=r"nothing is proposed as '[0-9a-f]{6}'; proposed are: none"):
            await said(stage, "approve", named=shown(stage))
        await said(stage, "deny", "wrong disk")
        await stage.play(10)
        assert not other.state.claims, "it is given back while the pause lasts"
        await pause_fleet(other, on=False, expect=offset)
        await stage.play(60)
        assert stage.disk.applied == 0
        await said(stage, "approve", "the right one after all")
        await stage.play(20)
        assert stage.disk.applied == 1
        await other.close()
        await stage.crash()
        return stage

    told = run(story()).told()

    assert told[4].endswith("refused: denied by ann: wrong disk (mode)"), told


def test_what_was_approved_and_cannot_begin_may_be_denied() -> None:
    async def story() -> Stage:
        stage = proposing()
        await stage.start()
        await stage.play(30, used=0.9)
        await stage.play(0, fenced=frozenset({3}))
        await said(stage, "approve")
        await stage.play(30)
        await said(stage, "deny")
        await stage.play(30, fenced=frozenset())
        await stage.crash()
        return stage

    assert run(story()).disk.applied == 0


def test_no_answer_is_taken_that_would_count_for_nothing() -> None:
    """The remedy acts by itself since: what denies it is the stop file, or a pause."""

    async def story() -> None:
        stage = proposing()
        log = MemoryLog(stage.now)
        other = await peer(log, limited(stage, log))
        await stage.start()
        await stage.play(30, used=0.9)
        await pause_fleet(other, on=True)
        await said(stage, "approve")
        await stage.play(20)
        reload(stage, book(mode=Mode.ACT))
        with pytest.raises(Refused, match="the remedy of Full asks nobody any more: it is in mode act"):
            await said(stage, "deny")
        await other.close()
        await stage.crash()

    run(story())


async def noted(log: MemoryLog) -> list[Entry]:
    """What the log took as notes."""
    told = [verdict.record async for _, verdict in walk(Line(log)) if verdict.void is None]
    return [decode(record.x["entry"].encode()) for record in told if record and record.t == "note"]


def test_an_approval_is_noted_in_the_control_topic() -> None:
    """Who approved what is the fleet's history; it needs no record of its own."""

    async def story() -> list[Entry]:
        stage, notes = proposing(), Notes()
        log = MemoryLog(stage.now)
        await limited(stage, log).start()
        stage.means.ledger._told = notes.told
        noting = asyncio.ensure_future(notes.run(cast(ControlTopic, stage.control)))
        await stage.play(60, used=0.9)
        await said(stage, "approve", "looked at it")
        await stage.play(5)
        noting.cancel()
        await stage.crash()
        return await noted(log)

    told = run(story())

    [approval] = [entry for entry in told if entry.kind is Kind.OPERATOR]
    assert (approval.question, approval.reason) == ("approve", "ann: looked at it")
    assert approval.decision is not None
    assert approval.decision.do == "brake"
    assert [entry.kind for entry in told[:3]] == [Kind.PROPOSED, Kind.OPERATOR, Kind.STARTED]


def test_a_limit_for_the_cluster_that_no_claim_would_count_is_refused() -> None:
    async def story() -> Stage:
        stage = Stage(rules=book(limits=Limits(per_cluster=Rate(1, 3_600_000))), disk=Disk())
        await stage.start()
        await stage.play(30, used=0.9)
        await stage.crash()
        return stage

    words = "per_cluster is counted by claims, and this needs none: use per_host (rates)"
    assert run(story()).told()[-1].endswith(words)
