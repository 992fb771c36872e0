"""This agent's standing in the control topic as series, as far as it has read the log."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.control_topic import ControlTopic


class OfControl(Collector):
    """The counters are the log's: an agent that starts later, or folds it again, tells the same."""

    def __init__(self, control: ControlTopic) -> None:
        self._control = control

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client wants it."""
        degraded = GaugeMetricFamily("ottla_control_degraded", "1 where no claim can be had")
        degraded.add_metric([], float(self._control.degraded is not None))
        yield degraded
        void = CounterMetricFamily(
            "ottla_control_void_records", "Records of the log without effect", labels=["reason"]
        )
        for reason, count in self._control.state.voids.items():
            void.add_metric([reason], count)
        yield void
        joins = CounterMetricFamily(
            "ottla_control_joins", "Times that an agent of this name joined the log: each start is one"
        )
        joins.add_metric([], self._control.joins)
        yield joins
        epochs = CounterMetricFamily("ottla_control_leader_epochs", "Leader epoch of the control topic")
        epochs.add_metric([], max(0, self._control.state.epoch))
        yield epochs
        differs = GaugeMetricFamily(
            "ottla_control_differs", "1 where a peer comes to another state from the same log"
        )
        differs.add_metric([], float(self._control.differing is not None))
        yield differs
