"""Rule 8 of coordination.md section 4: a peer undoes what a dead agent left, from its intent alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from claimed_drain import DRAIN, LIMIT, SCOPES, Copying
from fenced_cluster import TIMES, boot_ms
from fenced_fleet import EFFECT, LISTED, RATE, SET, UNSET, Fleet, play
from msgspec.structs import replace as changed
from stories import decision

from agent.control.adopter import OTHERS
from agent.control.witness import rank
from agent.control_topic import ClaimState
from agent.daemon.found import Found
from agent.daemon.traces import may_be_looked_for
from agent.history import History, replay
from agent.kafka.errors import KafkaInDoubt
from agent.model import Effect, Entry, Kind, Operation
from agent.wire import BadEntry


def test_a_dead_holders_throttle_is_exactly_gone_and_its_claim_closed_in_time() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        assert fleet.cluster.values == SET
        await fleet.agents[1].die()
        died = boot_ms()
        closed = await fleet.closed(2)
        assert fleet.cluster.values == UNSET
        assert closed - died <= TIMES.w + 7_000 + OTHERS + TIMES.act + TIMES.e_controller + 5_000
        (closer,) = [a for a in (fleet.agents[2], fleet.agents[3]) if a.told]
        assert closer.told == [
            f"claim {fleet.claim} closed: adopted from broker-1: nothing of what it set stands"
        ]
        assert "p" in closer.control.state.handled

    assert not play(story).cluster.killed


def test_nothing_is_touched_before_it_is_settled() -> None:
    """What the dead holder sent last may land after its claim was adopted."""

    async def story(fleet: Fleet) -> None:
        fleet.cluster.fate, fleet.cluster.late = "late", 70.0
        with pytest.raises(KafkaInDoubt):
            await fleet.hold()
        await fleet.agents[1].die()
        fleet.cluster.fate = "done"
        await asyncio.sleep(60)
        adopted = fleet.agents[2].control.claim_called(fleet.claim)
        assert adopted is not None
        assert adopted.adoptions == 1
        await fleet.closed(2)
        assert fleet.cluster.values == {"topic/orders": {LISTED.key: "7:9"}}

    play(story)


def test_section_4_rule_5_what_an_adopter_sent_last_is_waited_for_too() -> None:
    """Agent 2 dies with an undo of a topic's list in its broker's buffer, and its broker is stopped."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        fleet.cut, before = {3}, fleet.cluster.writes
        await fleet.agents[1].die()
        fleet.cluster.fate = "never"
        async with asyncio.timeout(600):
            while fleet.cluster.writes == before:
                await asyncio.sleep(0.1)
        await fleet.agents[2].die()
        fleet.cluster.fate, fleet.cut = "done", set()
        fleet.cluster.dead.add(2)
        with pytest.raises(TimeoutError):
            await fleet.closed(3)
        fleet.cluster.dead.clear()
        back = boot_ms()
        assert await fleet.closed(3) - back >= TIMES.e_controller
        assert fleet.cluster.values == UNSET

    play(story)


@pytest.mark.parametrize("cut", [2, 3])
def test_who_does_not_reach_the_brokers_leaves_it_to_who_does(cut: int) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        fleet.cut = {cut}
        await fleet.agents[1].die()
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET
        assert fleet.agents[cut].told == []

    play(story)


def test_where_nobody_reaches_the_brokers_it_stays_an_orphan_until_somebody_does() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        fleet.cut = {2, 3}
        await fleet.agents[1].die()
        await asyncio.sleep((TIMES.w + OTHERS) / 1_000 + 60)
        orphan = fleet.agents[2].control.claim_called(fleet.claim)
        assert orphan is not None
        assert (orphan.state, orphan.adoptions) == (ClaimState.ORPHAN, 0)
        fleet.cut = set()
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET

    play(story)


def test_who_does_not_know_the_action_leaves_it_to_a_peer_that_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Releases are mixed; which of them comes first by rank, the session's offset tells."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        state = fleet.agents[2].control.state
        nodes = {s.id: int(s.agent.removeprefix("broker-")) for s in state.sessions.values() if s.id > 1}
        first, last = sorted((s for s in nodes if nodes[s] != 1), key=lambda s: rank(state, fleet.claim, s))
        fleet.agents[nodes[first]].actions = {}
        await fleet.agents[1].die()
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET
        assert fleet.agents[nodes[first]].told == []
        assert len(fleet.agents[nodes[last]].told) == 1

    play(story)
    assert len([r for r in caplog.records if "is not adopted here" in r.message]) == 1


