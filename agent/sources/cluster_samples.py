"""The samples in the answers of the cluster: pure, one function a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest

from agent.kafka.errors import NONE
from agent.kafka.log_dirs import LogDir
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.kafka.quorum import Quorum, QuorumNode
from agent.model import Sample, labels_of
from agent.sources.cluster_metrics import THROTTLES
from agent.sources.partition_counts import Counts, Trouble

MOST_TOPICS = 100
MOST_NODES = 50  # of the quorum

_NOT_SET = "-1"
_LIFTED = str(2**63 - 1)  # Kafka's default, set by hand: no throttle either
_EVERYTHING = "*"


def sample(name: str, now: int, value: float, **labels: str) -> Sample:
    """One of this source's."""
    return Sample(f"kafka_admin_{name}", labels_of(labels), now, float(value))


def left_out(call: str, count: int, now: int) -> Sample:
    """How many label sets a call's answer had beyond the limit."""
    return Sample("ottla_cluster_left_out", (("call", call),), now, float(count))


def of_brokers(brokers: Mapping[int, BrokerInfo], now: int) -> Iterator[Sample]:
    """DescribeCluster's."""
    fenced = sum(broker.fenced for broker in brokers.values())
    yield sample("brokers", now, len(brokers) - fenced)
    yield sample("fenced_brokers", now, fenced)


def of_counts(counts: Counts, now: int) -> Iterator[Sample]:
    """DescribeTopicPartitions'. Of topics in trouble those that are worst off are told."""
    for name, value in (
        ("partitions", counts.partitions),
        ("offline_partitions", counts.offline),
        ("under_min_isr_partitions", counts.under_min_isr),
        ("at_min_isr_partitions", counts.at_min_isr),
        ("under_replicated_partitions", counts.under_replicated),
        ("offline_replicas", counts.offline_replicas),
        ("led_partitions", counts.led),
        ("followed_partitions", counts.followed),
        ("out_of_sync_replicas", counts.out_of_sync_here),
        ("under_min_isr_partitions_without_this_broker", counts.under_min_isr_without),
        ("offline_partitions_without_this_broker", counts.offline_without),
        ("last_copy_partitions", counts.last_copies),
    ):
        yield sample(name, now, value)
    for topic, trouble in nlargest(MOST_TOPICS, counts.topics.items(), key=_weight):
        yield sample("topic_offline_partitions", now, trouble.offline, topic=topic)
        yield sample("topic_under_min_isr_partitions", now, trouble.under_min_isr, topic=topic)
        yield sample("topic_under_replicated_partitions", now, trouble.under_replicated, topic=topic)
    yield left_out("partitions", max(0, len(counts.topics) - MOST_TOPICS), now)


def _weight(topic: tuple[str, Trouble]) -> tuple[int, int, int, str]:
    name, trouble = topic
    return trouble.offline, trouble.under_min_isr, trouble.under_replicated, name


def of_throttle_list(
    key: str, lists: Mapping[str, str], partitions: Sequence[PartitionInfo], broker: int, now: int
) -> Iterator[Sample]:
    """What the topics' lists of throttled replicas (`partition:broker,...` or `*`) come to."""
    everywhere = {topic for topic, entries in lists.items() if entries.strip() == _EVERYTHING}
    own = sum(
        entry.strip().rpartition(":")[2] == str(broker)
        for topic, entries in lists.items()
        if topic not in everywhere
        for entry in entries.split(",")
    )
    if everywhere:
        own += sum(p.topic in everywhere and broker in p.replicas for p in partitions)
    yield sample("throttled_topics", now, len(lists), key=key)
    yield sample("throttled_replicas", now, own, key=key)


def of_throttles(configs: Mapping[str, str], now: int) -> Iterator[Sample]:
    """The rates that are in force at this broker."""
    for key in THROTTLES:
        value = configs.get(key, _NOT_SET)
        yield sample(
            "throttle_bytes_per_second", now, float(_NOT_SET if value == _LIFTED else value), key=key
        )


def of_log_dirs(folders: Sequence[LogDir], now: int) -> Iterator[Sample]:
    """DescribeLogDirs'; of one that is offline no sizes are known."""
    for folder in folders:
        yield sample("log_dir_offline", now, folder.error != NONE, path=folder.path)
        if folder.error == NONE:
            future = sum(replica.future for replica in folder.replicas)
            yield sample("future_replicas", now, future, path=folder.path)
            size = sum(replica.size for replica in folder.replicas)
            yield sample("log_dir_replica_bytes", now, size, path=folder.path)


def of_quorum(quorum: Quorum, now: int) -> Iterator[Sample]:
    """DescribeQuorum's. Lags are against the leader, by its own clock; of many nodes the last are told."""
    yield sample("quorum_leader", now, quorum.leader)
    yield sample("quorum_leader_epoch", now, quorum.epoch)
    yield sample("quorum_voters", now, len(quorum.voters))
    yield sample("quorum_observers", now, len(quorum.observers))
    leader = next((voter for voter in quorum.voters if voter.node_id == quorum.leader), None)
    nodes = [("voter", voter) for voter in quorum.voters] + [("observer", each) for each in quorum.observers]
    yield left_out("quorum", max(0, len(nodes) - MOST_NODES) if leader else 0, now)
    if leader is None:
        return
    for role, node in nlargest(MOST_NODES, nodes, key=lambda each: (-each[1].end_offset, each[1].node_id)):
        yield from _of_node(role, node, leader, now)


def _of_node(role: str, node: QuorumNode, leader: QuorumNode, now: int) -> Iterator[Sample]:
    labels = {"node": str(node.node_id), "role": role}
    if node.end_offset >= 0:
        yield sample("quorum_lag_records", now, max(0, leader.end_offset - node.end_offset), **labels)
    if node.caught_up_at >= 0 and leader.caught_up_at >= 0:
        seconds = max(0, leader.caught_up_at - node.caught_up_at) / 1000
        yield sample("quorum_lag_seconds", now, seconds, **labels)
