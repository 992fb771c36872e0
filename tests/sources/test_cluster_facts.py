"""What the cluster's answers become: series, and a view for the gate."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest
from msgspec import structs

from agent.gate import World
from agent.kafka.errors import KafkaRefused, KafkaUnreachable
from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.kafka.quorum import Quorum, QuorumNode
from agent.model import Sample
from agent.rehearsal.virtual_time import run
from agent.sources import SourceFailed
from agent.sources.cluster import ClusterFacts
from agent.sources.cluster_metrics import BY_CALL, METRICS, THROTTLES
from agent.sources.topic_settings import LISTS, TopicSettings

ME = 2

THROTTLED = {"kafka_admin_throttled_replicas", "kafka_admin_throttled_topics"}


def broker(node_id: int, *, fenced: bool = False) -> BrokerInfo:
    return BrokerInfo(node_id, "127.0.0.1", 9092 + node_id, None, fenced)


def partition(topic: str, number: int, *, leader: int = 1, isr: Sequence[int] = (1, 2, 3)) -> PartitionInfo:
    return PartitionInfo(topic, number, "id", leader, (1, 2, 3), tuple(isr), (), ())


class FakeCluster:
    """Three brokers and their answers. `silent` calls fail; `asked` is every call in order."""

    def __init__(self) -> None:
        self.nodes = {n: broker(n) for n in (1, 2, 3)}
        self.parts: tuple[PartitionInfo, ...] = (partition("orders", 0), partition("orders", 1))
        self.moving: frozenset[tuple[str, int]] = frozenset()
        self.default_min_isr: str | None = "2"
        self.own: dict[str, Mapping[str, str]] = {}  # by resource, or by topic
        self.dirs: tuple[LogDir, ...] = (LogDir("/d1", 0, 1000, 500, ()),)
        self.controllers = Quorum(101, 7, 90, (QuorumNode(101, 100, 5_000),), (QuorumNode(2, 97, 4_500),))
        self.silent: set[str] = set()
        self.silent_nodes: set[int] = set()
        self.asked: list[tuple[str, object]] = []

    def answer(self, call: str, about: object) -> None:
        self.asked.append((call, about))
        if call in self.silent or about in self.silent_nodes:
            raise KafkaUnreachable(f"broker {about}", "it does not answer")

    async def brokers(self, *, ask: int | None = None) -> Mapping[int, BrokerInfo]:
        self.answer("brokers", ask)
        return self.nodes

    async def quorum(self) -> Quorum:
        self.answer("quorum", None)
        return self.controllers

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        self.answer("partitions", ask)
        return self.parts

    async def reassignments(self) -> frozenset[tuple[str, int]]:
        self.answer("reassignments", None)
        return self.moving

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        self.answer("configs", resource)
        return self.own.get(resource, {})

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        self.answer("effective_configs", resource)
        assert keys == ["min.insync.replicas"]
        return {} if self.default_min_isr is None else {"min.insync.replicas": self.default_min_isr}

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        self.answer("topic_configs", tuple(topics))
        return {topic: self.own[topic] for topic in topics if topic in self.own}

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        self.answer("log_dirs", broker)
        return self.dirs

    def calls(self, call: str) -> list[object]:
        return [about for name, about in self.asked if name == call]


def in_virtual_time(test: Callable[[FakeCluster, ClusterFacts], Coroutine[Any, Any, None]]) -> Any:
    """Where ages are told to the second."""

    def story(cluster: FakeCluster, facts: ClusterFacts) -> None:
        run(test(cluster, facts))

    story.__doc__ = test.__doc__
    return story


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def facts(cluster: FakeCluster) -> ClusterFacts:
    return ClusterFacts(cluster, ME, 15_000)  # a reading waits two seconds for its answers


def values(samples: list[Sample]) -> dict[str, float]:
    """By name without its prefix, and the label's value where there is one; a stale marker is none."""
    return {
        ":".join(
            [sample.name.removeprefix("kafka_admin_"), *(value for _, value in sample.labels)]
        ): sample.value
        for sample in samples
        if not math.isnan(sample.value)
    }


