"""The sources against a real broker with two peers.

OTTLA_TEST_BOOTSTRAP names the cluster's servers, OTTLA_TEST_JOLOKIA the URL of one broker's Jolokia.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator

import pytest

from agent.kafka.admin import Admin
from agent.kafka.configs import ConfigChange
from agent.kafka.connection import Security
from agent.model import Sample
from agent.sources.cluster import ClusterFacts
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
    samples: list[Sample] = []
    async with asyncio.timeout(20):  # until the broker follows the new topic
        while not any(label["topic"] == topic for label in labels(samples, lag)):
            await asyncio.sleep(0.1)
            samples = await jolokia.read(1)

    missing = shipped().metrics.keys() - {sample.name for sample in samples} - _NOT_NOW
    assert {name for name in missing if not name.startswith(_NOT_HERE)} == set()
    assert jolokia.failed == {}
    assert all(label.keys() == {"clientId", "topic", "partition"} for label in labels(samples, lag))
    assert {"clientId": "Replica"} in labels(samples, "kafka_server_replicafetchermanager_maxlag")
    assert {} in labels(samples, "kafka_server_brokertopicmetrics_bytesin_total")
    dirs = labels(samples, "kafka_log_logmanager_logdirectoryoffline")
    assert all(label["logDirectory"].startswith("/") for label in dirs)
    assert [s.value for s in samples if s.name == "kafka_server_kafkaserver_brokerstate"] == [3.0]


async def test_the_cluster_as_a_peer_sees_it(admin: Admin, topic: str) -> None:
    """Complete at the first reading, and asked of another broker."""
    node = min(await admin.brokers())
    facts = ClusterFacts(admin, node, 1000)

    samples = await facts.read(1000)

    assert facts.facts is not None
    assert facts.facts.asked != node
    assert [s.value for s in samples if s.name == "kafka_admin_brokers"] == [3.0]
    assert not [s for s in samples if s.name == "kafka_admin_unanswered_total" and s.value]
    assert len(labels(samples, "kafka_admin_log_dir_replica_bytes")) == len(await admin.log_dirs(node))


async def test_a_throttle_is_seen_while_it_stands(admin: Admin) -> None:
    """And -1 again when it is gone."""
    node = min(await admin.brokers())
    facts, key = ClusterFacts(admin, node, 1000), "follower.replication.throttled.rate"

    async def throttle(expected: float) -> None:
        found = -2.0
        async with asyncio.timeout(10):
            while found != expected:
                samples = await facts.read(1000)
                found = next(s.value for s in samples if s.labels == (("key", key),))

    await admin.alter_configs([ConfigChange(f"broker/{node}", key, "set", "1048577")])
    try:
        await throttle(1048577.0)
    finally:
        await admin.alter_configs([ConfigChange(f"broker/{node}", key, "delete", None)])
    await throttle(-1.0)
