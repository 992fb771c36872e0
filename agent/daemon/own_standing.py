"""This agent's standing in the control topic as series, as far as it has read the log."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.control_topic import ControlTopic

SNAPSHOTS = {  # of the log, by what is known of it
    "snapshot_newest": "Offset of the newest snapshot of the log's state, -1 where none was seen",
    "snapshot_bytes": "Size of a snapshot of the log's state; more than 983040 are not written",
    "log_start": "First offset that the log still has",
}


def standing(control: ControlTopic) -> dict[str, float]:
    """The same as a source has it. Of the log nothing before it is read to its end: a counter would leap from
    its first record to its last at each start."""
    known: dict[str, float] = {
        "ottla_control_degraded": control.degraded is not None,
        "ottla_control_differs": control.differing is not None,
    }
    if control.caught_up:
        snapshots = control.snapshots()
        known |= {f"ottla_control_{name}": snapshots[name.removeprefix("snapshot_")] for name in SNAPSHOTS}
        known["ottla_control_joins_total"] = control.joins
        known["ottla_control_leader_epochs_total"] = max(0, control.state.epoch)
    return known


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
        yield from self._snapshots()

    def _snapshots(self) -> Iterator[Metric]:
        known = self._control.snapshots()
        for name, what in SNAPSHOTS.items():
            gauge = GaugeMetricFamily(f"ottla_control_{name}", what)
            gauge.add_metric([], known[name.removeprefix("snapshot_")])
            yield gauge
        refused = CounterMetricFamily(
            "ottla_control_snapshots_refused", "Snapshots of the log that were none to start from"
        )
        refused.add_metric([], known["refused"])
        yield refused
