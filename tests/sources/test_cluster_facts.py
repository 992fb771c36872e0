"""What the cluster's answers become: series, and a view for the gate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.gate import World
from agent.kafka.errors import KafkaRefused, KafkaUnreachable
from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.model import Sample
from agent.sources import SourceFailed
from agent.sources.cluster import METRICS, THROTTLES, ClusterFacts, peer
from agent.sources.min_isr import MinIsr

ME = 2


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
        self.silent: set[str] = set()
        self.silent_nodes: set[int] = set()
        self.asked: list[tuple[str, object]] = []

    def answer(self, call: str, about: object) -> None:
        self.asked.append((call, about))
        if call in self.silent or about in self.silent_nodes:
            raise KafkaUnreachable(f"broker {about}", "it does not answer")

    async def brokers(self) -> Mapping[int, BrokerInfo]:
        self.answer("brokers", None)
        return self.nodes

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


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def facts(cluster: FakeCluster) -> ClusterFacts:
    return ClusterFacts(cluster, ME, 1000)


def values(samples: list[Sample]) -> dict[str, float]:
    """By name without its prefix, and the label's value where there is one."""
    return {
        ":".join(
            [sample.name.removeprefix("kafka_admin_"), *(value for _, value in sample.labels)]
        ): sample.value
        for sample in samples
    }


async def test_a_healthy_cluster(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Every series is there, also those of what is not: a throttle that is not set is -1."""
    seen = values(await facts.read(7))

    assert seen == {
        "brokers": 3,
        "fenced_brokers": 0,
        "reassigning_partitions": 0,
        "offline_partitions": 0,
        "under_min_isr_partitions": 0,
        "under_replicated_partitions": 0,
        **{f"throttle_bytes_per_second:{key}": -1 for key in THROTTLES},
        "future_replicas:/d1": 0,
        "log_dir_replica_bytes:/d1": 0,
        "log_dir_offline:/d1": 0,
        **{
            f"unanswered_total:{call}": 0 for call in ("partitions", "reassignments", "throttles", "log_dirs")
        },
    }
    assert {m.name.removeprefix("kafka_admin_") for m in METRICS} == {name.partition(":")[0] for name in seen}
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
    cluster.parts = (replace(partition("single", 0, isr=(1,)), replicas=(1,)),)

    assert values(await facts.read(7))["under_min_isr_partitions"] == 0


async def test_what_is_set_on_this_broker(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """Its throttles, its log dirs' replicas, and which of them are only on their way in."""
    cluster.own["broker/2"] = {THROTTLES[0]: "1048576"}
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
    assert (seen["future_replicas:/d1"], seen["log_dir_replica_bytes:/d1"]) == (1, 100)
    assert (seen["log_dir_offline:/d1"], seen["log_dir_offline:/d2"]) == (0, 1)
    assert "log_dir_replica_bytes:/d2" not in seen


async def test_log_dirs_are_asked_once_a_minute_while_one_is_offline(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """Each question then costs the broker's log a stack trace; in between the last answer stands."""
    for now in (0, 1000, 2000):
        await facts.read(now)
    assert len(cluster.calls("log_dirs")) == 3

    cluster.dirs = (LogDir("/d1", 56, -1, -1, ()),)
    for now in range(3000, 63_000, 1000):
        assert values(await facts.read(now))["log_dir_offline:/d1"] == 1
    assert len(cluster.calls("log_dirs")) == 4

    cluster.dirs = (LogDir("/d1", 0, 1, 1, ()),)
    assert values(await facts.read(63_000))["log_dir_offline:/d1"] == 0
    await facts.read(64_000)
    assert len(cluster.calls("log_dirs")) == 6


async def test_min_insync_replicas_is_asked_for_new_topics_and_every_five_minutes(
    cluster: FakeCluster, facts: ClusterFacts
) -> None:
    """A thousand topics are not asked about once a second."""
    for now in (0, 1000, 2000):
        await facts.read(now)
    cluster.parts += (partition("new", 0),)
    await facts.read(3000)
    await facts.read(4000)
    await facts.read(300_000)

    assert cluster.calls("topic_configs") == [("orders",), ("new",), ("new", "orders")]


@pytest.mark.parametrize(
    ("silent", "missing"),
    [
        ("reassignments", {"reassigning_partitions"}),
        ("partitions", {"offline_partitions", "under_min_isr_partitions", "under_replicated_partitions"}),
        (
            "effective_configs",
            {"offline_partitions", "under_min_isr_partitions", "under_replicated_partitions"},
        ),
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
    assert facts.facts.at == (2000 if silent in {"configs", "log_dirs"} else 1000)


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

    assert cluster.calls("partitions") == [3, 1, 3]
    assert facts.facts == World(at=2000, asked=1)


async def test_alone_a_broker_is_asked_about_itself(cluster: FakeCluster, facts: ClusterFacts) -> None:
    """And the view says so."""
    cluster.nodes = {ME: broker(ME), 3: broker(3, fenced=True)}

    await facts.read(1000)

    assert cluster.calls("partitions") == [ME]
    assert facts.facts == World(1000, ME, frozenset({3}), alone=True)


@given(st.integers(0, 9), st.frozensets(st.integers(0, 9)), st.none() | st.integers(0, 9))
def test_whom_to_ask(node: int, others: frozenset[int], silent: int | None) -> None:
    """Somebody else if anybody lives, not the silent one if there is a choice, else oneself."""
    alive = sorted(others)
    asked = peer(node, alive, silent)

    assert asked in others | {node}
    assert (asked == node) == (not others - {node})
    assert asked != silent or not others - {node, silent}


def test_the_agents_of_a_cluster_ask_different_peers() -> None:
    """In a ring, so that no broker answers them all."""
    assert [peer(node, [1, 2, 3, 4], None) for node in (1, 2, 3, 4)] == [2, 3, 4, 1]


async def test_a_refusal_is_no_answer_either(cluster: FakeCluster) -> None:
    """CLUSTER_AUTHORIZATION_FAILED, say: counted like silence, and nothing is assumed."""

    class Refusing(FakeCluster):
        async def reassignments(self) -> frozenset[tuple[str, int]]:
            raise KafkaRefused("list_partition_reassignments", 31, None)

    seen = values(await ClusterFacts(Refusing(), ME, 1000).read(1))

    assert seen["unanswered_total:reassignments"] == 1


async def test_calls_to_different_brokers_go_side_by_side(cluster: FakeCluster) -> None:
    """A hung one costs its own deadline once, not one after another."""
    together = asyncio.Barrier(4)

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

        async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
            await together.wait()
            return {}

        async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
            await together.wait()
            return self.dirs

    async with asyncio.timeout(5):
        await ClusterFacts(Waiting(), ME, 1000).read(1)


async def test_a_failed_question_for_min_insync_replicas_is_asked_again(cluster: FakeCluster) -> None:
    """What was forgotten for being old is not forgotten for good."""
    known, topics = MinIsr(), frozenset({"orders"})
    cluster.silent.add("topic_configs")
    with pytest.raises(KafkaUnreachable):
        await known.of(topics, cluster, 1, 0)
    cluster.silent.clear()

    assert await known.of(topics, cluster, 1, 1000) == {"orders": 2}