def test_a_healthy_cluster(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Every series is there, also those of what is not: a throttle that is not set is -1."""
    seen = values(run(facts.read(7)))

    assert seen == {
        "brokers": 3,
        "fenced_brokers": 0,
        "reassigning_partitions": 0,
        "partitions": 2,
        "offline_partitions": 0,
        "under_min_isr_partitions": 0,
        "at_min_isr_partitions": 0,
        "under_replicated_partitions": 0,
        "offline_replicas": 0,
        "led_partitions": 0,
        "followed_partitions": 2,
        "out_of_sync_replicas": 0,
        "under_min_isr_partitions_without_this_broker": 0,
        "offline_partitions_without_this_broker": 0,
        "last_copy_partitions": 0,
        **{f"throttled_topics:{key}": 0 for key in LISTS},
        **{f"throttled_replicas:{key}": 0 for key in LISTS},
        **{f"throttle_bytes_per_second:{key}": -1 for key in THROTTLES},
        "future_replicas:/d1": 0,
        "log_dir_replica_bytes:/d1": 0,
        "log_dir_offline:/d1": 0,
        "quorum_leader": 101,
        "quorum_leader_epoch": 7,
        "quorum_voters": 1,
        "quorum_observers": 1,
        "quorum_lag_records:101:voter": 0,
        "quorum_lag_records:2:observer": 3,
        "quorum_lag_seconds:101:voter": 0,
        "quorum_lag_seconds:2:observer": 0.5,
        **{f"unanswered_total:{call}": 0 for call in BY_CALL},
        **{f"answer_age_seconds:{call}": 0 for call in BY_CALL},
        "ottla_cluster_left_out:partitions": 0,
        "ottla_cluster_left_out:quorum": 0,
    }
    declared = {m.name.removeprefix("kafka_admin_") for m in METRICS}
    assert declared - {name.partition(":")[0] for name in seen} == {
        f"topic_{trouble}_partitions" for trouble in ("offline", "under_min_isr", "under_replicated")
    }
    assert facts.facts == World(at=7, asked=3)


async def test_what_is_wrong_is_counted(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Offline, out of sync and below min.insync.replicas are three things; a fenced broker is not asked."""
    cluster.nodes[3] = broker(3, fenced=True)
    cluster.own["strict"] = {"min.insync.replicas": "3"}
    cluster.moving = frozenset({("orders", 0)})
    cluster.parts = (
        partition("orders", 0),
        partition("orders", 1, isr=(1, 2)),
        partition("orders", 2, isr=(1,)),
        partition("orders", 3, leader=-1, isr=()),
        partition("strict", 0, isr=(1, 2)),
    )

    seen = values(await facts.read(7))

    assert (seen["brokers"], seen["fenced_brokers"], seen["reassigning_partitions"]) == (2, 1, 1)
    assert seen["offline_partitions"] == 1
    assert seen["under_replicated_partitions"] == 4
    assert seen["under_min_isr_partitions"] == 3
    assert facts.facts == World(7, 1, frozenset({3}), reassigning=1, under_min_isr=3, offline=1)


async def test_a_partition_needs_no_more_than_all_its_replicas(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """As Kafka itself: one replica in sync of one is not below a min.insync.replicas of two."""
    cluster.parts = (structs.replace(partition("single", 0, isr=(1,)), replicas=(1,)),)

    assert values(await facts.read(7))["under_min_isr_partitions"] == 0


async def test_the_default_of_all_brokers_is_in_force_where_this_one_has_none(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """As `kafka-configs.sh --entity-default` sets it: it throttles as any other does."""
    cluster.own["broker/"] = {THROTTLES[0]: "1000", THROTTLES[1]: "2000"}
    cluster.own["broker/2"] = {THROTTLES[1]: str(2**63 - 1)}

    seen = values(await facts.read(7))

    assert seen[f"throttle_bytes_per_second:{THROTTLES[0]}"] == 1000
    assert seen[f"throttle_bytes_per_second:{THROTTLES[1]}"] == -1, "lifted here"


async def test_what_is_set_on_this_broker(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Its throttles, its log dirs' replicas, and which of them are only on their way in."""
    cluster.own["broker/2"] = {THROTTLES[0]: "1048576", THROTTLES[2]: str(2**63 - 1)}
    cluster.dirs = (
        LogDir(
            "/d1",
            0,
            1,
            1,
            (LogDirReplica("orders", 0, 70, 0, False), LogDirReplica("orders", 1, 30, 5, True)),
        ),
        LogDir("/d2", 56, -1, -1, ()),
    )

    seen = values(await facts.read(7))

    assert seen[f"throttle_bytes_per_second:{THROTTLES[0]}"] == 1048576
    assert seen[f"throttle_bytes_per_second:{THROTTLES[1]}"] == -1
    assert seen[f"throttle_bytes_per_second:{THROTTLES[2]}"] == -1, "lifted by hand"
    assert (seen["future_replicas:/d1"], seen["log_dir_replica_bytes:/d1"]) == (1, 100)
    assert (seen["log_dir_offline:/d1"], seen["log_dir_offline:/d2"]) == (0, 1)
    assert "log_dir_replica_bytes:/d2" not in seen


@in_virtual_time
async def test_log_dirs_are_asked_once_a_minute_while_one_is_offline(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """Each question then costs the broker's log a stack trace. What was not asked anew is not told anew."""
    for now in (0, 1000, 2000):
        await facts.read(now)
    assert len(cluster.calls("log_dirs")) == 3

    cluster.dirs = (LogDir("/d1", 56, -1, -1, ()),)
    seen = []
    for now in range(3000, 63_000, 1000):
        seen.append(values(await facts.read(now)))
        await asyncio.sleep(1)
    assert [one["log_dir_offline:/d1"] for one in seen if "log_dir_offline:/d1" in one] == [1]
    assert seen[-1]["answer_age_seconds:log_dirs"] == 59
    assert len(cluster.calls("log_dirs")) == 4

    cluster.dirs = (LogDir("/d1", 0, 1, 1, ()),)
    assert values(await facts.read(63_000))["log_dir_offline:/d1"] == 0
    await facts.read(64_000)
    assert len(cluster.calls("log_dirs")) == 6


async def test_what_is_large_is_asked_for_less_often(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """The view keeps the time of its oldest part."""
    cluster.dirs = (LogDir("/d1", 0, 1, 1, tuple(LogDirReplica("t", n, 1, 0, False) for n in range(800))),)
    cluster.parts = tuple(partition("t", number) for number in range(2500))

    for now in range(0, 10_000, 1000):
        await facts.read(now)
        assert facts.facts is not None
        assert facts.facts.at == now - now % 3000

    assert len(cluster.calls("log_dirs")) == 3
    assert len(cluster.calls("partitions")) == 4


async def test_topics_settings_are_asked_for_in_turn(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """New ones at once, known ones four times a minute; a thousand topics are not asked about each second."""
    for now in (0, 1000, 2000):
        await facts.read(now)
    cluster.parts += (partition("new", 0),)
    await facts.read(3000)
    await facts.read(4000)
    await facts.read(15_000)
    await facts.read(18_000)
    await facts.read(19_000)

    assert cluster.calls("topic_configs") == [("orders",), ("new",), ("orders",), ("new",)]
    assert len(cluster.calls("effective_configs")) == 2


async def test_many_topics_are_asked_about_a_few_at_a_time(cluster: FakeCluster) -> None:
    """The oldest first, until all had their turn."""
    known, topics = TopicSettings(), frozenset(f"t{number:03}" for number in range(500))
    await known.refresh(topics, cluster, 0)
    for now in (30_000, 60_000, 61_000, 62_000, 63_000):
        await known.refresh(topics, cluster, now)

    asked = [topics for topics in cluster.calls("topic_configs") if isinstance(topics, tuple)]
    assert [len(topics) for topics in asked] == [500, 200, 200, 100]
    assert set(asked[1] + asked[2] + asked[3]) == topics


async def test_a_default_that_is_too_old_is_none(cluster: FakeCluster) -> None:
    """While no broker tells its own, what is known holds for five minutes."""
    known = TopicSettings()
    await known.refresh_default(cluster, 1, 0)
    cluster.silent.add("effective_configs")
    await known.refresh_default(cluster, 1, 300_000)
    with pytest.raises(KafkaUnreachable):
        await known.refresh_default(cluster, 1, 300_001)


async def test_partitions_without_their_topics_settings_cost_no_more_than_with_them(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """A topic that refuses to tell them: the answer was dear, and it is not its broker's fault."""
    cluster.parts = tuple(partition("payroll", n) for n in range(30_000))
    cluster.silent.add("topic_configs")
    for now in range(1_000, 31_000, 5_000):
        await facts.read(now)
    assert cluster.calls("partitions") == [3]
    await facts.read(31_000)
    assert cluster.calls("partitions") == [3, 3]
    assert facts.facts is None


async def test_a_peer_that_does_not_tell_its_own_defaults_is_asked_no_more(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """That is its fault."""
    cluster.silent = {"effective_configs"}
    for now in (1_000, 2_000):
        await facts.read(now)
    assert cluster.calls("partitions") == [3, 1]


async def test_a_setting_that_is_too_old_is_none(cluster: FakeCluster) -> None:
    """While topics do not tell theirs, what is known holds for five minutes; a topic that is gone goes."""
    known = TopicSettings()
    cluster.own["orders"] = {"min.insync.replicas": "3"}
    await known.refresh(frozenset({"orders", "gone"}), cluster, 0)
    cluster.silent.add("topic_configs")

    await known.refresh(frozenset({"orders"}), cluster, 300_000)
    assert known.minimum == {"orders": 3}
    with pytest.raises(KafkaUnreachable):
        await known.refresh(frozenset({"orders"}), cluster, 300_001)
    with pytest.raises(KafkaUnreachable):
        await known.refresh(frozenset({"orders", "new"}), cluster, 20_000)


PARTITIONS = {
    *(f"{name}_partitions" for name in ("offline", "under_min_isr", "at_min_isr", "under_replicated")),
    *("partitions", "offline_replicas", "led_partitions", "followed_partitions", "out_of_sync_replicas"),
    *(f"{name}_partitions_without_this_broker" for name in ("under_min_isr", "offline")),
    *("last_copy_partitions", "ottla_cluster_left_out:partitions"),
    *(f"throttled_{what}:{key}" for what in ("topics", "replicas") for key in LISTS),
}
QUORUM = {
    *("quorum_leader", "quorum_leader_epoch", "quorum_voters", "quorum_observers"),
    *(f"quorum_lag_{unit}:{node}" for unit in ("records", "seconds") for node in ("101:voter", "2:observer")),
    "ottla_cluster_left_out:quorum",
}


@pytest.mark.parametrize(
    ("silent", "missing"),
    [
        ("reassignments", {"reassigning_partitions"}),
        ("partitions", PARTITIONS),
        ("topic_configs", PARTITIONS),
        ("quorum", QUORUM),
        ("configs", {f"throttle_bytes_per_second:{key}" for key in THROTTLES}),
        ("log_dirs", {"log_dir_offline:/d1", "future_replicas:/d1", "log_dir_replica_bytes:/d1"}),
    ],
)
async def test_a_call_without_an_answer_leaves_out_only_its_own(
    cluster: FakeCluster, facts: ClusterFacts, silent: str, missing: set[str]
) -> None:
    """It is counted. An incomplete view is none: the gate keeps the old one, which ages."""
    whole = values(await facts.read(1000))
    cluster.silent.add(silent)
    cluster.parts += (partition("new", 0),)

    part = values(await facts.read(2000))

    assert whole.keys() - part.keys() == missing
    assert sum(n for name, n in part.items() if name.startswith("unanswered_total")) == 1
    assert facts.facts is not None
    assert facts.facts.at == (2000 if silent in {"configs", "log_dirs", "quorum"} else 1000)


async def test_what_is_not_answered_is_unread_until_it_is(
    cluster: FakeCluster, facts: ClusterFacts, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where no reading had it before, and only what is needed; why is told, once."""
    facts.select(frozenset({"kafka_admin_quorum_leader"}))
    cluster.silent = {"quorum"}
    await facts.read(1000)
    await facts.read(1500)
    why = "broker None is unreachable: it does not answer"
    assert facts.failed == {"quorum": why}
    assert [record.message for record in caplog.records] == [f"cluster: quorum: {why}"]
    assert facts.unread == {metric.name for metric in BY_CALL["quorum"]}
    await facts.read(2000)
    assert "kafka_admin_quorum_leader" in facts.unread
    cluster.silent = {"partitions"}
    await facts.read(3000)
    assert facts.unread == {metric.name for metric in BY_CALL["partitions"]}
    cluster.silent.clear()
    await facts.read(4000)
    assert facts.unread == frozenset()

    facts.select(None)
    others = {metric.name for call in ("throttles", "log_dirs") for metric in BY_CALL[call]}
    assert facts.unread == others | THROTTLED


async def test_an_answer_with_nothing_in_it_is_known(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Its topics were deleted, its log dirs are none, its quorum has no leader: it says so."""
    cluster.parts, cluster.dirs, cluster.controllers = (), (), Quorum(-1, 7, 90, (), ())
    await facts.read(1000)
    assert facts.unread == frozenset()


async def test_what_was_known_before_nobody_answered_is_not_known_after_it() -> None:
    """A broker answers again, and the call that hangs has told nothing since."""
    answer = asyncio.Event()
    answer.set()

    class Hanging(FakeCluster):
        async def quorum(self) -> Quorum:
            await answer.wait()
            return self.controllers

    hanging = Hanging()
    facts = ClusterFacts(hanging, ME, 100)
    await facts.read(1000)
    hanging.silent = {"brokers"}
    with pytest.raises(SourceFailed):
        await facts.read(2000)
    answer.clear()
    hanging.silent.clear()
    await facts.read(3000)
    assert facts.unread == {metric.name for metric in BY_CALL["quorum"]}

    answer.set()
    await facts.read(4000)
    await facts.read(5000)
    assert facts.unread == frozenset()


async def test_what_was_known_before_no_rule_asked_for_it_is_not_known_when_one_does(
    facts: ClusterFacts,
) -> None:
    """It has grown old meanwhile."""
    await facts.read(1000)
    facts.select(frozenset({"kafka_admin_quorum_leader"}))
    await facts.read(2000)
    facts.select(None)
    others = {metric.name for call in ("throttles", "log_dirs") for metric in BY_CALL[call]}
    assert facts.unread == others | THROTTLED
    await facts.read(3000)
    assert facts.unread == frozenset()


async def test_what_is_not_answered_ends_at_once_and_only_that(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """Its last values must not pass for new ones for five minutes; nor do those of a call that is not due."""
    cluster.dirs = (LogDir("/d1", 56, 1000, 500, ()),)  # offline: asked once a minute
    whole = {(s.name, s.labels) for s in await facts.read(1000)}
    cluster.silent.add("quorum")

    ended = [s for s in await facts.read(2000) if math.isnan(s.value)]
    left_out = "ottla_cluster_left_out", (("call", "quorum"),)
    of_quorum = {each for each in whole if each[0].startswith("kafka_admin_quorum_")}
    assert {(s.name, s.labels) for s in ended} == of_quorum | {left_out}
    assert {s.at for s in ended} == {2000}
    assert [s for s in await facts.read(3000) if math.isnan(s.value)] == []


@in_virtual_time
async def test_where_no_broker_answers_all_ends_and_all_is_asked_as_soon_as_one_does(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """What this agent itself counts is told all the same, and its last values are not."""
    cluster.dirs = (LogDir("/d1", 56, 1000, 500, ()),)  # offline: asked once a minute
    whole = await facts.read(1000)
    own = {"kafka_admin_unanswered_total", "kafka_admin_answer_age_seconds"}
    cluster.silent = {"brokers"}
    await asyncio.sleep(1)

    with pytest.raises(SourceFailed) as failed:
        await facts.read(2000)
    ended = {(s.name, s.labels, s.at) for s in failed.value.samples if math.isnan(s.value)}
    assert ended == {(s.name, s.labels, 2000) for s in whole if s.name not in own and not math.isnan(s.value)}
    told = values(list(failed.value.samples))
    assert told["unanswered_total:brokers"] == 1
    assert told["answer_age_seconds:partitions"] == 1
    assert {f"kafka_admin_{name.partition(':')[0]}" for name in told} == own

    cluster.silent = set()
    again = await facts.read(3000)
    assert {(s.name, s.labels) for s in again} == {(s.name, s.labels) for s in whole}


async def test_a_broker_that_tells_no_default_is_not_taken_for_one_with_a_low_one(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """Where the configuration may not be read, nobody knows what is below it."""
    cluster.default_min_isr = None

    seen = values(await facts.read(1000))

    assert "under_min_isr_partitions" not in seen
    assert facts.facts is None


async def test_no_answer_at_all_is_a_failed_reading(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """In words."""
    cluster.silent.add("brokers")

    with pytest.raises(
        SourceFailed, match="no broker answers: broker None is unreachable: it does not answer"
    ):
        await facts.read(1000)


async def test_a_peer_that_is_silent_is_not_asked_again_at_once(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """A hung broker is still registered until its session ends; the next reading asks another."""
    cluster.silent_nodes = {3}

    for now in (1000, 2000, 3000):
        await facts.read(now)

    assert cluster.calls("partitions") == [3, 1, 1]
    assert facts.facts == World(at=3000, asked=1)
    await facts.read(121_000)  # its next turn
    assert cluster.calls("brokers")[-3:] == [3, None, ME]


async def test_alone_a_broker_is_asked_about_itself(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """And the view says so."""
    cluster.nodes = {ME: broker(ME), 3: broker(3, fenced=True)}

    await facts.read(1000)

    assert cluster.calls("partitions") == [ME]
    assert facts.facts == World(1000, ME, frozenset({3}), alone=True)


@in_virtual_time
async def test_the_age_of_an_answer_is_no_matter_of_the_clock(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """Set back by an hour, it would be below zero for an hour."""
    await facts.read(4_000_000)
    cluster.silent = {"quorum"}
    await asyncio.sleep(5)
    seen = values(await facts.read(405_000))
    assert (seen["answer_age_seconds:quorum"], seen["answer_age_seconds:brokers"]) == (5, 0)


async def test_after_the_clock_was_set_back_all_is_asked_again_and_no_old_answer_is_new(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """No pause, silent peer or topic's settings last until the clock has come so far again."""
    cluster.parts = tuple(partition("orders", n) for n in range(1_000))
    cluster.dirs = (LogDir("/d1", 56, 1000, 500, ()),)  # offline: asked once a minute
    cluster.silent_nodes = {3}
    await facts.read(900_000)
    await facts.read(901_000)
    assert facts.facts == World(at=901_000, asked=1)
    cluster.silent_nodes = set()
    cluster.asked.clear()

    cluster.silent.add("partitions")
    await facts.read(1_000)
    assert facts.facts is None
    cluster.silent.clear()
    await facts.read(2_000)
    assert facts.facts == World(at=2_000, asked=1)  # the other did not answer just now
    assert {"log_dirs", "effective_configs", "topic_configs"} <= {call for call, _ in cluster.asked}


async def test_a_refusal_is_no_answer_either(cluster: FakeCluster) -> None:
    """CLUSTER_AUTHORIZATION_FAILED, say: counted like silence, and nothing is assumed."""

    class Refusing(FakeCluster):
        async def reassignments(self) -> frozenset[tuple[str, int]]:
            raise KafkaRefused("list_partition_reassignments", 31, None)

    seen = values(await ClusterFacts(Refusing(), ME, 15_000).read(1))

    assert seen["unanswered_total:reassignments"] == 1


async def test_calls_to_different_brokers_go_side_by_side(cluster: FakeCluster) -> None:
    """A hung one costs its own deadline once, not one after another."""
    together = asyncio.Barrier(5)

    class Waiting(FakeCluster):
        def answer(self, call: str, about: object) -> None:
            self.asked.append((call, about))

        async def partitions(
            self, topics: Sequence[str] | None = None, *, ask: int | None = None
        ) -> tuple[PartitionInfo, ...]:
            await together.wait()
            return self.parts

        async def reassignments(self) -> frozenset[tuple[str, int]]:
            await together.wait()
            return self.moving

        async def quorum(self) -> Quorum:
            await together.wait()
            return self.controllers

        async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
            await together.wait()
            return {}

        async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
            await together.wait()
            return self.dirs

    async with asyncio.timeout(5):
        await ClusterFacts(Waiting(), ME, 15_000).read(1)


async def test_a_call_that_hangs_delays_no_reading_and_its_answer_is_taken_later(
    cluster: FakeCluster,
) -> None:
    """Only the reading that asks waits, a little; what comes late has the time at which it was asked."""
    answer = asyncio.Event()

    class Hanging(FakeCluster):
        async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
            self.answer("log_dirs", broker)
            await answer.wait()
            return self.dirs

    hanging = Hanging()
    facts = ClusterFacts(hanging, ME, 1000)
    first = values(await facts.read(1000))
    second = values(await facts.read(2000))
    assert "log_dir_offline:/d1" not in first.keys() | second.keys()
    assert (second["brokers"], second["quorum_leader"], second["led_partitions"]) == (3, 101, 0)
    assert facts.facts == World(at=2000, asked=3)
    assert len(hanging.calls("log_dirs")) == 1

    answer.set()
    await asyncio.sleep(0)
    late = await facts.read(3000)

    assert [s.at for s in late if s.name == "kafka_admin_log_dir_offline"] == [1000, 3000]


async def test_brokers_are_asked_of_a_peer_and_of_anybody_where_it_is_silent(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """A broker that is cut off does not know that it is fenced."""
    await facts.read(1000)
    await facts.read(2000)
    cluster.silent_nodes = {3}
    await facts.read(3000)
    await facts.read(4000)

    assert [asked for asked in cluster.calls("brokers") if asked != ME] == [None, 3, 3, None, 1]


async def test_only_what_rules_and_the_gate_need_is_asked(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """And of topics only the settings that are read."""
    facts.select(frozenset({"kafka_admin_under_replicated_partitions"}))
    seen = values(await facts.read(1000))
    assert {call for call, _ in cluster.asked} == {
        *("brokers", "partitions", "reassignments"),
        *("effective_configs", "topic_configs"),
    }
    assert f"throttled_topics:{LISTS[0]}" not in seen

    facts.select(frozenset({"kafka_admin_quorum_lag_seconds"}))
    await facts.read(2000)
    assert len(cluster.calls("quorum")) == 1
    assert cluster.calls("log_dirs") == cluster.calls("configs") == []


async def test_lists_of_throttled_replicas_are_counted(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Entries that name this broker, and each replica here where everything is throttled."""
    cluster.own = {
        "orders": {LISTS[0]: "0:2,1:3, 1:2", LISTS[1]: ""},
        "bulk": {LISTS[0]: "*"},
        "other": {LISTS[1]: "0:22"},
    }
    cluster.parts += (partition("bulk", 0), partition("bulk", 1), partition("other", 0))

    seen = values(await facts.read(1000))

    assert (seen[f"throttled_topics:{LISTS[0]}"], seen[f"throttled_replicas:{LISTS[0]}"]) == (2, 4)
    assert (seen[f"throttled_topics:{LISTS[1]}"], seen[f"throttled_replicas:{LISTS[1]}"]) == (1, 0)


async def test_lists_that_no_rule_named_before_are_unread_until_they_are_read(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """They are asked for at once, of each topic, however long partitions rest; all else stays known."""
    cluster.own = {"orders": {LISTS[0]: "0:2,1:2"}}
    cluster.parts = tuple(partition("orders", number) for number in range(20_000))
    facts.select(frozenset({"kafka_admin_offline_partitions"}))
    await facts.read(1000)
    facts.select(frozenset({"kafka_admin_throttled_replicas"}))
    assert facts.unread == THROTTLED

    seen = values(await facts.read(2000))
    assert seen[f"throttled_replicas:{LISTS[0]}"] == 2
    assert facts.unread == frozenset()


async def test_an_answer_that_was_asked_for_without_lists_tells_nothing_of_them() -> None:
    """It comes after the rules are there that read them; they are asked for at once, again."""
    answer = asyncio.Event()

    class Slow(FakeCluster):
        async def topic_configs(
            self, topics: Sequence[str], keys: Sequence[str] | None
        ) -> Mapping[str, Mapping[str, str]]:
            await answer.wait()
            told = await super().topic_configs(topics, keys)
            return {t: {key: own[key] for key in keys or () if key in own} for t, own in told.items()}

    slow = Slow()
    slow.own = {"orders": {LISTS[0]: "0:2,1:2"}}
    slow.parts = tuple(partition("orders", number) for number in range(20_000))
    facts = ClusterFacts(slow, ME, 100)
    facts.select(frozenset({"kafka_admin_offline_partitions"}))
    await facts.read(1000)
    facts.select(frozenset({"kafka_admin_throttled_replicas"}))
    answer.set()
    seen: dict[str, float] = {}
    async with asyncio.timeout(10):
        while f"throttled_replicas:{LISTS[0]}" not in seen:
            assert facts.unread >= THROTTLED
            seen = values(await facts.read(1001))
    assert seen[f"throttled_replicas:{LISTS[0]}"] == 2
    assert facts.unread == frozenset()


async def test_topics_in_trouble_are_told_and_their_series_end_with_it(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """The worst hundred; the others are counted."""
    cluster.parts = tuple(partition(f"t{n:03}", 0, isr=(1,)) for n in range(103))
    cluster.parts += (partition("worst", 0, leader=-1, isr=()), partition("well", 0))

    samples = await facts.read(1000)

    told = {dict(s.labels)["topic"] for s in samples if s.name == "kafka_admin_topic_offline_partitions"}
    assert len(told) == 100
    assert "worst" in told
    assert "well" not in told
    assert values(samples)["ottla_cluster_left_out:partitions"] == 4
    assert values(samples)["topic_under_min_isr_partitions:worst"] == 1

    cluster.parts = (partition("worst", 0),)
    ended = [s for s in await facts.read(2000) if math.isnan(s.value)]
    assert {dict(s.labels)["topic"] for s in ended} == told
    assert len(ended) == 300


async def test_of_a_large_quorum_the_last_are_told(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Brokers are observers, and there may be hundreds."""
    observers = tuple(QuorumNode(n, n, -1) for n in range(60))
    cluster.controllers = Quorum(101, 7, 90, (QuorumNode(101, 100, 5000),), observers)

    seen = values(await facts.read(1000))

    assert seen["quorum_lag_records:0:observer"] == 100
    assert "quorum_lag_records:101:voter" not in seen
    assert not [name for name in seen if name.startswith("quorum_lag_seconds")]
    assert seen["ottla_cluster_left_out:quorum"] == 11


async def test_without_a_leader_no_lag_is_told(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Only that there is none."""
    cluster.controllers = Quorum(-1, 8, 90, (QuorumNode(101, 100, 5000),), ())

    seen = values(await facts.read(1000))

    assert seen["quorum_leader"] == -1
    assert not [name for name in seen if name.startswith("quorum_lag")]
