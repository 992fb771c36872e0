"""The agent's standing in the control topic as a source, so that rules may read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.model import Sample
from agent.sources import MetricInfo

METRICS = (
    MetricInfo("ottla_control_degraded", "gauge", "", "1 where no claim can be had"),
    MetricInfo(
        "ottla_control_differs", "gauge", "", "1 where a peer comes to another state from the same log"
    ),
    MetricInfo(
        "ottla_control_joins_total",
        "counter",
        "",
        "Times that an agent of this name joined: each start is one",
    ),
    MetricInfo("ottla_control_leader_epochs_total", "counter", "", "Leader epoch of the control topic"),
    MetricInfo(
        "ottla_control_snapshot_newest", "gauge", "", "Offset of the newest snapshot, -1 where none was seen"
    ),
    MetricInfo(
        "ottla_control_snapshot_bytes",
        "gauge",
        "bytes",
        "Size of a snapshot of the log's state; more than 983040 are not written",
    ),
    MetricInfo("ottla_control_log_start", "gauge", "", "First offset that the log still has"),
)
_NAMES = frozenset(metric.name for metric in METRICS)


class ControlStanding:
    """Asks for the values by name, where any of METRICS is in `wanted`: at first none. Never fails."""

    name = "control"
    partial = False
    metrics = METRICS

    def __init__(self, ask: Callable[[], Mapping[str, float]], interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.wanted = frozenset[str]()
        self._ask = ask

    async def read(self, now: int) -> list[Sample]:
        """The samples of METRICS that are known."""
        if not self.wanted & _NAMES:
            return []
        return [Sample(name, (), now, float(value)) for name, value in self._ask().items()]