def test_what_nobody_can_finish_stays_an_orphan_and_a_person_resolves_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        for node in (2, 3):
            fleet.agents[node].actions = {}
        await fleet.agents[1].die()
        fleet.agents[1].actions = {}
        await asyncio.sleep((TIMES.w + OTHERS) / 1_000 + 60)
        control = fleet.agents[2].control
        orphan = control.claim_called(fleet.claim)
        assert orphan is not None
        assert (orphan.state, orphan.adoptions) == (ClaimState.ORPHAN, 0)
        told = [r.message for r in caplog.records if "is not adopted here" in r.message]
        assert len(told) == 2, "each says it once"
        assert told[0].startswith(f"claim {fleet.claim} of broker-1 is not adopted here: its action")
        body = {"id": orphan.id, "token": orphan.token, "reason": "looked", "by": "ann"}
        await control.order("resolve", body)
        assert control.claim_called(fleet.claim) is None

    play(story)


@pytest.mark.parametrize(
    "effect",
    [
        changed(EFFECT, owner="host-1"),
        changed(EFFECT, changes=(changed(RATE, resource="group/x"),)),
        changed(EFFECT, changes=(changed(RATE, resource="broker/x"),)),
        changed(EFFECT, changes=(changed(RATE, resource="broker/1", operation=Operation.MOVE),)),
    ],
)
def test_what_names_nothing_that_is_known_is_adopted_by_nobody(effect: Effect) -> None:
    """A later release's, or forged: it ended its adopter's sweep, or was held for good by one that lives."""

    async def story(fleet: Fleet) -> None:
        await fleet.claims(effect, "throttle", "x:broker/1", by_anyone=True)
        await fleet.agents[1].die()
        await asyncio.sleep((TIMES.w + OTHERS) / 1_000 + 300)
        await fleet.start(1)
        await asyncio.sleep(300)
        orphan = fleet.agents[2].control.claim_called(fleet.claim)
        assert orphan is not None
        assert (orphan.state, orphan.adoptions) == (ClaimState.ORPHAN, 0)
        assert not any(task.done() for agent in fleet.agents.values() for task in agent.tasks)

    play(story)


def test_the_own_agent_that_does_not_know_its_action_any_more_leaves_it_to_its_peers() -> None:
    """An older release was put back."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.agents[1].die()
        again = await fleet.start(1, actions=False)
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET
        assert again.told == []

    play(story)


def test_rule_9_an_orphan_whose_stamp_tells_nothing_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its intent is lost, and its rate would end like any round one."""
    monkeypatch.setattr("agent.daemon.traces.ROUND", 1)

    async def story(fleet: Fleet) -> None:
        await intent_lost(fleet, 4, forgotten=True)
        with pytest.raises(TimeoutError):
            await fleet.closed(2)
        orphan = fleet.agents[2].control.claim_called(fleet.claim)
        assert orphan is not None
        assert (orphan.state, orphan.adoptions) == (ClaimState.ORPHAN, 0)

    play(story)


def test_the_own_agent_comes_first_and_others_leave_it_alone() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.agents[1].die()
        await asyncio.sleep(5)
        again = await fleet.start(1)
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET
        assert again.told == [f"claim {fleet.claim} closed: of a former life: nothing of what it set stands"]
        assert fleet.agents[2].told == fleet.agents[3].told == []

    play(story)


def test_what_belongs_to_its_host_waits_for_it() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold(by_anyone=False)
        await fleet.agents[1].die()
        with pytest.raises(TimeoutError):
            await fleet.closed(2)
        assert fleet.cluster.values == SET
        await fleet.start(1)
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET

    play(story)


@pytest.mark.parametrize("limit", [None, "2000000"])
def test_a_copy_is_cancelled_though_a_person_took_its_limit_away_or_raised_it(limit: str | None) -> None:
    """By its own agent, whose journal knows nothing of it any more. It would go on without one."""
    cluster = Copying()

    async def story(fleet: Fleet) -> None:
        await fleet.claims(DRAIN, *SCOPES)
        cluster.begin()
        await fleet.agents[1].die()
        cluster.values["broker/1"] = {} if limit is None else {LIMIT.key: limit}
        await fleet.start(1)
        await fleet.closed(2)
        assert cluster.disks.futures == {}
        assert cluster.values["broker/1"] == ({} if limit is None else {LIMIT.key: limit})

    play(story, cluster)


