"""What Prometheus scrapes from the agent: its incidents, alerts, rules, sources and standing in the fleet."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.registry import Collector

from agent.daemon.sight import Sight
from agent.history import History
from agent.sources.schedule import Polling


def exposition(
    history: History, sight: Sight, pollings: Iterable[Polling], degraded: bool, more: Collector
) -> bytes:
    """In Prometheus's text format 0.0.4. `degraded`: no claim can be had; `more` brings series of its own."""
    registry = CollectorRegistry()
    incidents = Gauge("ottla_incidents", "Open incidents", ["phase"], registry=registry)
    for one in history.incidents.values():
        incidents.labels(one.phase).inc()
    alerts = Gauge("ottla_alerts", "Active alerts", ["alertname", "state"], registry=registry)
    for alert in sight.alerts.active():
        alerts.labels(alert.rule, alert.state).inc()
    rules = Gauge("ottla_rule_ok", "1 where a rule can be judged", ["alertname", "health"], registry=registry)
    for rule in sight.book.alerts:
        health = sight.alerts.health(rule.name)
        rules.labels(rule.name, health).set(health == "ok")
    up = Gauge("ottla_source_up", "1 where the last reading succeeded", ["source"], registry=registry)
    for polling in pollings:
        up.labels(polling.source.name).set(polling.last_error is None)
    Gauge("ottla_control_degraded", "1 where no claim can be had", registry=registry).set(degraded)
    registry.register(more)
    return generate_latest(registry)
