"""What keeps the agent from acting as a source, so that rules may read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from agent.model import Sample
from agent.sources import MetricInfo

STOPPED = MetricInfo("ottla_stopped", "gauge", "", "1 while the stop file stands: nothing is begun or undone")
PAUSED = MetricInfo("ottla_paused", "gauge", "", "1 while a person's pause stands: nothing is begun")
BREAKER = MetricInfo(
    "ottla_breaker_open",
    "gauge",
    "",
    "1 where so many actions in a row did not heal that nothing is begun until a person resumes",
)
TROUBLED = MetricInfo(
    "ottla_troubled_incidents",
    "gauge",
    "",
    "Incidents under way that something keeps from going on, as one whose undo fails",
)
METRICS = (STOPPED, PAUSED, BREAKER, TROUBLED)
_NAMES = frozenset(metric.name for metric in METRICS)


class Hindrances:
    """Asks for the values by name, where any of METRICS is in `wanted`: at first none. Never fails."""

    name = "hindrances"
    partial = False
    metrics = METRICS

    def __init__(self, ask: Callable[[], Awaitable[Mapping[str, float]]], interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.wanted = frozenset[str]()
        self._ask = ask

    async def read(self, now: int) -> list[Sample]:
        """The samples of METRICS."""
        if not self.wanted & _NAMES:
            return []
        return [Sample(name, (), now, value) for name, value in (await self._ask()).items()]
