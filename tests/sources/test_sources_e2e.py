"""The sources against a real broker with two peers.

OTTLA_TEST_BOOTSTRAP names the cluster's servers, OTTLA_TEST_JOLOKIA the URL of one broker's Jolokia.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator

import pytest

from agent.kafka.admin import Admin
from agent.kafka.configs import ConfigChange
from agent.kafka.connection import Security
from agent.lab.cluster import Lab
from agent.model import Sample
from agent.sources.cluster import ClusterFacts
from agent.sources.cluster_metrics import BY_CALL
from agent.sources.jolokia import Jolokia, Known
from agent.sources.name_files import shipped

BOOTSTRAP = os.environ.get("OTTLA_TEST_BOOTSTRAP", "")
URL = os.environ.get("OTTLA_TEST_JOLOKIA", "")

# What a healthy broker, which is no controller and has no remote storage, has no MBean or no value for.
_NOT_HERE = (
    "kafka_controller_",
    "kafka_server_raft_metrics_commit",
    "kafka_server_raftmetrics_commit",
    "kafka_server_raft_metrics_election",
    "kafka_server_raftmetrics_election",
    "kafka_server_brokertopicmetrics_remote",
)
# There only while a replica is throttled or moved, or the broker recovers.
_NOT_NOW = frozenset(
    {
        "kafka_server_leaderreplication_byte_rate",
        "kafka_server_followerreplication_byte_rate",
        "kafka_server_alterlogdirsreplication_byte_rate",
        "kafka_log_logmanager_remaininglogstorecover",
        "kafka_log_logmanager_remainingsegmentstorecover",
        "kafka_server_group_coordinator_metrics_partition_load_time_avg",
        "kafka_server_group_coordinator_metrics_partition_load_time_max",
        "kafka_server_transaction_coordinator_metrics_partition_load_time_avg",
        "kafka_server_transaction_coordinator_metrics_partition_load_time_max",
    }
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not BOOTSTRAP, reason="OTTLA_TEST_BOOTSTRAP names no cluster"),
]


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    client = Admin(BOOTSTRAP.split(","), Security(), client_id="ottla-sources-test")
    yield client
    await client.close()


@pytest.fixture
async def topic(admin: Admin) -> AsyncIterator[str]:
    """A topic with a replica on each of the three brokers."""
    name = f"sources-{uuid.uuid4().hex[:8]}"
    await admin.create_topic(name, 6, 3, {"min.insync.replicas": "2"})
    yield name
    await admin.delete_topics([name])


def labels(samples: list[Sample], name: str) -> list[dict[str, str]]:
    return [dict(sample.labels) for sample in samples if sample.name == name]


@pytest.mark.skipif(not URL, reason="OTTLA_TEST_JOLOKIA names no broker's Jolokia")
async def test_every_name_of_the_table_is_there(topic: str) -> None:
    """With the labels that rules select by: a misspelt MBean would be missing without a word."""
    lag = "kafka_server_fetcherlagmetrics_consumerlag"
    jolokia = Jolokia(Known(URL), frozenset(shipped().metrics), 1000)
    missing, follows, until = {"all"}, False, time.monotonic() + 20
    while missing or not follows:  # the first fetch that expires makes its MBean, and following takes a while
        samples = await jolokia.read(1)
        names = shipped().metrics.keys() - {sample.name for sample in samples} - _NOT_NOW
        missing = {name for name in names if not name.startswith(_NOT_HERE)}
        follows = any(label["topic"] == topic for label in labels(samples, lag))
        assert time.monotonic() < until, f"waited 20 s for {missing or 'the new topic'}"
        await asyncio.sleep(0.1)
    assert jolokia.failed == {}
    assert all(label.keys() == {"clientId", "topic", "partition"} for label in labels(samples, lag))
    assert {"clientId": "Replica"} in labels(samples, "kafka_server_replicafetchermanager_maxlag")
    assert {} in labels(samples, "kafka_server_brokertopicmetrics_bytesin_total")
    dirs = labels(samples, "kafka_log_logmanager_logdirectoryoffline")
    assert all(label["logDirectory"].startswith("/") for label in dirs)
    assert [s.value for s in samples if s.name == "kafka_server_kafkaserver_brokerstate"] == [3.0]


async def test_the_cluster_as_a_peer_sees_it(admin: Admin, topic: str) -> None:
    """Asked of another broker."""
    node = min(await admin.brokers())
    facts = ClusterFacts(admin, node, 1000)

    samples = await complete(facts)

    assert facts.facts is not None
    assert facts.facts.asked != node
    assert [s.value for s in samples if s.name == "kafka_admin_brokers"] == [3.0]
    assert not [s for s in samples if s.name == "kafka_admin_unanswered_total" and s.value]
    assert len(labels(samples, "kafka_admin_log_dir_replica_bytes")) == len(await admin.log_dirs(node))
    assert one(samples, "kafka_admin_quorum_leader") == 101.0
    assert one(samples, "kafka_admin_quorum_voters") == 1.0
    assert one(samples, "kafka_admin_quorum_observers") == 3.0
    lags = [s.value for s in samples if s.name == "kafka_admin_quorum_lag_seconds"]
    assert len(lags) == 4
    assert max(lags) < 60
    async with asyncio.timeout(30):  # the new topic's partitions, and their leaders, take a while to be known
        while not await agree(admin, node):
            await asyncio.sleep(0.1)
    async with asyncio.timeout(30):  # one broker learns of a new topic a moment after another
        while await admin.partitions() != await admin.partitions(ask=facts.facts.asked):
            await asyncio.sleep(0.1)


async def agree(admin: Admin, node: int) -> bool:
    """Whether a first reading and a call of the test's own count the same partitions here."""
    source = ClusterFacts(admin, node, 1000)
    samples = await complete(source)
    assert source.facts is not None
    partitions = await admin.partitions(ask=source.facts.asked)
    led = sum(p.leader == node for p in partitions)
    here = sum(node in p.replicas for p in partitions)
    seen = [one(samples, f"kafka_admin_{which}_partitions") for which in ("led", "followed")]
    return here > 0 and seen == [led, here - led]