def test_a_copy_out_of_an_offline_log_dir_keeps_its_claim_until_it_can_be_cancelled() -> None:
    """Its limit is put back by the first try already."""
    cluster = Copying()

    async def story(fleet: Fleet) -> None:
        await fleet.claims(DRAIN, *SCOPES)
        cluster.begin()
        await fleet.agents[1].die()
        cluster.disks.volumes["/d1"].offline = True
        await fleet.start(1)
        with pytest.raises(TimeoutError):
            await fleet.closed(2)
        assert cluster.values["broker/1"] == {}
        assert cluster.disks.futures
        cluster.disks.volumes["/d1"].offline = False
        await fleet.closed(2)
        assert cluster.disks.futures == {}

    play(story, cluster)


def test_a_dead_brokers_topics_are_undone_at_once_and_the_rest_when_it_answers_again() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.agents[1].die()
        fleet.cluster.dead.add(1)
        with pytest.raises(TimeoutError):
            await fleet.closed(2)
        assert fleet.cluster.values == {**SET, "topic/orders": UNSET["topic/orders"]}
        assert fleet.cluster.vias[-1] != 1  # its own broker's agent is dead, too
        fleet.cluster.dead.clear()
        back = boot_ms()
        assert await fleet.closed(2) - back >= TIMES.e_controller
        assert fleet.cluster.values == UNSET

    play(story)


def test_anothers_value_is_left_alone() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.agents[1].die()
        fleet.cluster.values["broker/1"][RATE.key] = "5"
        await fleet.closed(2)
        assert fleet.cluster.values == {**UNSET, "broker/1": {RATE.key: "5"}}

    play(story)


def test_the_stop_file_of_the_adopter_stops_its_undo() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        for node in (2, 3):
            fleet.agents[node].stop = "hands off"
        await fleet.agents[1].die()
        with pytest.raises(TimeoutError):
            await fleet.closed(2)
        assert fleet.cluster.values == SET
        for node in (2, 3):
            fleet.agents[node].stop = None
        await fleet.closed(2, 60)  # what was settled need not settle again
        assert fleet.cluster.values == UNSET

    play(story)


