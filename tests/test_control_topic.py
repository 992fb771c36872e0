"""The control topic's shell over a log in memory: joins, claims, failing reads and writes, degraded mode."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
from fake_log import FakeLog
from shelf import Shelf

from agent.control.bodies import FOLD
from agent.control.carried import unpack
from agent.control.records import Record, encode
from agent.control_topic import (
    ClaimState,
    ClaimVoid,
    ControlTopic,
    ControlUnavailable,
    Limit,
    NotAccepted,
    Settings,
    Surroundings,
    Times,
)
from agent.control_topic.creation import configs, create
from agent.control_topic.follower import Follower
from agent.kafka.errors import KafkaRefused, LogRecreated

# As LAB, but quick; the fold's ages are in log time.
QUICK = Times(
    beat_each=0,
    beat_least=100,
    beat_most=100,
    beat_busy=100,
    w=1_500,
    w_idle=1_500,
    h=1_000,
    settle=0,
    probation=0,
    cooldown=30_000,
    degraded=600,
    short=300,
)
EFFECT = json.dumps(
    {
        "action": "throttle_replication",
        "owner": "broker-1",
        "changes": [
            {"resource": "broker/1", "key": "k", "operation": "set", "prior": None, "new": "1"},
        ],
    }
)


def now() -> int:
    return time.time_ns() // 1_000_000


async def eventually(happened: Callable[[], object], what: str, seconds: float = 5) -> None:
    """Waits for a condition; the failure says for which."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.01)


class Cluster:
    """A log, and the agents on it."""

    def __init__(self) -> None:
        self.log = FakeLog(now)
        self.agents: list[ControlTopic] = []

    def agent(
        self,
        number: int,
        log: FakeLog | None = None,
        *,
        create: bool = True,
        shelf: Shelf | None = None,
        fold_max: int = FOLD,
        host: str = "",
    ) -> ControlTopic:
        """A process that has not started yet."""
        host = host or f"host{number}"
        settings = Settings(f"broker-{number}", host, times=QUICK, create=create, fold_max=fold_max)
        self.agents.append(ControlTopic(log or self.log, settings, Surroundings(now, memory=shelf)))
        return self.agents[-1]

    async def start(self, number: int, shelf: Shelf | None = None) -> ControlTopic:
        """A process that has joined."""
        agent = self.agent(number, shelf=shelf)
        await agent.start()  # returns after 0.6 s at the latest, which a loaded machine may need
        await eventually(lambda: agent.degraded is None, "the join", 20)
        return agent

    @staticmethod
    async def kill(agent: ControlTopic) -> None:
        """The process ends without a word."""
        await agent._life.stop()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    it = Cluster()
    yield it
    for agent in it.agents:
        await agent._life.stop()


async def dirty(agent: ControlTopic, *scopes: str, problem: str = "p") -> int:
    """A claim whose intent was accepted."""
    claim = await agent.claim("throttle_replication", scopes, problem, "too slow")
    await agent.granted(claim)
    await agent.intent(claim, EFFECT)
    return claim


