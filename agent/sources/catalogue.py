"""Every metric that an agent can have, as declared by its sources: what `rules check` and docs go by."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from agent.sources import (
    MetricInfo,
    agent_itself,
    cluster_metrics,
    control_standing,
    exposition_own,
    hindrances,
    host_sources,
    jolokia,
    logs,
    schedule,
)
from agent.sources.names import Names

# By title and source, as docs/metrics.md shows them.
TABLES = (
    *host_sources.TABLES,
    ("The cluster, by the admin protocol", "cluster", cluster_metrics.METRICS),
    ("Log lines", "logs", logs.METRICS),
    ("The broker, by JMX", "jmx", jolokia.METRICS),
    ("Exporters", "exposition", exposition_own.METRICS),
    ("The sources themselves, by `source`", "every source", schedule.METRICS),
    ("The agent itself", "agent", agent_itself.METRICS),
    ("What keeps the agent from acting", "hindrances", hindrances.METRICS),
    ("The control topic, as this agent has read it", "control", control_standing.METRICS),
)
OTHERS = tuple(metric for _, _, metrics in TABLES for metric in metrics)


def others() -> frozenset[str]:
    """The names of all metrics that are no MBean's."""
    return frozenset(metric.name for metric in OTHERS)


def declared(names: Names) -> Mapping[str, MetricInfo]:
    """By name; of log patterns only the rule files know."""
    found = {metric.name: metric for metric in OTHERS}
    found |= {name: metric.info(name) for name, metric in names.metrics.items()}
    for name, alias in names.aliases.items():
        if alias.of in found:
            found[name] = replace(found[alias.of], name=name)
        else:
            found[name] = MetricInfo(name, "counter", "", f"Another name for {alias.of}")
    return found
