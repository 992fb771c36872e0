"""The cluster by the admin protocol: what a peer says of it, and what this broker says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import TypeVar

from agent.gate import World
from agent.kafka.errors import NONE, KafkaError
from agent.kafka.log_dirs import LogDir
from agent.kafka.metadata import BrokerInfo
from agent.model import Sample, labels_of
from agent.sources import MetricInfo, SourceFailed
from agent.sources.admin_port import FactsAdmin
from agent.sources.min_isr import MinIsr, under_min_isr

T = TypeVar("T")

THROTTLES = (
    "leader.replication.throttled.rate",
    "follower.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
)
_NOT_SET = "-1"
# Each DescribeLogDirs writes a warning with a stack trace into the broker's log while a dir is offline.
_OFFLINE_PAUSE_MS = 60_000


def _gauge(name: str, meaning: str, unit: str = "") -> MetricInfo:
    return MetricInfo(f"kafka_admin_{name}", "gauge", unit, meaning)


METRICS = (
    _gauge("brokers", "Registered brokers that are not fenced"),
    _gauge("fenced_brokers", "Registered brokers that the controller has fenced"),
    _gauge("reassigning_partitions", "Partitions of the cluster that are being moved between brokers"),
    _gauge("offline_partitions", "Partitions of the cluster without a leader, as a peer sees them"),
    _gauge("under_min_isr_partitions", "Partitions below min.insync.replicas, as a peer sees them"),
    _gauge("under_replicated_partitions", "Partitions with replicas out of sync, as a peer sees them"),
    _gauge("throttle_bytes_per_second", "The dynamic throttle `key` of this broker; -1: not set", "bytes"),
    _gauge("future_replicas", "Replicas that are being moved into the log dir `path` of this broker"),
    _gauge("log_dir_replica_bytes", "Size of all replicas in the log dir `path` of this broker", "bytes"),
    _gauge("log_dir_offline", "1 if the log dir `path` of this broker is offline, else 0"),
    MetricInfo("kafka_admin_unanswered_total", "counter", "", "Calls of this source that failed, by `call`"),
)


class ClusterFacts:
    """Asks the cluster. What is not answered is counted and left out; no answer at all is SourceFailed.

    `facts` is the newest complete view for the gate. It keeps its time, so it ages where no new one comes.
    """

    name = "cluster"
    partial = True
    metrics = METRICS

    def __init__(self, admin: FactsAdmin, node_id: int, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.facts: World | None = None
        self._admin = admin
        self._node_id = node_id
        self._min_isr = MinIsr()
        self._silent: int | None = None  # the peer that did not answer last time
        self._unanswered = dict.fromkeys(("partitions", "reassignments", "throttles", "log_dirs"), 0)
        self._dirs: tuple[LogDir, ...] = ()
        self._dirs_due = 0

    async def read(self, now: int) -> list[Sample]:
        """One reading: at most one metadata answer, and calls to different brokers side by side."""
        try:
            brokers = await self._admin.brokers()
        except KafkaError as error:
            raise SourceFailed(f"no broker answers: {error}") from error
        parts = await asyncio.gather(self._cluster(brokers, now), self._throttles(now), self._log_dirs(now))
        unanswered = [
            _sample("unanswered_total", now, count, call=call) for call, count in self._unanswered.items()
        ]
        return [sample for part in parts for sample in part] + unanswered

    async def _cluster(self, brokers: Mapping[int, BrokerInfo], now: int) -> list[Sample]:
        fenced = frozenset(node for node, broker in brokers.items() if broker.fenced)
        alive = sorted(brokers.keys() - fenced)
        asked = peer(self._node_id, alive, self._silent)
        reassigning, counts = await asyncio.gather(
            self._answer("reassignments", self._admin.reassignments()),
            self._answer("partitions", self._count(asked, now)),
        )
        self._silent = asked if counts is None else None
        samples = [_sample("brokers", now, len(alive)), _sample("fenced_brokers", now, len(fenced))]
        if reassigning is not None:
            samples.append(_sample("reassigning_partitions", now, len(reassigning)))
        if counts is not None:
            samples += [_sample(f"{name}_partitions", now, count) for name, count in counts.items()]
        if reassigning is not None and counts is not None:
            self.facts = World(
                at=now,
                asked=asked,
                fenced=fenced,
                reassigning=len(reassigning),
                under_min_isr=counts["under_min_isr"],
                offline=counts["offline"],
                alone=asked == self._node_id,
            )
        return samples

    async def _count(self, ask: int, now: int) -> Mapping[str, int]:
        partitions = await self._admin.partitions(ask=ask)
        topics = frozenset(p.topic for p in partitions)
        minimum = await self._min_isr.of(topics, self._admin, ask, now)
        return {
            "offline": sum(p.leader < 0 for p in partitions),
            "under_min_isr": under_min_isr(partitions, minimum),
            "under_replicated": sum(len(p.isr) < len(p.replicas) for p in partitions),
        }

    async def _throttles(self, now: int) -> list[Sample]:
        call = self._admin.configs(f"broker/{self._node_id}", THROTTLES)
        configs = await self._answer("throttles", call)
        if configs is None:
            return []
        return [
            _sample("throttle_bytes_per_second", now, float(configs.get(key, _NOT_SET)), key=key)
            for key in THROTTLES
        ]

    async def _log_dirs(self, now: int) -> list[Sample]:
        if now >= self._dirs_due:
            answer = await self._answer("log_dirs", self._admin.log_dirs(self._node_id))
            if answer is None:
                return []
            offline = any(folder.error != NONE for folder in answer)
            self._dirs, self._dirs_due = answer, now + _OFFLINE_PAUSE_MS * offline
        return [sample for folder in self._dirs for sample in _of_log_dir(folder, now)]

    async def _answer(self, call: str, waiting: Awaitable[T]) -> T | None:
        """What a call answers; None, counted, where it does not."""
        try:
            return await waiting
        except KafkaError:
            self._unanswered[call] += 1
            return None


def peer(node_id: int, alive: Sequence[int], silent: int | None) -> int:
    """Whom to ask: the next live broker after this one in a ring by node id, but the one that was silent.

    Alone, a broker asks itself. So the agents of a cluster spread their questions.
    """
    others = [node for node in alive if node != node_id]
    willing = [node for node in others if node != silent] or others
    return min(willing, key=lambda node: (node < node_id, node), default=node_id)


def _of_log_dir(folder: LogDir, now: int) -> Iterator[Sample]:
    yield _sample("log_dir_offline", now, folder.error != NONE, path=folder.path)
    if folder.error == NONE:
        yield _sample("future_replicas", now, sum(r.future for r in folder.replicas), path=folder.path)
        yield _sample("log_dir_replica_bytes", now, sum(r.size for r in folder.replicas), path=folder.path)


def _sample(name: str, now: int, value: float, **labels: str) -> Sample:
    return Sample(f"kafka_admin_{name}", labels_of(labels), now, float(value))
