"""All labels that the series of a metric may have, where only this agent makes them.

Of others an exporter may tell, with labels of its own. The host's target labels come on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agent.sources import cluster_metrics, disk_probe, disk_stats, host

_PATH = frozenset({"path"})
_ADMIN = {
    "topic_offline_partitions": {"topic"},
    "topic_under_min_isr_partitions": {"topic"},
    "topic_under_replicated_partitions": {"topic"},
    "throttled_topics": {"key"},
    "throttled_replicas": {"key"},
    "throttle_bytes_per_second": {"key"},
    "future_replicas": {"path"},
    "log_dir_replica_bytes": {"path"},
    "log_dir_offline": {"path"},
    "quorum_lag_records": {"node", "role"},
    "quorum_lag_seconds": {"node", "role"},
    "unanswered_total": {"call"},
    "answer_age_seconds": {"call"},
}
_CLUSTER = {
    metric.name: frozenset(_ADMIN.get(metric.name.removeprefix("kafka_admin_"), ()))
    for metric in cluster_metrics.METRICS
    if metric.name.startswith("kafka_admin_")
}
LABELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **_CLUSTER,
        **{metric.name: _PATH for metric in (*host.METRICS, *disk_probe.METRICS)},
        **{metric.name: frozenset({"device", "path"}) for metric in disk_stats.METRICS},
        "host_log_dir_probe_errors_total": frozenset({"errno", "path"}),
    }
)
