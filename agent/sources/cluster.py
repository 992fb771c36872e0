"""The cluster by the admin protocol: what a peer says of it, and what this broker says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from agent.gate import World
from agent.kafka.configs import ALL_BROKERS
from agent.kafka.errors import NONE, KafkaError
from agent.kafka.metadata import PartitionInfo
from agent.model import Labels, Sample
from agent.promql.vectors import STALE
from agent.sources import SourceFailed, cluster_samples
from agent.sources.admin_port import FactsAdmin
from agent.sources.cluster_metrics import BY_CALL, METRICS, THROTTLES
from agent.sources.partition_counts import Counts, count
from agent.sources.side_by_side import Calls
from agent.sources.topic_settings import LISTS, TopicSettings
from agent.sources.witnesses import Witnesses

# What no rule need name, since the gate asks for it.
_ALWAYS = ("brokers", "reassignments", "partitions")
_THROTTLED = frozenset({"kafka_admin_throttled_topics", "kafka_admin_throttled_replicas"})

# Each DescribeLogDirs writes a warning with a stack trace into the broker's log while a dir is offline.
_OFFLINE_PAUSE_MS = 60_000
_PAUSE_PER_REPLICA_MS = 5  # its sizes change always, so each answer is read: 4,000 replicas every 20 s
_PAUSE_PER_PARTITION_MS = 1
_LONGEST_PAUSE_MS = 30_000  # half of what the gate takes for a view

_PATIENCE = (0.05, 2.0)  # seconds that a reading waits for answers, within half its interval
_SLICE = 2_000


class ClusterFacts:
    """Asks the cluster, each question in a task of its own.

    A reading gives what has been answered, with the time at which it was asked; what is not answered in time
    comes with a later reading, or is counted and left out: then the call's series end, as those of a scrape
    that failed do in Prometheus, and its metrics are `unread` until it is answered. That
    no broker answers at all is SourceFailed. `facts` is the newest complete view for the gate, as old as its
    oldest part.
    """

    name = "cluster"
    partial = True  # it tells the ends of its series itself
    metrics = METRICS

    def __init__(self, admin: FactsAdmin, node_id: int, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.facts: World | None = None
        self._admin = admin
        self._node_id = node_id
        self._patience = min(max(interval_ms / 2000, _PATIENCE[0]), _PATIENCE[1])
        self._calls = Calls(BY_CALL, lambda call, asked_at: self._took(call, (), asked_at))
        self._due = dict.fromkeys(BY_CALL, 0)
        self._settings = TopicSettings()
        self._listed = False  # the newest answer about partitions tells the lists, too
        self._fresh: list[Sample] = []
        self._series: dict[str, set[tuple[str, Labels]]] = {}
        self._witnesses = Witnesses(admin, node_id)
        self._no_broker = ""  # why the last question for brokers failed
        self._asked = node_id  # who told of the partitions
        self._reassigning = 0
        self._seen: tuple[tuple[PartitionInfo, ...], Mapping[str, int]] = ((), {})
        self._counts = Counts()
        self.select(None)

    def select(self, names: frozenset[str] | None) -> None:
        """Ask what these metrics need from now on, and what the gate does; None: everything."""
        self._wanted: frozenset[str] | None = names
        lists = names is None or bool(names & _THROTTLED)
        if lists and not self._settings.lists:  # what is remembered, or asked for right now, is without them
            self._settings, self._listed, self._due["partitions"] = TopicSettings(), False, 0
        self._settings.lists = lists
        self._calls.known &= {call for call in BY_CALL if self._needs(call)}  # others grow old

    @property
    def unread(self) -> frozenset[str]:
        """What the calls tell that have no answer, or none since one that failed."""
        open_ = (call for call in BY_CALL if self._needs(call) and call not in self._calls.known)
        names = frozenset(metric.name for call in open_ for metric in BY_CALL[call])
        return names if self._listed or not self._settings.lists else names | _THROTTLED

    @property
    def failed(self) -> Mapping[str, str]:
        """See Partly: by call."""
        return {call: why for call, why in self._calls.reasons.now.items() if self._needs(call)}

    async def read(self, now: int) -> list[Sample]:
        """One reading: at most one answer about partitions; nothing waits for a broker that hangs."""
        self._calls.begin("brokers", now, self._ask_brokers)
        await self._calls.wait(self._patience)
        if self._no_broker or not self._witnesses.brokers:
            self._end_all(now)
            why = f"no broker answers: {self._no_broker or 'not yet'}"
            raise SourceFailed(why, self._new() + self._of_calls(now))
        for name, call in (
            ("partitions", self._ask_partitions),
            ("reassignments", self._ask_reassignments),
            ("throttles", self._ask_throttles),
            ("log_dirs", self._ask_log_dirs),
            ("quorum", self._ask_quorum),
        ):
            if self._needs(name) and self._is_due(name, now):
                self._calls.begin(name, now, call)
        self._witnesses.begin_own(now)
        await asyncio.gather(self._calls.wait(self._patience), self._witnesses.wait(self._patience))
        self._look(now)
        return self._new() + self._of_calls(now)

    def _end_all(self, now: int) -> None:
        """Nothing is known of the cluster; all is asked again as soon as a broker answers."""
        for call in BY_CALL:
            self._took(call, (), now)
        self._calls.known.clear()
        self._due = dict.fromkeys(BY_CALL, 0)

    def _new(self) -> list[Sample]:
        """What answers and failures told since the last reading."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def _needs(self, call: str) -> bool:
        wanted = self._wanted
        return wanted is None or call in _ALWAYS or any(metric.name in wanted for metric in BY_CALL[call])

    def _is_due(self, call: str, now: int) -> bool:
        """A clock that was set back keeps none from being asked."""
        return not 0 < self._due[call] - now <= _OFFLINE_PAUSE_MS

    async def _ask_brokers(self, now: int) -> None:
        """Of a peer, for this broker may be cut off and not know it; of anybody where none answers."""
        try:
            await self._witnesses.ask_peer(now)
        except KafkaError as error:
            self._no_broker = str(error)
            raise
        self._no_broker = ""
        self._took("brokers", cluster_samples.of_brokers(self._witnesses.brokers, now), now)

    async def _ask_partitions(self, now: int) -> None:
        asked, settings = self._witnesses.peer(now), self._settings
        partitions = await self._partitions(asked, settings, now)
        self._asked = asked
        counts = await self._count(partitions, settings.minimum)
        samples = list(cluster_samples.of_counts(counts, now))
        for key in LISTS if settings.lists else ():
            lists = settings.throttled(key)
            samples += cluster_samples.of_throttle_list(key, lists, partitions, self._node_id, now)
        if settings is self._settings:  # else others are wanted meanwhile: at once
            self._listed = settings.lists
        self._took("partitions", samples, now)

    async def _partitions(self, asked: int, settings: TopicSettings, now: int) -> tuple[PartitionInfo, ...]:
        """As broker `asked` tells of them, with their topics' settings up to date."""
        try:
            partitions = await self._admin.partitions(ask=asked)
            if settings is self._settings:  # they were dear, also where settings keep them from being told
                self._due["partitions"] = now + _pause(len(partitions), _PAUSE_PER_PARTITION_MS)
            await settings.refresh_default(self._admin, asked, now)
        except KafkaError:
            self._witnesses.was_silent(asked, now)
            raise
        await settings.refresh(frozenset(p.topic for p in partitions), self._admin, now)
        return partitions

    async def _count(self, partitions: tuple[PartitionInfo, ...], minimum: Mapping[str, int]) -> Counts:
        """Anew only where something has changed, and in slices."""
        seen = partitions, minimum
        if seen != self._seen or not self._counts.partitions:
            counts = Counts()
            for start in range(0, len(partitions), _SLICE):
                count(partitions[start : start + _SLICE], seen[1], self._node_id, counts)
                await asyncio.sleep(0)
            self._seen, self._counts = seen, counts
        return self._counts

    async def _ask_reassignments(self, now: int) -> None:
        self._reassigning = len(await self._admin.reassignments())
        samples = [cluster_samples.sample("reassigning_partitions", now, self._reassigning)]
        self._took("reassignments", samples, now)

    async def _ask_throttles(self, now: int) -> None:
        default = await self._admin.configs(ALL_BROKERS, THROTTLES)
        own = await self._admin.configs(f"broker/{self._node_id}", THROTTLES)
        self._took("throttles", cluster_samples.of_throttles({**default, **own}, now), now)

    async def _ask_log_dirs(self, now: int) -> None:
        folders = await self._admin.log_dirs(self._node_id)
        offline = any(folder.error != NONE for folder in folders)
        replicas = sum(len(folder.replicas) for folder in folders)
        pause = _OFFLINE_PAUSE_MS if offline else _pause(replicas, _PAUSE_PER_REPLICA_MS)
        self._due["log_dirs"] = now + pause
        self._took("log_dirs", cluster_samples.of_log_dirs(folders, now), now)

    async def _ask_quorum(self, now: int) -> None:
        self._took("quorum", cluster_samples.of_quorum(await self._admin.quorum(), now), now)

    def _took(self, call: str, samples: Iterable[Sample], now: int) -> None:
        """Keep an answer's samples for the reading, and end the series that it has no more."""
        found = list(samples)
        before, series = self._series.get(call, set()), {(s.name, s.labels) for s in found}
        self._series[call] = series
        self._fresh += found
        self._fresh += (Sample(name, labels, now, STALE) for name, labels in before - series)

    def _look(self, now: int) -> None:
        """Make the gate's view of the newest answers. Those from ahead are of no known age: the clock was set
        back."""
        if self.facts is not None and self.facts.at > now:
            self.facts = None
        asked = [self._calls.answered_at.get(name) for name in _ALWAYS]
        known = [at for at in asked if at is not None and at <= now]
        if len(known) < len(_ALWAYS):
            return
        self.facts = World(
            at=min(known),
            asked=self._asked,
            fenced=self._witnesses.fenced,
            reassigning=self._reassigning,
            under_min_isr=self._counts.under_min_isr,
            offline=self._counts.offline,
            alone=self._asked == self._node_id,
        )

    def _of_calls(self, now: int) -> list[Sample]:
        sample = cluster_samples.sample
        samples = [sample("unanswered_total", now, n, call=c) for c, n in self._calls.unanswered.items()]
        ages = self._calls.ages().items()
        return samples + [sample("answer_age_seconds", now, age, call=call) for call, age in ages]


def _pause(count: int, each_ms: int) -> int:
    return min(count * each_ms, _LONGEST_PAUSE_MS)
