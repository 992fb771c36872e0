"""The scenery of a story: the series that are given, and what sources would read of the rehearsed cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from agent.actions import Action, Ports, load
from agent.gate import World
from agent.model import Labels, Policy, Sample
from agent.promql.labels import NAME, without
from agent.promql.vectors import STALE
from agent.rehearsal.cases import GivenSeries
from agent.rehearsal.cluster import Cluster
from agent.sources import SourceFailed, schedule
from agent.sources.cluster import ClusterFacts

SOURCES_MS = 10_000  # how often the sources read, unless the given series come faster


class GivenScenery:
    """A given series takes the place of every series of that name which a source would give."""

    def __init__(
        self, series: Sequence[GivenSeries], interval: int, start: int, cluster: Cluster, policy: Policy
    ) -> None:
        self.cluster = cluster
        self.actions: Mapping[str, Action] = {name: cls() for name, cls in load().items()}
        self._policy = policy
        self._start = start
        self._interval = interval
        self._period = min(interval, SOURCES_MS)
        self._series = [(_named(one.labels), one.values) for one in series]
        self._given = frozenset(name for (name, _), _ in self._series)
        self._facts = ClusterFacts(cluster, cluster.node, self._period)
        self._unread = frozenset[str]()

    def begin_life(self) -> None:
        """The agent is started: its sources know nothing yet."""
        self._unread = frozenset()
        self._facts = ClusterFacts(self.cluster, self.cluster.node, self._period)

    def ports(self, clock: Callable[[], int], recorded: Callable[[str, str, str], bool]) -> Ports:
        """What actions reach: the rehearsed cluster and its disks."""
        return Ports(
            admin=self.cluster,
            node_id=self.cluster.node,
            free_bytes=self.cluster.free_bytes,
            policy=self._policy,
            steady=clock,
            sleep=asyncio.sleep,
            recorded=recorded,
        )

    def world(self) -> World | None:
        """As a peer last told it."""
        return self._facts.facts

    def next_read(self, now: int) -> int:
        """The next instant at which a series has a value or the sources read."""
        passed = now - self._start
        return self._start + min(passed - passed % each + each for each in (self._interval, self._period))

    async def read(self, now: int) -> list[Sample]:
        """What all sources give at this instant."""
        passed = now - self._start
        samples = list(self._of_series(now, passed // self._interval)) if not passed % self._interval else []
        if passed % self._period == 0:
            samples += [sample for sample in await self._of_sources(now) if sample.name not in self._given]
        return samples

    def _of_series(self, now: int, step: int) -> list[Sample]:
        return [
            Sample(name, labels, now, value)
            for (name, labels), values in self._series
            if step < len(values) and (value := values[step]) is not None
        ]

    async def _of_sources(self, now: int) -> list[Sample]:
        up = {"host": 1.0, "jmx": 1.0, "logs": 1.0, "cluster": 1.0}
        samples, before, self._unread = self._of_host(now), self._unread, frozenset[str]()
        try:
            samples += await self._facts.read(now)
            self._unread = self._facts.unread
        except SourceFailed:
            up["cluster"] = 0.0
        for metric in sorted(before | self._unread):
            labels = (("metric", metric), ("source", "cluster"))
            samples.append(Sample(schedule.UNREAD, labels, now, 1.0 if metric in self._unread else STALE))
        return samples + [Sample(schedule.UP, (("source", s),), now, v) for s, v in up.items()]

    def _of_host(self, now: int) -> list[Sample]:
        """As agent.sources.host reads it of file systems."""
        self.cluster.advance()
        found = []
        for path in self.cluster.volumes:
            usable, total = self.cluster.free(path)
            for name, value in (
                ("used_ratio", 1 - usable / total if total else 1.0),
                ("total_bytes", total),
                ("usable_bytes", usable),
            ):
                found.append(Sample(f"host_log_dir_{name}", (("path", path),), now, float(value)))
        return found


def _named(labels: Labels) -> tuple[str, Labels]:
    return dict(labels).get(NAME, ""), without(labels, {NAME})