def test_section_8_what_another_set_is_not_undone_without_the_log() -> None:
    """A peer may have closed the claim, and its holder, which is back, hold the same under a later one."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.agents[1].die()
        fleet.cluster.answering = False  # what is in doubt does not settle yet
        control = fleet.agents[2].control
        while not (claim := control.claim_called(fleet.claim)) or not claim.adoptions:
            await asyncio.sleep(0.1)
        fleet.log.unreadable = fleet.log.unwritable = "down"
        await asyncio.sleep(TIMES.degraded / 1_000 + 2)
        fleet.cluster.answering = True
        await asyncio.sleep(LONG)
        assert all(fleet.agents[node].control.degraded for node in (2, 3))
        assert fleet.cluster.values == SET
        fleet.log.unreadable = fleet.log.unwritable = ""
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET

    play(story)


def ended(*after: Kind, claim: int = 3) -> History:
    """The own journal: a throttle under a claim, 3 is none that the log knows of, and how it went on."""
    of = decision(do="throttle_replication")
    started = Entry(0, Kind.STARTED, "so", of.incident, decision=of, effect=EFFECT, claim=claim)
    return replay([started, *(Entry(1 + n, kind, "so", of.incident) for n, kind in enumerate(after))])


async def search(fleet: Fleet, history: History, seconds: float, node: int = 1) -> list[str]:
    """What that agent tells of what it found in that time."""
    one = fleet.agents[node]
    one.history = history
    means: Any = one
    one.tasks.append(asyncio.ensure_future(Found(means, one.control).run()))
    await asyncio.sleep(seconds)
    return one.told


LONG = 2 * TIMES.e_controller / 1_000 + 300


def test_rule_9_what_stands_without_a_claim_is_found_and_undone() -> None:
    async def story(fleet: Fleet) -> None:
        fleet.cluster.values |= {key: dict(values) for key, values in SET.items()}
        told = await search(fleet, ended(Kind.FAILED, Kind.UNDONE), LONG)
        assert fleet.cluster.values == UNSET
        assert len(told) == 1
        assert told[0].endswith("of a former life: nothing of what it set stands")

    play(story)


def test_rule_9_nothing_is_found_before_it_stood_for_longer_than_e() -> None:
    """The undo of a claim that was just closed may still be seen late."""

    async def story(fleet: Fleet) -> None:
        fleet.cluster.values |= {key: dict(values) for key, values in SET.items()}
        await search(fleet, ended(Kind.FAILED, Kind.UNDONE), TIMES.e_controller / 1_000)
        fleet.cluster.values["broker/1"] = {}
        await asyncio.sleep(LONG)
        assert fleet.agents[1].control.state.claims == {}
        assert fleet.cluster.values["topic/orders"] == SET["topic/orders"]  # lists alone limit nobody

    play(story)


def test_rule_9_what_another_set_or_a_claim_explains_is_not_found() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        assert await search(fleet, ended(Kind.FAILED, Kind.UNDONE), LONG) == []
        assert fleet.cluster.values == SET
        await fleet.agents[1].control.release(fleet.claim, "done")
        fleet.cluster.values["broker/1"][RATE.key] = "5000000"
        await asyncio.sleep(LONG)
        assert fleet.cluster.values["broker/1"] == {RATE.key: "5000000"}
        assert fleet.agents[1].told == []

    play(story)


def test_rule_9_what_is_under_way_is_not_found() -> None:
    async def story(fleet: Fleet) -> None:
        fleet.cluster.values |= {key: dict(values) for key, values in SET.items()}
        assert await search(fleet, ended(Kind.DONE), LONG) == []
        assert fleet.cluster.values == SET

    play(story)


def test_section_9_what_a_lost_tail_took_along_is_an_orphan_before_grants_resume_and_undone() -> None:
    """The very values that the log had, before it was lost, are known to whoever had read it."""

    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.lose_tail(fleet.claim)
        claim = await found(fleet)
        assert fleet.agents[2].control.state.barrier  # nothing is granted yet
        assert claim.problem.startswith(f"found/{fleet.claim}.")
        assert (claim.scopes, claim.holder) == (("throttle", "x:broker/1"), "")
        assert fleet.cluster.values == SET
        await found_closed(fleet)
        assert fleet.cluster.values == UNSET
        told = [line for node in (2, 3) for line in fleet.agents[node].told]
        assert len(told) == 1
        assert told[0].endswith("nothing of what it set stands")
        tries = len([r for r in fleet.log.records if b'"t":"found"' in r.value])
        await asyncio.sleep(LONG)
        assert [fleet.agents[node].control.lost() for node in (2, 3)] == [()] * 2
        assert len([r for r in fleet.log.records if b'"t":"found"' in r.value]) == tries <= 2

    play(story)


async def found(fleet: Fleet) -> Any:
    """The claim that what was lost becomes."""
    async with asyncio.timeout(2 * TIMES.w / 1_000):
        while not fleet.agents[2].control.state.claims:
            await asyncio.sleep(0.02)
    (claim,) = fleet.agents[2].control.state.claims.values()
    return claim


async def found_closed(fleet: Fleet) -> None:
    """It was closed by whoever adopted it."""
    async with asyncio.timeout(LONG):
        while fleet.agents[2].control.state.claims:
            await asyncio.sleep(1)


def test_section_9_what_an_operator_set_there_since_is_left_alone() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.lose_tail(fleet.claim)
        fleet.cluster.values["broker/1"][RATE.key] = "2000003"  # even with the claim's own last digits
        await found(fleet)
        await found_closed(fleet)
        assert fleet.cluster.values == UNSET | {"broker/1": {RATE.key: "2000003"}}
        assert fleet.agents[2].control.lost() == ()

    play(story)


def test_section_9_nothing_is_given_up_while_its_broker_does_not_tell() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.lose_tail(fleet.claim)
        fleet.cluster.dead.add(1)
        await asyncio.sleep(LONG)
        assert len(fleet.agents[2].control.state.claims) == 1
        fleet.cluster.dead.clear()
        await found_closed(fleet)
        assert fleet.cluster.values == UNSET

    play(story)


def test_section_9_what_lands_late_of_a_claim_that_a_lost_tail_took_along_is_undone() -> None:
    """Nothing of it stands when the tail is lost: who looks at once would have forgotten it."""

    async def story(fleet: Fleet) -> None:
        fleet.cluster.fate, fleet.cluster.late = "late", 70.0
        with pytest.raises(KafkaInDoubt):
            await fleet.hold()
        fleet.cluster.fate = "done"
        await fleet.lose_tail(fleet.claim)
        assert fleet.cluster.values == {"topic/orders": UNSET["topic/orders"]}
        await found(fleet)
        await found_closed(fleet)
        assert boot_ms() - 1_000_000 > 70_000
        assert fleet.cluster.values == {"topic/orders": UNSET["topic/orders"]}

    play(story)


def test_section_9_a_peer_that_declares_its_claim_again_is_left_to_it() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        await fleet.log.lose_tail(len(fleet.log.records) - fleet.claim)
        await asyncio.sleep(10)
        claim = fleet.agents[2].control.claim_called(fleet.claim)
        assert claim is not None
        assert claim.holder == "broker-1"
        assert await search(fleet, History(), LONG, 2) == []
        assert fleet.cluster.values == SET
        assert list(fleet.agents[2].control.state.claims.values()) == [claim]

    play(story)


async def intent_lost(
    fleet: Fleet, stamp: int | None = None, *, forgotten: bool = False, plan: bool = True
) -> None:
    """The claim stands in the log, its intent went with a tail, its effect reached the brokers; its holder is
    dead, and where that is `forgotten` nobody lives who had read the intent."""
    await fleet.hold(stamp=stamp, plan=plan)
    if forgotten:
        for node in (2, 3):
            await fleet.agents[node].die()
    await fleet.lose_tail(fleet.claim + 1)
    if forgotten:
        for node in (2, 3):
            await fleet.start(node)


def test_rule_9_an_orphan_of_a_barrier_is_undone_by_who_had_read_its_lost_intent() -> None:
    async def story(fleet: Fleet) -> None:
        await intent_lost(fleet)
        lost = fleet.agents[2].control.claim_called(fleet.claim)
        assert lost is not None
        assert lost.effect is None
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET

    play(story)


def test_rule_9_an_orphan_whose_intent_nobody_had_read_is_undone_by_its_stamp() -> None:
    """The lists alone limit nobody, and nobody can tell whose their entries are."""

    async def story(fleet: Fleet) -> None:
        await intent_lost(fleet, 4, forgotten=True)
        assert fleet.claim == 4
        died = boot_ms()
        assert await fleet.closed(2) - died >= TIMES.e_controller
        assert fleet.cluster.values == {"broker/1": {}, "topic/orders": {LISTED.key: "7:9,3:1"}}
        (closer,) = [a for a in (fleet.agents[2], fleet.agents[3]) if a.told]
        assert closer.told[0].endswith(f"what bears its stamp was undone: {RATE.key} of broker/1")

    play(story)


def test_rule_9_another_stamp_is_anothers_value() -> None:
    async def story(fleet: Fleet) -> None:
        await intent_lost(fleet, 5, forgotten=True)
        await fleet.closed(2)
        assert fleet.cluster.values["broker/1"] == {RATE.key: "1100005"}
        (closer,) = [a for a in (fleet.agents[2], fleet.agents[3]) if a.told]
        assert closer.told[0].endswith("its intent was lost with a tail; nothing bears its stamp")

    play(story)


def test_rule_9_without_a_plan_only_who_made_it_closes_it() -> None:
    """Kinds without stamps: what it did, if anything, nobody else can tell."""

    async def story(fleet: Fleet) -> None:
        await intent_lost(fleet, 4, forgotten=True, plan=False)
        with pytest.raises(TimeoutError):
            await fleet.closed(2)
        assert fleet.cluster.values["broker/1"]
        await fleet.start(1)
        await fleet.closed(2)
        assert fleet.cluster.values["broker/1"] == {}  # it had that broker for itself alone

    play(story)


def test_rule_9_its_own_agent_undoes_an_orphan_of_a_barrier_by_its_journal() -> None:
    async def story(fleet: Fleet) -> None:
        await intent_lost(fleet, forgotten=True, plan=False)
        again = await fleet.start(1)
        again.history = ended(Kind.FAILED, Kind.UNDONE, claim=fleet.claim)
        await fleet.closed(2)
        assert fleet.cluster.values == UNSET
        assert again.told[0].endswith("of a former life: nothing of what it set stands")

    play(story)


def test_rule_9_the_end_of_a_round_rate_is_no_stamp_and_a_person_looks() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.hold()
        claim = fleet.agents[2].control.claim_called(fleet.claim)
        assert claim is not None
        may_be_looked_for(claim)
        with pytest.raises(BadEntry, match="a person must look, then ottla fleet resolve"):
            may_be_looked_for(changed(claim, stamp=50_000))
        with pytest.raises(BadEntry, match="'broker/x' is of no kind"):
            may_be_looked_for(changed(claim, plan=(), scopes=("throttle", "x:broker/x")))

    play(story)
