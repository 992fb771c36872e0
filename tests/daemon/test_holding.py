"""An incident's claim: whose it is, and when it is given back (coordination.md section 4, rules 5 and 6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from claimed_drain import DRAIN, SCOPES, Copying
from fenced_cluster import TIMES, boot_ms
from fenced_fleet import EFFECT, RATE, SET, UNSET, Fleet, play
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stories import decision

from agent.actions import Stopped
from agent.actions.clear_leftover_throttle import ClearLeftoverThrottle
from agent.actions.drain_disk import DrainDisk
from agent.actions.throttle_replication import ThrottleReplication
from agent.control.state import ClaimState
from agent.daemon.holding import Broken, Holding, in_its_midst
from agent.history import History, Incident, replay
from agent.kafka.errors import KafkaInDoubt
from agent.model import Boot, Change, Effect, Entry, Kind, Operation


def incident(claim: int, *after: Kind, until: int | None = None, effect: Effect = EFFECT) -> Incident:
    """A throttle that stands under this claim."""
    of = decision(do="throttle_replication")
    started = Entry(
        0,
        Kind.STARTED,
        "so",
        of.incident,
        decision=of,
        effect=effect,
        claim=claim,
        until=until,
        boot=Boot("machine", 0),
    )
    history = replay([started, *(Entry(1 + n, kind, "so", of.incident) for n, kind in enumerate(after))])
    return history.incidents[of.incident]


def holding(
    fleet: Fleet,
    *after: Kind,
    resumed: bool = True,
    until: int | None = None,
    effect: Effect = EFFECT,
) -> Holding:
    """Agent 1's, of what it began under the fleet's claim."""
    means: Any = fleet.agents[1]
    one = incident(fleet.claim, *after, until=until, effect=effect)
    it = Holding(means, lambda: one, fleet.agents[1].told.append)
    it.begin(resumed=resumed)
    return it


async def restarted(fleet: Fleet, after: float) -> None:
    """Agent 1 was dead for so many seconds; it knows its incident, so that no sweep of its own touches it."""
    await fleet.agents[1].die()
    await asyncio.sleep(after)
    again = await fleet.start(1)
    again.claims.add(fleet.claim)


def test_what_another_has_adopted_is_left_to_it() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await restarted(fleet, 60)
        it = holding(fleet, Kind.DONE)
        with pytest.raises(Broken, match=r"broker-[23] has its claim, and closes it: dirty"):
            await it.ours()
        assert it.closed() is None
        assert fleet.cluster.values == SET
        await fleet.closed(1)
        await it.ours()
        assert it.closed() == "undone"
        assert fleet.cluster.values == UNSET

    play(story)


@pytest.mark.parametrize("asked", [1, 2])
def test_what_is_stuck_is_said_to_be_closed_by_a_person_alone(asked: int) -> None:
    """Its holder was restarted once more than a claim is adopted: no agent closes it any more."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        keep = set(fleet.agents[1].claims)
        for _ in range(4):
            await fleet.agents[1].die()
            again = await fleet.start(1)
            again.claims |= keep
            await asyncio.sleep(1)
        stuck = fleet.agents[asked].control.claim_called(fleet.claim)
        assert stuck is not None
        assert (stuck.state, stuck.holder) == (ClaimState.STUCK, "broker-1")
        means: Any = fleet.agents[asked]
        one = incident(fleet.claim, Kind.DONE)
        it = Holding(means, lambda: one, means.told.append)
        it.begin(resumed=True)
        with pytest.raises(Broken) as broken:
            await it.ours()
        by_hand = f"put right what stands, then ottla fleet resolve {fleet.claim} --reason WHY"
        assert str(broken.value) == f"its claim is stuck, no agent undoes it any more: {by_hand}"
        body = {"id": stuck.id, "token": stuck.token, "reason": "looked", "by": "ann"}
        await fleet.agents[2].control.order("resolve", body)
        await asyncio.sleep(1)
        await it.ours()
        assert it.closed() == "resolved"

    play(story)


def test_where_the_log_cannot_be_used_nobody_is_waited_for() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        it = holding(fleet, Kind.DONE)
        fleet.log.unreadable = fleet.log.unwritable = "down"
        await asyncio.sleep(TIMES.degraded / 1_000 + 2)
        assert fleet.agents[1].control.degraded
        await it.ours()
        assert it.closed() is None
        await ThrottleReplication().undo(EFFECT, it.ports)
        assert fleet.cluster.values == UNSET

    play(story)


CLEARED = Effect(
    "clear_leftover_throttle", "broker-1", (Change("broker/1", RATE.key, Operation.DELETE, "5000000", None),)
)


