"""Rule 12 of coordination.md section 4: a peer's stamps differ. Fold again; differs still: do not act."""

from __future__ import annotations

import asyncio

import pytest
from test_control_topic import EFFECT
from test_control_topic_cluster import Brokers, Fleet, play

from agent.control.agreement import STAMPS
from agent.control.bodies import FOLD
from agent.control.records import Record, encode
from agent.control_topic import ControlTopic, ControlUnavailable, NotAccepted

WORDS = "broker-2 comes to another state from the same log: one of us is wrong"


async def forge(fleet: Fleet, one: ControlTopic) -> None:
    """The live session of broker-2 stamps as if it had folded to another state, as often as counts."""
    session = next(s for s in one.state.sessions.values() if s.agent == "broker-2")
    body = {"status": "", "firing": []}
    for number in range(STAMPS):
        n, b = session.n + 1_000 + number, one.state.offset
        record = Record("beat", FOLD, "topic-1", "broker-2", session.id, n, b, "f" * 64, body)
        await fleet.log.land(encode(record))
    await asyncio.sleep(3)


def test_rule_12_who_differs_after_the_second_folding_stops_all_but_undoing_until_it_is_gone() -> None:
    async def story(fleet: Fleet) -> None:
        one, two = await fleet.start(1, Brokers()), await fleet.start(2, Brokers())
        await asyncio.sleep(30)
        claim = await one.claim("quota", ["quota"], "p", "")
        await one.granted(claim)
        await one.intent(claim, EFFECT)
        await two._life.stop()
        first = one.own_claims()[claim].session
        await forge(fleet, one)
        assert one.degraded is None
        assert one.own_claims()[claim].session > first  # it joined anew, and declared what it holds
        await forge(fleet, one)
        assert one.degraded == one.differing == WORDS
        assert one.objection(claim) == WORDS
        with pytest.raises(NotAccepted, match="comes to another state"):
            await one.barrier(claim)
        assert one.objection(claim, undo=True) is None
        waits = await one.claim("quota", ["quota"], "q", "")
        assert WORDS in one.blockers(waits)
        with pytest.raises(ControlUnavailable, match="comes to another state"):
            await one.granted(waits)
        async with asyncio.timeout(3_600):
            while any(s.agent == "broker-2" for s in one.state.sessions.values()):
                await asyncio.sleep(1)
        await asyncio.sleep(30)
        assert one.degraded is None
        await one.barrier(claim)

    play(story)


def test_rule_12_it_is_folded_again_each_time_that_a_peer_which_agreed_differs_anew() -> None:
    async def story(fleet: Fleet) -> None:
        one, two = await fleet.start(1, Brokers()), await fleet.start(2, Brokers())
        await asyncio.sleep(30)
        for _ in range(2):
            sessions = set(one.state.sessions)
            await forge(fleet, one)
            await asyncio.sleep(30)
            assert one.degraded is two.degraded is None
            assert not {s.id for s in one.state.sessions.values() if s.agent == "broker-1"} <= sessions

    play(story)