async def test_a_broker_that_hangs_is_seen_by_the_agents_of_all_and_delays_none(
    cluster: Lab, topic: str
) -> None:
    """Its own agent too sees that it is fenced, and every agent what would be short without its broker.

    A session is 4 s in the lab; until it ends the broker counts as alive, and nobody waits for it.
    """
    agents = {node: Admin(own_first(cluster, node), Security(), client_id="ottla-hung") for node in (1, 3)}
    sources = {node: ClusterFacts(admin, node, 1000) for node, admin in agents.items()}
    before = {node: await complete(source) for node, source in sources.items()}
    assert {one(samples, "kafka_admin_fenced_brokers") for samples in before.values()} == {0.0}
    cluster.pause(3)
    try:
        begun, now, longest = time.monotonic(), 200_000, 0.0
        while any(source.facts is None or 3 not in source.facts.fenced for source in sources.values()):
            assert time.monotonic() - begun < 40, "waited 40 s for the fence"
            for source in sources.values():
                at = time.monotonic()
                await source.read(now)
                longest = max(longest, time.monotonic() - at)
            now += 1000
        assert longest < 10  # so long the schedule waits; two calls to a hung broker take as much
        seen = await until(sources[1], topic, now)
    finally:
        cluster.resume(3)
        for admin in agents.values():
            await admin.close()

    first = before[1]
    name = "kafka_admin_under_min_isr_partitions_without_this_broker"
    assert of_topic(seen, "kafka_admin_topic_under_replicated_partitions", topic) == 6.0
    assert of_topic(seen, "kafka_admin_topic_under_min_isr_partitions", topic) == 0.0
    assert one(seen, name) >= one(first, name) + 6
    at_minimum = "kafka_admin_at_min_isr_partitions"
    assert one(seen, at_minimum) >= one(first, at_minimum) + 6


async def complete(source: ClusterFacts) -> list[Sample]:
    """The newest samples of all calls, which on a slow machine come with more than one reading."""
    found: dict[tuple[str, object], Sample] = {}
    async with asyncio.timeout(20):
        for now in range(0, 100_000, 1000):
            found |= {(s.name, s.labels): s for s in await source.read(now)}
            if {dict(s.labels).get("call") for s in found.values()} >= BY_CALL.keys() and source.facts:
                break
    return list(found.values())


async def until(source: ClusterFacts, topic: str, now: int) -> list[Sample]:
    """A reading in which the topic's partitions lack a replica."""
    async with asyncio.timeout(20):
        while True:
            samples = await source.read(now)
            if of_topic(samples, "kafka_admin_topic_under_replicated_partitions", topic) == 6.0:
                return samples
            now += 1000
            await asyncio.sleep(0.1)


def own_first(cluster: Lab, node: int) -> list[str]:
    """The brokers' addresses, the own one first, as an agent is configured."""
    return sorted(cluster.bootstrap, key=lambda address: not address.endswith(f":{cluster.node(node).port}"))


def one(samples: list[Sample], name: str) -> float:
    """The newest: a call that failed since the last reading and was answered then ended its series first."""
    return [sample.value for sample in samples if sample.name == name][-1]


def of_topic(samples: list[Sample], name: str, topic: str) -> float | None:
    found = [s.value for s in samples if s.name == name and s.labels == (("topic", topic),)]
    return found[-1] if found else None


async def test_a_throttle_is_seen_while_it_stands(admin: Admin) -> None:
    """And -1 again when it is gone."""
    node = min(await admin.brokers())
    facts, key = ClusterFacts(admin, node, 1000), "follower.replication.throttled.rate"

    now = 0

    async def throttle(expected: float) -> None:
        nonlocal now
        found = -2.0
        async with asyncio.timeout(10):
            while found != expected:
                now += 1000
                told = [s.value for s in await facts.read(now) if s.labels == (("key", key),)]
                found = told[-1] if told else found

    await admin.alter_configs([ConfigChange(f"broker/{node}", key, "set", "1048577")])
    try:
        await throttle(1048577.0)
    finally:
        await admin.alter_configs([ConfigChange(f"broker/{node}", key, "delete", None)])
    await throttle(-1.0)


async def test_a_list_of_throttled_replicas_is_seen(admin: Admin, topic: str) -> None:
    """It may stand for ever where a tool died, and slows what comes later."""
    key = "follower.replication.throttled.replicas"
    facts = ClusterFacts(admin, 2, 1000)
    await complete(facts)
    await admin.alter_configs([ConfigChange(f"topic/{topic}", key, "set", "0:2,1:2,2:3")])

    now, seen = 100_000, (0.0, 0.0)
    async with asyncio.timeout(10):
        while seen != (1.0, 2.0):
            now += 20_000  # each topic is asked about every 15 s
            samples = await facts.read(now)
            lists = [s for s in samples if s.labels == (("key", key),)]
            if lists:
                names = ("kafka_admin_throttled_topics", "kafka_admin_throttled_replicas")
                seen = (one(lists, names[0]), one(lists, names[1]))