def test_section_8_without_the_log_nothing_is_put_back_that_does_not_tell_whose_it_is() -> None:
    """Removed is removed, whoever did it: a peer may have closed the claim, and another begun since."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        one: Any = fleet.agents[1]
        it = holding(fleet, Kind.DONE, effect=CLEARED)
        fleet.cluster.values["broker/1"] = {}
        fleet.log.unreadable = fleet.log.unwritable = "down"
        await asyncio.sleep(TIMES.degraded / 1_000 + 2)
        assert one.control.degraded
        with pytest.raises(
            Stopped, match=f"does not tell whose {RATE.key} of broker/1 is: it waits for the log"
        ):
            await ClearLeftoverThrottle().undo(CLEARED, it.ports)
        assert fleet.cluster.values["broker/1"] == {}
        fleet.log.unreadable = fleet.log.unwritable = ""
        while one.control.degraded or one.control.own_claim(fleet.claim) is None:
            await asyncio.sleep(0.1)
        await one.control.barrier()
        await it.ours()
        await ClearLeftoverThrottle().undo(CLEARED, it.ports)
        assert fleet.cluster.values["broker/1"] == {RATE.key: "5000000"}

    play(story)


@pytest.mark.parametrize(
    ("after", "until"),
    [
        ((Kind.FAILED,), None),
        ((Kind.DONE, Kind.HEALED), None),
        ((Kind.DONE,), 1),
        ((Kind.DONE, Kind.HEALED), 1),
    ],
    ids=["undoing", "put back at once", "lease ended, no verdict", "lease ended"],
)
def test_after_a_restart_in_its_midst_the_claim_is_kept_until_nothing_can_land(
    after: tuple[Kind, ...], until: int | None
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await restarted(fleet, 5)
        it, action = holding(fleet, *after, until=until), ThrottleReplication()
        await action.undo(EFFECT, it.ports)
        begun = boot_ms()
        late = {RATE.key: str(RATE.new)}
        asyncio.get_running_loop().call_later(20, lambda: fleet.cluster.values["broker/1"].update(late))
        await it.give_back(
            "undone", lambda: action.undo(EFFECT, it.ports), lambda: action.observe(EFFECT, it.ports)
        )
        assert boot_ms() - begun >= 20_000 + TIMES.e_controller
        assert fleet.cluster.values == UNSET
        assert fleet.agents[1].control.claim_called(fleet.claim) is None
        assert any("in doubt" in line for line in fleet.agents[1].told)

    play(story)


def test_a_move_that_begins_after_its_undo_is_cancelled_before_the_claim_is_given_back() -> None:
    """It was in the buffer of a broker that was stopped. What is copied is not done, and yet no more gone."""
    cluster = Copying()

    async def story(fleet: Fleet) -> None:
        await fleet.claims(DRAIN, *SCOPES)
        await restarted(fleet, 5)
        it, action = holding(fleet, Kind.FAILED, effect=DRAIN), DrainDisk()
        await action.undo(DRAIN, it.ports)
        asyncio.get_running_loop().call_later(2, cluster.late_move)
        await it.give_back(
            "undone", lambda: action.undo(DRAIN, it.ports), lambda: action.observe(DRAIN, it.ports)
        )
        assert cluster.moved
        assert cluster.disks.futures == {}
        assert fleet.agents[1].control.claim_called(fleet.claim) is None

    play(story, cluster)


def test_no_sweep_closes_the_claim_of_an_ended_incident_before_nothing_can_land() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        it, action = holding(fleet, Kind.DONE, resumed=False), ThrottleReplication()
        fleet.cluster.fate, fleet.cluster.late = "late", 20.0
        with pytest.raises(KafkaInDoubt):
            await action.undo(EFFECT, it.ports)
        fleet.cluster.fate = "done"
        await action.undo(EFFECT, it.ports)
        ended = incident(fleet.claim, Kind.DONE, Kind.UNDONE)
        fleet.agents[1].history = History(incidents={ended.id: ended})
        fleet.agents[1].claims.clear()
        giving = asyncio.ensure_future(it.give_back("undone", None, lambda: action.observe(EFFECT, it.ports)))
        await asyncio.sleep(TIMES.e_controller / 1_000)
        assert fleet.agents[1].control.claim_called(fleet.claim) is not None
        await giving
        assert fleet.agents[1].control.claim_called(fleet.claim) is None
        assert not fleet.agents[1].claims

    play(story)


@given(
    length=st.integers(1, 600_000),
    away=st.integers(0, 900_000),
    off=st.integers(-3_600_000, 3_600_000),
    began=st.sampled_from([None, Boot(), Boot("here", 7_000), Boot("before", 7_000)]),
)
def test_a_lease_that_may_have_ended_while_no_agent_ran_leaves_it_in_doubt(
    length: int, away: int, off: int, began: Boot | None
) -> None:
    """So long after the start there is an agent again, and the wall clock was set by so much in between."""
    one = replace(incident(3, Kind.DONE, Kind.HEALED, until=9_000 + length), started_at=9_000, boot=began)
    doubted = in_its_midst(one, 9_000 + away + off, Boot("here", 7_000 + away))
    known = began is not None and began.id == "here"
    assert doubted == (not known or away >= length or away + off >= length)
    assert doubted or away < length


def test_what_stood_before_the_restart_is_in_no_doubt() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await restarted(fleet, 5)
        it, action = holding(fleet, Kind.DONE, until=boot_ms() + 60_000), ThrottleReplication()
        await asyncio.sleep(2)  # adopted
        begun = boot_ms()
        await action.undo(EFFECT, it.ports)
        await it.give_back("undone", None, lambda: action.observe(EFFECT, it.ports))
        assert boot_ms() - begun < 5_000
        assert fleet.cluster.values == UNSET

    play(story)
