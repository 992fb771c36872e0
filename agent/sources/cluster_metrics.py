"""The metrics of the cluster source, by the call that gives them."""

from __future__ import annotations

from collections.abc import Mapping

from agent.sources import MetricInfo

THROTTLES = (
    "leader.replication.throttled.rate",
    "follower.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
)


def _gauge(name: str, meaning: str, unit: str = "") -> MetricInfo:
    return MetricInfo(f"kafka_admin_{name}", "gauge", unit, meaning)


BY_CALL: Mapping[str, tuple[MetricInfo, ...]] = {
    "brokers": (
        _gauge("brokers", "Registered brokers that are not fenced, as a peer sees them"),
        _gauge("fenced_brokers", "Registered brokers that the controller has fenced, as a peer sees them"),
    ),
    "reassignments": (
        _gauge("reassigning_partitions", "Partitions of the cluster that are being moved between brokers"),
    ),
    "partitions": (
        _gauge(
            "partitions", "Partitions of the cluster; a peer tells of them, as of all counts of partitions"
        ),
        _gauge("offline_partitions", "Partitions of the cluster without a leader"),
        _gauge("under_min_isr_partitions", "Partitions below min.insync.replicas"),
        _gauge(
            "at_min_isr_partitions",
            "Partitions with just min.insync.replicas in sync: one replica less stops writes with acks=all",
        ),
        _gauge("under_replicated_partitions", "Partitions with replicas out of sync"),
        _gauge("offline_replicas", "Replicas on brokers or log dirs that are down"),
        _gauge("led_partitions", "Partitions that this broker leads"),
        _gauge("followed_partitions", "Partitions of which this broker has a replica and is not the leader"),
        _gauge("out_of_sync_replicas", "Replicas of this broker that are not in sync"),
        _gauge(
            "under_min_isr_partitions_without_this_broker",
            "Partitions that are below min.insync.replicas, or would be if this broker stopped",
        ),
        _gauge(
            "offline_partitions_without_this_broker",
            "Partitions that have no leader, or would have none if this broker stopped",
        ),
        _gauge(
            "last_copy_partitions",
            "Partitions whose data only this broker is known to hold whole, as the one member of ISR, ELR and"
            " last known ELR (KIP-966)",
        ),
        _gauge("topic_offline_partitions", "Of each `topic` in trouble, at most 100: without a leader"),
        _gauge("topic_under_min_isr_partitions", "Of the same topics: below min.insync.replicas"),
        _gauge("topic_under_replicated_partitions", "Of the same topics: with replicas out of sync"),
        _gauge(
            "throttled_topics",
            "Topics with a list of throttled replicas under `key`; without a rate it idles",
        ),
        _gauge("throttled_replicas", "Replicas of this broker in the lists under `key`, * counting for all"),
    ),
    "throttles": (
        _gauge(
            "throttle_bytes_per_second",
            "The dynamic throttle `key` in force at this broker: its own, else the default of all brokers;"
            " -1: not set, or to no limit",
            "bytes",
        ),
    ),
    "log_dirs": (
        _gauge("future_replicas", "Replicas that are being moved into the log dir `path` of this broker"),
        _gauge("log_dir_replica_bytes", "Size of all replicas in the log dir `path` of this broker", "bytes"),
        _gauge("log_dir_offline", "1 if the log dir `path` of this broker is offline, else 0"),
    ),
    "quorum": (
        _gauge("quorum_leader", "Node id of the active controller, -1: none is known"),
        _gauge("quorum_leader_epoch", "The leader's epoch: it grows with each election"),
        _gauge("quorum_voters", "Voters of the quorum"),
        _gauge("quorum_observers", "Observers of the quorum: the brokers that fetch its log"),
        _gauge(
            "quorum_lag_records", "How far `node` (its `role`: voter or observer) is behind the leader's end"
        ),
        _gauge(
            "quorum_lag_seconds", "How long ago, by the leader's clock, `node` had all that it has", "seconds"
        ),
    ),
}

OWN = (
    MetricInfo("kafka_admin_unanswered_total", "counter", "", "Calls of this source that failed, by `call`"),
    _gauge("answer_age_seconds", "How long ago the `call` was asked that was answered last", "seconds"),
    MetricInfo(
        "ottla_cluster_left_out",
        "gauge",
        "",
        "Topics in trouble (`call` partitions) and nodes of the quorum (`call` quorum) that get no series",
    ),
)

METRICS = (*(metric for metrics in BY_CALL.values() for metric in metrics), *OWN)