async def within(waits: Awaitable[object], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        await waits


async def test_the_first_agent_writes_genesis_and_joins(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    assert agent.state.log == "topic-1"
    assert agent.caught_up
    (session,) = agent.state.sessions.values()
    assert (session.agent, session.host) == ("broker-1", "host1")


async def test_agents_that_start_together_come_to_one_log(cluster: Cluster) -> None:
    agents = [cluster.agent(number) for number in range(3)]
    await asyncio.gather(*(agent.start() for agent in agents))
    await eventually(lambda: all(len(agent.peers()) == 2 for agent in agents), "peers", 20)
    await eventually(lambda: [agent.degraded for agent in agents] == [None, None, None], "all joins", 20)


async def test_without_a_genesis_and_the_leave_to_write_one_it_says_what_to_do(cluster: Cluster) -> None:
    agent = cluster.agent(1, create=False)
    await agent.start()
    words = "ottla-control holds no genesis: start one agent with control.create: true"
    await eventually(lambda: agent.degraded == words, words, 20)
    await cluster.start(2)
    await eventually(lambda: agent.degraded is None, "the join after another's genesis")


async def test_a_claim_is_granted_begun_and_closed(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    claim = await dirty(agent, "throttle", "x:topic/orders")
    assert agent.own_claims()[claim].state is ClaimState.DIRTY
    assert json.loads(str(agent.own_claims()[claim].effect)) == json.loads(EFFECT)
    assert agent.own_claims()[claim].via == 1
    await agent.barrier()
    await agent.release(claim, "done")
    assert not agent.own_claims()
    with pytest.raises(ClaimVoid, match="done"):
        await agent.granted(claim)


async def test_the_second_waits_and_is_told_for_whom(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    held = await dirty(one, "x:topic/orders")
    claim = await two.claim("throttle_replication", ["x:topic/orders"], "q", "lag")
    waits = asyncio.create_task(two.granted(claim))
    (words,) = two.blockers(claim)
    assert words.startswith(
        f"x:topic/orders is held by broker-1 since offset {one.own_claims()[held].token} "
    )
    assert not waits.done()
    await one.release(held, "undone")
    await within(waits)
    assert two.blockers(claim) == ()


async def test_what_was_handled_by_another_voids_a_waiting_claim(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    held = await dirty(one, "x:topic/orders")
    claim = await two.claim("throttle_replication", ["x:topic/orders"], "p", "lag")
    await one.release(held, "done")
    with pytest.raises(ClaimVoid, match="problem was handled"):
        await within(two.granted(claim))
    with pytest.raises(NotAccepted, match="problem was handled: p"):
        await two.claim("throttle_replication", ["x:topic/orders"], "p", "lag")


async def test_refusals_come_in_words(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    with pytest.raises(NotAccepted, match="no budget: reboot"):
        await agent.claim("reboot", ["reboot"], "p", "")
    claim = await agent.claim("quota", ["quota"], "p", "", limit=Limit("a/b", 1, 1_000))
    with pytest.raises(NotAccepted, match="rate: limit/a/b allows 1 in 1 s"):
        await agent.claim("quota", ["quota"], "q", "", limit=Limit("a/b", 1, 1_000))
    await agent.release(claim, "cancelled")
    with pytest.raises(NotAccepted, match="cancelled"):
        await agent.intent(claim, EFFECT)
    await agent.release(claim, "cancelled")  # closed already: nothing to do


@pytest.mark.parametrize("fault", ["lost", "landed", "late", "twice"])
async def test_a_write_in_doubt_is_done_once(cluster: Cluster, fault: str) -> None:
    agent = await cluster.start(1)
    cluster.log.doubt = [fault]
    claim = await agent.claim("quota", ["quota"], "p", "")
    for value in cluster.log.late:
        await cluster.log.land(value)
    cluster.log.doubt = [fault]
    await agent.granted(claim)
    await agent.intent(claim, EFFECT)
    await agent.barrier()
    assert list(agent.own_claims()) == [claim]
    await agent.release(claim, "done")
    assert not agent.own_claims()


async def test_a_claim_that_lands_after_its_writer_gave_up_is_cancelled(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    cluster.log.doubt = ["late"]
    writing = asyncio.create_task(agent.claim("quota", ["quota"], "p", ""))
    await eventually(lambda: cluster.log.late, "the write that is under way")
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await cluster.log.land(cluster.log.late.pop())
    await eventually(lambda: agent.state.moves or agent._life.hearing.ended, "the ghost's end")
    await eventually(lambda: "cancelled" in agent._life.hearing.ended.values(), "the ghost's end")


async def test_after_a_crash_the_dirty_claim_is_its_agents_own_again_and_the_queued_one_is_gone(
    cluster: Cluster,
) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    held = await dirty(one, "x:topic/a")
    other = await dirty(two, "x:topic/b", problem="q")
    queued = await one.claim("throttle_replication", ["x:topic/b"], "r", "")
    await cluster.kill(one)
    again = await cluster.start(1)
    assert list(again.own_claims()) == [held]
    await eventually(lambda: again.own_claims()[held].state is ClaimState.DIRTY, "its adoption")
    with pytest.raises(ClaimVoid):
        await again.granted(queued)
    await again.release(held, "undone")
    assert list(again.state.claims) == [other]


async def test_leaving_keeps_what_is_dirty_and_drops_the_rest(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    held = await dirty(one, "x:topic/a")
    await eventually(two.peers, "the peer")
    await one.close()
    await eventually(lambda: not two.peers(), "the peer's leave")
    assert two.state.claims[held].state is ClaimState.ORPHAN


async def test_beats_carry_firing_and_status_to_the_peers(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    one.set_firing(["B", "A", "A"], "draining /d1")
    await eventually(lambda: two.peers()["broker-1"].firing == ("B", "A"), "the beat, in the order given")
    peer = two.peers()["broker-1"]
    assert peer.status == "draining /d1"
    assert abs(peer.at - now()) < 5_000
    assert "broker-2" not in two.peers()


async def test_beats_go_on_and_an_idle_log_costs_few_fetches(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    before, fetched = len(cluster.log.records), cluster.log.fetches
    await eventually(lambda: len(cluster.log.records) >= before + 5, "five beats")
    beats = len(cluster.log.records) - before
    assert cluster.log.fetches - fetched <= beats + 3
    assert agent.degraded is None


async def test_notes_reach_the_log_up_to_twelve_a_minute_and_the_rest_is_counted(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    await agent.note("a" * 5_000)
    for number in range(14):
        await agent.note(f'{{"number":{number}}}')
    await eventually(lambda: sum(b'"t":"note"' in r.value for r in cluster.log.records) == 12, "12 notes")
    assert agent.notes_dropped == 3


async def test_garbage_and_a_batch_that_cannot_be_read_stop_nobody(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    await cluster.log.land(b"\xff\xfe")
    await cluster.log.unreadable_batch(3)
    await agent.barrier()
    assert agent.state.voids == {"not printable ASCII": 4}


@pytest.mark.parametrize("fault", ["unreadable", "unwritable"])
async def test_degraded_is_entered_in_words_and_left_by_a_fresh_join(cluster: Cluster, fault: str) -> None:
    agent = await cluster.start(1)
    claim = await dirty(agent, "x:topic/a")
    first = next(iter(agent.state.sessions))
    setattr(cluster.log, fault, "it is down")
    cluster.log.wake()
    await eventually(lambda: agent.degraded, "degraded mode")
    assert str(agent.degraded).startswith("control topic unreadable since ")
    assert "it is down" in str(agent.degraded)
    for refused in (agent.barrier, lambda: agent.claim("quota", ["quota"], "q", "")):
        with pytest.raises(ControlUnavailable, match="it is down"):
            await refused()
    setattr(cluster.log, fault, "")
    await eventually(lambda: agent.degraded is None, "the fresh join")
    assert first not in agent.state.sessions
    await agent.release(claim, "undone")


async def test_a_waiting_claim_ends_when_degraded_mode_begins(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    await dirty(one, "x:topic/a")
    claim = await two.claim("quota", ["x:topic/a"], "q", "")
    waits = asyncio.create_task(two.granted(claim))
    cluster.log.unreadable = "it is down"
    cluster.log.wake()
    with pytest.raises(ControlUnavailable, match="it is down"):
        await within(waits)


async def test_closing_ends_what_waits(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    await dirty(one, "x:topic/a")
    claim = await two.claim("quota", ["x:topic/a"], "q", "")
    waits = asyncio.create_task(two.granted(claim))
    await cluster.kill(two)
    with pytest.raises(ControlUnavailable, match="closed"):
        await within(waits)


async def test_a_quiet_time_without_a_failure_is_not_degraded(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    agent._life.member.accepted_at -= 10_000
    agent._life.member.watch(now(), now())
    assert agent.degraded is None


@pytest.mark.parametrize("instead", [0, 1, 5])
async def test_a_lost_tail_is_seen_the_log_folded_anew_and_joined_again(
    cluster: Cluster, instead: int, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    claim = await dirty(one, "x:topic/a")
    await one.barrier()
    dropped = len(cluster.log.records) - claim
    await cluster.log.lose_tail(dropped, *[b"another history"] * instead)
    await eventually(lambda: caplog.text.count("its tail was lost") == 2, "both to see it")
    await eventually(lambda: one.degraded is None and two.degraded is None, "both joins")
    assert all(session >= claim for session in one.state.sessions), "a join that survived was counted"
    await one.barrier()
    await two.barrier()
    assert claim not in one.state.claims or one.state.claims[claim].agent != "broker-1"
    end = min(one.state.offset, two.state.offset)
    assert [r.offset for r in cluster.log.records[: end + 1]] == list(range(end + 1))


async def test_section_9_a_tail_that_is_lost_again_while_the_log_is_folded_anew_stops_nobody() -> None:
    """The end that was asked before lies beyond the log's then, and nobody writes who waits for it."""
    log = FakeLog(lambda: 1)
    for _ in range(5):
        await log.land(b"garbage")
    follower = Follower(log, end=5)
    await log.lose_tail(2)
    for _ in range(2):
        assert not follower.caught_up
        async for _ in follower.read(eager=True):
            pass
    async for _ in follower.read(eager=True):
        pass
    assert follower.caught_up
    assert follower.state.offset == 2


async def test_a_leader_that_has_yet_to_catch_up_is_no_lost_tail(cluster: Cluster) -> None:
    agent = await cluster.start(1)
    session = next(iter(agent.state.sessions))
    cluster.log.hidden = True
    cluster.log.wake()
    await eventually(lambda: not agent.caught_up, "the short log")
    cluster.log.hidden = False
    await agent.barrier()
    assert list(agent.state.sessions) == [session]


async def test_a_second_process_of_the_same_agent_ends_the_first_for_good(cluster: Cluster) -> None:
    first = await cluster.start(1)
    second = await cluster.start(1)
    await eventually(lambda: first.degraded, "the first one's end")
    assert str(first.degraded).startswith("another process joined as broker-1 at offset ")
    with pytest.raises(ControlUnavailable, match="stop one of the two"):
        await first.barrier()
    assert second.degraded is None


async def test_an_earlier_attempt_to_join_that_lands_late_is_no_other_process(cluster: Cluster) -> None:
    await cluster.start(2)
    agent = cluster.agent(1)
    cluster.log.doubt = ["late"]
    await agent.start()
    await eventually(lambda: agent.degraded is None, "the join", 20)
    for value in cluster.log.late:
        await cluster.log.land(value)
    await agent.barrier()
    assert agent.degraded is None


async def test_a_recreated_topic_stops_everything_and_what_others_had_dirty_is_kept(cluster: Cluster) -> None:
    shelf = Shelf()
    agent, other = await cluster.start(1, shelf), await cluster.start(2)
    held = await dirty(other, "x:topic/a")
    await agent.barrier()

    async def recreated(*_: object, **__: object) -> list[object]:
        raise LogRecreated("ottla-control", "topic-1", "topic-2")

    cluster.log.fetch = recreated  # type: ignore[method-assign,assignment] # the fault
    cluster.log.wake()
    await eventually(lambda: agent.degraded, "the halt")
    assert "was re-created" in str(agent.degraded)
    await eventually(lambda: unpack(shelf.value).owed, "what the next life owes")
    assert [h["problem"] for h in unpack(shelf.value).handled] == [other.state.claims[held].problem]


async def test_a_log_whose_genesis_names_another_topic_is_left_alone(cluster: Cluster) -> None:
    await cluster.start(1)
    copy = FakeLog(now, topic_id="topic-2")
    for record in list(cluster.log.records):
        await copy.land(record.value)
    agent = cluster.agent(2, copy)
    await agent.start()
    words = "its genesis names the log topic-1, but the topic is topic-2"
    await eventually(lambda: agent.degraded == words, words, 20)
    assert len(copy.records) == copy.records[-1].offset + 1
    assert not any(b'"a":"broker-2"' in record.value for record in copy.records)


async def test_a_bug_in_the_fold_stops_it_and_says_so(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await cluster.start(1)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("agent.control_topic.follower.fold", broken)
    await eventually(lambda: agent.degraded, "the halt")
    assert str(agent.degraded).startswith("a bug stopped the fold after ")


@pytest.mark.parametrize(("brokers", "replicas"), [(5, 3), (3, 3), (2, 2), (1, 1)])
async def test_the_topic_is_created_with_the_replicas_there_are(brokers: int, replicas: int) -> None:
    made: list[tuple[str, int, int, Mapping[str, str]]] = []

    async def create_topic(name: str, partitions: int, factor: int, settings: Mapping[str, str]) -> None:
        if factor > brokers:
            raise KafkaRefused("create_topics", 38, "too many replicas")
        made.append((name, partitions, factor, settings))

    await create(create_topic, "ottla-control")
    assert made == [("ottla-control", 1, replicas, configs(replicas))]
    assert configs(replicas)["min.insync.replicas"] == str(min(replicas, 2))


async def test_a_topic_that_exists_is_taken_and_another_refusal_is_told() -> None:
    async def exists(*_: object) -> None:
        raise KafkaRefused("create_topics", 36, None)

    async def forbidden(*_: object) -> None:
        raise KafkaRefused("create_topics", 29, None)

    await create(exists, "ottla-control")
    with pytest.raises(KafkaRefused):
        await create(forbidden, "ottla-control")


async def test_rule_7_a_dead_agent_is_expired_by_two_and_its_claim_is_an_orphan_that_keeps_its_room(
    cluster: Cluster,
) -> None:
    dead, two, three = [await cluster.start(number) for number in (1, 2, 3)]
    held = await dirty(dead, "x:topic/a")
    await cluster.kill(dead)
    await eventually(lambda: "broker-1" not in two.peers(), "the votes of two witnesses", 20)
    assert two.state.claims[held].state is ClaimState.ORPHAN
    waiting = await three.claim("throttle_replication", ["x:topic/a"], "q", "")
    assert "broker-1 left it" in three.blockers(waiting)[0]


async def test_rule_7_with_one_peer_expiry_works_by_three_times_w(cluster: Cluster) -> None:
    dead, two = await cluster.start(1), await cluster.start(2)
    await dirty(dead, "x:topic/a")
    await cluster.kill(dead)
    began = now()
    await eventually(lambda: not two.peers(), "the only witness's second vote", 30)
    assert now() - began >= 3 * QUICK.w


async def test_rule_10_all_beat_at_once_under_a_new_leader_and_the_barrier_falls(cluster: Cluster) -> None:
    agents = [await cluster.start(number) for number in (1, 2, 3)]
    claim = await agents[0].claim("quota", ["quota"], "p", "")
    cluster.log.epoch += 1
    await agents[0].barrier()
    assert agents[0].state.barrier
    assert "the leader changed" in " ".join(agents[0].blockers(claim))
    began = now()
    await within(agents[0].granted(claim))
    assert now() - began < 3_000
    assert not agents[0].state.barrier


async def test_rule_4_the_barrier_beat_waits_till_all_were_heard_under_a_new_leader(cluster: Cluster) -> None:
    one, _ = await cluster.start(1), await cluster.start(2)
    claim = await dirty(one, "x:topic/a")
    cluster.log.epoch += 1
    await within(one.barrier(claim))
    assert not one.state.barrier
    assert one.objection(claim) is None


async def test_rule_4_no_effect_starts_that_an_operator_paused(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    claim = await dirty(one, "x:topic/a")
    words = {"on": True, "selector": "*", "for": 0, "reason": "game day", "by": "ann", "expect": -1}
    await two._life.write("pause", words)
    with pytest.raises(NotAccepted, match="is paused by ann: game day"):
        await one.barrier(claim)
    waiting = await two.claim("quota", ["quota"], "q", "")
    assert two.blockers(waiting) == ("* is paused by ann: game day",)
    await one.release(claim, "undone")


async def test_rule_2_no_effect_starts_after_the_hold_time(cluster: Cluster) -> None:
    one = await cluster.start(1)
    claim = await dirty(one, "x:topic/a")
    await one.barrier(claim)
    cluster.log.unwritable = "it is down"
    await eventually(lambda: one.objection(claim), "the end of the hold time", 10)
    assert str(one.objection(claim)).startswith(("the hold time is over", "the claim is not this agent's"))


async def test_rule_11_after_a_lost_tail_the_effect_is_declared_again_and_kept(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    claim = await dirty(one, "x:topic/a")
    stamp = one.own_claims()[claim].stamp
    await one.release(await dirty(one, "x:topic/b", problem="handled"), "done")
    await cluster.log.lose_tail(len(cluster.log.records) - claim, b"another history")
    await eventually(lambda: claim not in two.state.claims, "the loss")
    await eventually(lambda: [c.stamp for c in two.state.claims.values()] == [stamp], "the new claim", 10)
    await eventually(lambda: one.degraded is None and two.degraded is None, "both joins")
    ((new, again),) = one.own_claims().items()
    assert (again.state, again.problem) == (ClaimState.DIRTY, "p")
    with pytest.raises(NotAccepted, match="problem was handled: handled"):
        await two.claim("quota", ["quota"], "handled", "")
    waiting = await two.claim("quota", ["x:topic/a"], "q", "")
    assert "x:topic/a is held by broker-1" in " ".join(two.blockers(waiting))
    assert one.own_claim(claim) == again
    await within(one.barrier(claim), 10)  # whoever began it goes on under the id that it knows
    await one.release(claim, "undone")
    assert new not in one.state.claims
    await within(two.granted(waiting), 10)


async def test_rule_11_effects_that_one_join_has_no_room_for_keep_their_slots(cluster: Cluster) -> None:
    one, two = await cluster.start(1, Shelf()), await cluster.start(2)
    first = len(cluster.log.records)
    for scope in ("x:topic/a", "x:topic/b"):
        claim = await one.claim("throttle_replication", [scope], scope, "too slow")
        await one.granted(claim)
        await one.intent(claim, EFFECT.replace('"k"', f'"{scope}"').replace('"1"', f'"{"1" * 30_000}"'))
    await two._life.stop()  # who had read it would tell of it, too
    await cluster.log.lose_tail(len(cluster.log.records) - first)
    await eventually(lambda: not one.own_claims(), "the loss")
    both = {"x:topic/a", "x:topic/b"}
    await eventually(
        lambda: {scope for c in one.own_claims().values() for scope in c.scopes} == both, "both claims", 10
    )
    await eventually(lambda: {c.state for c in one.own_claims().values()} == {"dirty"}, "the adoption")
    assert one.lost() == ()


async def test_rule_11_a_release_closes_no_other_claim_whose_stamp_is_the_offset_of_the_join(
    cluster: Cluster,
) -> None:
    one = await cluster.start(1)
    first, second = await dirty(one, "x:topic/a"), await dirty(one, "x:topic/b", problem="q")
    cluster.log.unwritable = "it has no leader"  # so that the join lands where the first claim was
    await cluster.log.lose_tail(len(cluster.log.records) - first)
    await eventually(lambda: not one.own_claims(), "the loss")
    cluster.log.unwritable = ""
    await eventually(lambda: len(one.own_claims()) == 2, "the new claims", 10)
    (session,) = one.state.sessions
    again, other = one.own_claims()
    assert (session, one.own_claims()[again].stamp) == (first, first)
    assert one.own_claim(second) == one.own_claims()[other]
    await one.release(other, "undone")
    assert list(one.own_claims()) == [again]
    await one.release(other, "undone")  # it is closed already
    assert list(one.own_claims()) == [again]
    await one.release(first, "undone")
    assert not one.own_claims()


async def test_rule_11_an_agent_that_was_down_when_the_tail_was_lost_declares_it_too(
    cluster: Cluster,
) -> None:
    shelf = Shelf()
    one = await cluster.start(1, shelf)
    claim = await dirty(one, "x:topic/a")
    stamp = one.own_claims()[claim].stamp
    await cluster.kill(one)
    await cluster.log.lose_tail(len(cluster.log.records) - claim, b"another history")
    again = await cluster.start(1, shelf)
    await eventually(lambda: [c.stamp for c in again.own_claims().values()] == [stamp], "the claim", 10)
    restarted = [s.id for s in again.state.sessions.values()]
    await cluster.kill(again)
    third = await cluster.start(1, shelf)  # told once: an ordinary restart declares nothing
    await eventually(lambda: [c.state for c in third.own_claims().values()] == ["dirty"], "the adoption")
    assert restarted != [s.id for s in third.state.sessions.values()]
    assert b'"redeclare":[]' in cluster.log.records[max(third.state.sessions)].value


async def test_rule_11_no_intent_is_done_before_what_must_outlive_the_log_is_kept(cluster: Cluster) -> None:
    shelf = Shelf()
    one = await cluster.start(1, shelf)
    claim = await one.claim("quota", ["quota"], "p", "")
    await one.granted(claim)
    shelf.broken = "disk full"
    with pytest.raises(ControlUnavailable, match="cannot be kept: disk full"):
        await one.intent(claim, EFFECT)
    shelf.broken = ""
    await one.release(claim, "cancelled")


async def test_rule_1_an_agent_that_belongs_to_another_log_does_nothing(cluster: Cluster) -> None:
    shelf = Shelf()
    one = await cluster.start(1, shelf)
    await eventually(lambda: shelf.value, "the pin")
    await cluster.kill(one)
    other = FakeLog(now, topic_id="topic-2")
    agent = cluster.agent(1, other, shelf=shelf)
    await agent.start()
    words = "this agent belongs to the log topic-1, and the topic's is not born"
    await eventually(lambda: str(agent.degraded).startswith(words), words, 20)
    assert other.records == []


async def test_rule_12_a_peer_that_comes_to_another_state_makes_this_agent_fold_again_and_is_named(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    claim = await one.claim("quota", ["quota"], "p", "")
    await one.granted(claim)
    session = next(s for s in two.state.sessions.values() if s.agent == "broker-2")
    await cluster.kill(two)
    body = {"status": "", "firing": []}
    number = session.n + 1_000
    wrong = Record("beat", FOLD, "topic-1", "broker-2", session.id, number, one.state.offset, "f" * 64, body)
    for _ in range(3):
        await cluster.log.land(encode(wrong))
    await eventually(lambda: "broker-2 comes to another state" in caplog.text, "the difference")
    await eventually(lambda: one.degraded is None, "the second folding, in which nothing differs", 10)


async def test_a_log_whose_fold_is_too_new_is_left_alone(cluster: Cluster) -> None:
    await cluster.start(1)
    old = cluster.agent(2, fold_max=FOLD - 1)
    await old.start()
    words = f"the log's fold version is {FOLD}, but this release knows {FOLD - 1}"
    await eventually(lambda: str(old.degraded).startswith(words), words, 20)
    assert not any(b'"a":"broker-2"' in record.value for record in cluster.log.records)


async def test_rule_8_what_belongs_to_another_host_is_left_to_a_person(cluster: Cluster) -> None:
    """A broker's agent that comes back under another host name cannot adopt what is of the old one."""
    one, two = await cluster.start(1), await cluster.start(2)
    held = await dirty(one, "x:topic/a")
    await cluster.kill(one)
    moved = cluster.agent(1, host="elsewhere")
    await moved.start()
    await eventually(lambda: moved.degraded is None, "the join", 20)
    await moved.barrier()
    assert moved.state.claims[held].state is ClaimState.ORPHAN
    assert not moved.own_claims()
    await within(moved.release(held, "undone"))  # nothing that it could close
    token = two.state.claims[held].token
    words = {"id": held, "token": token, "reason": "the host is gone", "by": "ann"}
    await two._life.write("resolve", words)
    assert held not in two.state.claims
