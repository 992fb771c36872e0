"""What an agent sees by: its sources, set to what the rules in force name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from agent.assembly.clocks import steady
from agent.assembly.kept import Kept
from agent.config import Config
from agent.config.settings import AUTO, WINDOW_MS, JolokiaSettings
from agent.daemon.reload import Rules
from agent.daemon.sight import Sight
from agent.journal import Journal
from agent.model import Sample, labels_of
from agent.recording import world_names
from agent.rulebook.windows import LEAST_MS
from agent.series import Series
from agent.sources import Source, broker_pid
from agent.sources.agent_itself import AgentItself, Saved
from agent.sources.broker_pid import BrokerAt
from agent.sources.cluster import ClusterFacts
from agent.sources.control_standing import ControlStanding
from agent.sources.exposition import Exposition, givers
from agent.sources.hindrances import Hindrances
from agent.sources.host import LogDirs
from agent.sources.host_sources import host_sources
from agent.sources.jolokia import Jolokia, Known, Where
from agent.sources.jolokia_attach import Attached, Plan
from agent.sources.journald import Journald
from agent.sources.kmsg import Kmsg
from agent.sources.log_feed import Feed
from agent.sources.log_marks import Tally
from agent.sources.logs import LogTail
from agent.sources.name_files import OURS
from agent.sources.names import Names, Translation
from agent.surface import Plain

Own = AgentItself | ControlStanding | Hindrances  # what the agent tells of itself


class Eyes:
    """The sources of an agent, set to read what the rules in force name, and nothing else."""

    def __init__(
        self, config: Config, facts: ClusterFacts, dirs: LogDirs, tail: LogTail, own: tuple[Own, ...]
    ) -> None:
        self._config, self._facts, self._tail = config, facts, tail
        self._jmx = make_jmx(config)
        self.exporters = make_exporters(config)
        self.series = Series(WINDOW_MS)
        self.saved = Saved()
        itself = AgentItself(self.series, self.saved, config.interval_ms)
        self._host = host_sources(config.host, config.broker.log_dirs, config.security, config.interval_ms)
        self._own = (itself, *own)
        self.sources: tuple[Source, ...] = (dirs, *self._broker(), facts, tail, *self._own, *self._host)

    def log_lines(self, metrics: Collection[str]) -> Sequence[Plain]:
        """The last log lines behind these metrics."""
        return self._tail.evidence.of(metrics)

    def sight(self, rules: Rules) -> Sight:
        """What these rules make of the samples. Compiles every expression: for a thread."""
        node, names = self._config.broker.node_id, rules.names
        giving = partial(self._giving, names)
        sight = Sight(rules.book, self.series, lambda: self._facts.facts, node, names.origin, giving)
        sight.steady = steady
        return sight

    def look(self, rules: Rules, sight: Sight) -> None:
        """Read what these rules name from now on."""
        asked, table = rules.names.asked(sight.names), rules.names.metrics
        self._facts.select(asked | world_names.NAMES)
        for source in (*self._own, *self._host):
            source.wanted = asked
        if self._jmx is not None:
            self._jmx.select(asked, table)
            asked -= table.keys()
        for exporter in self.exporters:
            exporter.select(frozenset(name for name in asked if not name.startswith(OURS)))
        self._tail.patterns = rules.book.logs
        self.series.want(dict.fromkeys(world_names.NAMES, LEAST_MS) | sight.windows)
        self._told = Translation(rules.names, sight.names).told

    def told(self, samples: list[Sample]) -> list[Sample]:
        """A reading as the rules name its series."""
        return self._told(samples)

    def _broker(self) -> tuple[Source, ...]:
        return (*(() if self._jmx is None else (self._jmx,)), *self.exporters)

    def _giving(self, names: Names, name: str) -> frozenset[str]:
        """Which of them gives a name: JMX what its table has, the exporters only the rest."""
        if self._jmx is not None and (name in names.metrics or not self.exporters):
            return frozenset({self._jmx.name})
        return givers(self.exporters, name)


def make_jmx(config: Config) -> Jolokia | None:
    """The broker's JMX, where it is to be read."""
    if config.jolokia is None:
        return None
    where = make_where(config.jolokia, config.host.process)
    return Jolokia(where, frozenset(), config.interval_ms, tls=config.jolokia.tls)


def make_where(settings: JolokiaSettings, process: BrokerAt | None) -> Where:
    """Where Jolokia is: at its URL, or in the JVM that it is attached to, which is `process` for `auto`."""
    if settings.attach is None:
        return Known(settings.url, settings.auth)
    at = process if settings.attach == AUTO else settings.attach

    def find() -> int | None:
        if isinstance(at, BrokerAt):
            return broker_pid.find(at)
        if isinstance(at, int):
            return at
        raise OSError(
            "nothing says on what port it listens: name its server_properties, a unit or a pid file"
        )

    whom = f"pid {at}" if isinstance(at, int) else str(at or AUTO)
    return Attached(Plan(find, whom, settings.agent_jar, settings.port, settings.auth))


def make_exporters(config: Config) -> tuple[Exposition, ...]:
    """The exporters. One without labels has no `up` of its own where JMX has one without labels."""
    targets = (
        replace(each, labels=labels_of({**dict(config.target_labels), **dict(each.labels)}))
        for each in config.exposition
    )
    only = config.jolokia is None
    named = zip(config.exposition, targets, strict=True)
    return tuple(Exposition(t, config.interval_ms, own_up=only or bool(said.labels)) for said, t in named)


def make_tail(config: Config, rules: Rules, journal: Journal) -> LogTail:
    """Everything that log lines come from."""

    def feeds(tally: Tally) -> tuple[Feed, ...]:
        units = (Journald(unit, tally, WINDOW_MS) for unit in config.broker.journald)
        return (*units, Kmsg(tally, WINDOW_MS)) if config.broker.kmsg else tuple(units)

    return LogTail(
        config.broker.logs,
        rules.book.logs,
        Kept(journal, "logs"),
        config.interval_ms,
        feeds=feeds,
        window_ms=WINDOW_MS,
    )
