"""What Prometheus scrapes from the agent: its incidents, alerts, rules and sources, and what others add."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from agent.daemon.sight import Sight
from agent.families import Collector, Family, written
from agent.history import History, Phase
from agent.model import Sample
from agent.sources import MetricInfo, schedule
from agent.sources.agent_itself import AgentItself
from agent.sources.schedule import Polling


def exposition(history: History, sight: Sight, more: Iterable[Collector]) -> bytes:
    """In Prometheus's text format 0.0.4; each of `more` brings series of its own."""
    return written(chain(_of_agent(history, sight), *(collector.collect() for collector in more)))


def _of_agent(history: History, sight: Sight) -> Iterator[Family]:
    phases = [one.phase for one in history.incidents.values() if one.phase is not Phase.CLOSED]
    incidents = Counter((("phase", str(phase)),) for phase in phases)
    yield Family("ottla_incidents", "gauge", "Open incidents", incidents.items())
    active = sight.alerts.active()
    alerts = Counter((("alertname", alert.rule), ("state", str(alert.state))) for alert in active)
    yield Family("ottla_alerts", "gauge", "Active alerts", alerts.items())
    health = [(rule.name, str(sight.alerts.health(rule.name))) for rule in sight.book.alerts]
    rules = {(("alertname", name), ("health", said)): float(said == "ok") for name, said in health}
    yield Family("ottla_rule_ok", "gauge", "1 where a rule can be judged", rules.items())


class OfSources:
    """What the sources say of themselves at `now`, and the agent as a source of its own."""

    def __init__(self, pollings: Iterable[Polling], now: int) -> None:
        self._pollings = tuple(pollings)
        self._now = now

    def collect(self) -> Iterator[Family]:
        """One for each metric that they have, be it without series."""
        samples = [sample for polling in self._pollings for sample in polling.own(self._now)]
        infos = [*schedule.METRICS]
        for source in (polling.source for polling in self._pollings):
            if isinstance(source, AgentItself):
                samples += source.samples(self._now)
                infos += source.metrics
        return (_family(info, samples) for info in infos)


def _family(info: MetricInfo, samples: Sequence[Sample]) -> Family:
    rows = {sample.labels: sample.value for sample in samples if sample.name == info.name}
    return Family(info.name, info.type, info.help, rows.items())
