"""What Prometheus scrapes from the agent: its incidents, alerts, rules and sources, and what others add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.daemon.sight import Sight
from agent.history import History, Phase
from agent.model import Sample
from agent.sources import MetricInfo, schedule
from agent.sources.agent_itself import AgentItself
from agent.sources.schedule import Polling


def exposition(history: History, sight: Sight, more: Iterable[Collector]) -> bytes:
    """In Prometheus's text format 0.0.4; each of `more` brings series of its own."""
    registry = CollectorRegistry()
    incidents = Gauge("ottla_incidents", "Open incidents", ["phase"], registry=registry)
    for one in history.incidents.values():
        if one.phase is not Phase.CLOSED:
            incidents.labels(one.phase).inc()
    alerts = Gauge("ottla_alerts", "Active alerts", ["alertname", "state"], registry=registry)
    for alert in sight.alerts.active():
        alerts.labels(alert.rule, alert.state).inc()
    rules = Gauge("ottla_rule_ok", "1 where a rule can be judged", ["alertname", "health"], registry=registry)
    for rule in sight.book.alerts:
        health = sight.alerts.health(rule.name)
        rules.labels(rule.name, health).set(health == "ok")
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)


class OfSources(Collector):
    """What the sources say of themselves at `now`, and the agent as a source of its own."""

    def __init__(self, pollings: Iterable[Polling], now: int) -> None:
        self._pollings = tuple(pollings)
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client wants it."""
        samples = [sample for polling in self._pollings for sample in polling.own(self._now)]
        infos = [*schedule.METRICS]
        for source in (polling.source for polling in self._pollings):
            if isinstance(source, AgentItself):
                samples += source.samples(self._now)
                infos += source.metrics
        return (_metric(info, [s for s in samples if s.name == info.name]) for info in infos)


def _metric(info: MetricInfo, samples: list[Sample]) -> Metric:
    made = CounterMetricFamily if info.type == "counter" else GaugeMetricFamily
    names = [name for name, _ in samples[0].labels] if samples else []
    metric: Metric = made(info.name, info.help, labels=names)
    for sample in samples:
        metric.add_metric([value for _, value in sample.labels], sample.value)  # type: ignore[attr-defined]
    return metric
