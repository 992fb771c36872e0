"""The only wiring: a configuration to a running agent's parts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from agent.actions import Ports, load, spec
from agent.config import Config
from agent.config.participant import participant
from agent.config.rule_files import RuleFiles
from agent.config.settings import AUTO, WINDOW_MS, JolokiaSettings
from agent.control_topic import ControlTopic, Effects, Surroundings
from agent.daemon.desk import Desk
from agent.daemon.fence import Fence
from agent.daemon.judging import Judging
from agent.daemon.ledger import Ledger
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.own_hindrances import hindered
from agent.daemon.own_standing import standing
from agent.daemon.reload import Means as ReloadMeans
from agent.daemon.reload import Reload, Rules
from agent.daemon.rule_watch import RuleWatch
from agent.daemon.scenes import Local
from agent.daemon.service import Notes, Service, restored
from agent.daemon.settling import ANSWER_S
from agent.daemon.sight import Sight, judged_by
from agent.daemon.snapshots import Snapshots
from agent.deadman import Deadman, boot
from agent.deadman import now as boot_time
from agent.journal import Journal, JournalFailed
from agent.kafka.admin import Admin
from agent.kafka.log import PartitionLog
from agent.lone_thread import LoneThread
from agent.model import Entry, Kind, Sample, labels_of
from agent.recording import world_names
from agent.rulebook.kept_records import with_records
from agent.rulebook.windows import LEAST_MS
from agent.series import Series
from agent.sources import Source, SourceFailed, broker_pid
from agent.sources.agent_itself import AgentItself, Saved
from agent.sources.broker_pid import BrokerAt
from agent.sources.broker_process import which_process
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
from agent.sources.schedule import Polling
from agent.stop_file import StopFile
from agent.surface import Plain
from agent.version import VERSION
from agent.web.server import Server

PROCESS_S = 5.0  # seconds for the look which process of the broker runs


def clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def steady() -> float:
    """Milliseconds of the clock that nobody sets, and that stands still while the machine is suspended."""
    return time.monotonic_ns() / 1_000_000


def looking_since(woke: float) -> int:
    """When an agent that woke at `woke` of the steady clock began to look, by the wall clock as it is now:
    to set that makes the time since neither longer nor shorter."""
    return clock() - round(steady() - woke)


class Kept:
    """One value of the journal, as the log tail wants to keep it."""

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal, self._name = journal, name

    async def load(self) -> bytes | None:
        """What was saved last."""
        try:
            return await self._journal.load(self._name)
        except JournalFailed as error:
            raise OSError(str(error)) from error

    async def save(self, value: bytes) -> None:
        """Replace it; durable when this returns."""
        try:
            await self._journal.save(self._name, value)
        except JournalFailed as error:
            raise OSError(str(error)) from error  # the source's reading failed: shown, and read again


def make_admin(config: Config) -> Admin:
    """The admin client of this agent."""
    return Admin(config.bootstrap_servers, config.security, client_id=_name(config))


def make_ports(config: Config, admin: Admin, dirs: LogDirs, ledger: Ledger) -> Ports:
    """What actions reach the world by."""
    return Ports(
        admin=admin,
        node_id=config.broker.node_id,
        free_bytes=partial(_free_bytes, dirs),
        policy=config.policy,
        clock=clock,
        sleep=asyncio.sleep,
        recorded=lambda *value: value in ledger.history.written,
    )


async def _free_bytes(dirs: LogDirs, path: str) -> tuple[int, int]:
    """As actions want it: whatever keeps the space from being known is an OSError."""
    try:
        return await dirs.free_bytes(path)
    except SourceFailed as error:
        raise OSError(str(error)) from error


def make_dirs(config: Config) -> LogDirs:
    """The space of the broker's log dirs."""
    return LogDirs(config.broker.log_dirs, config.interval_ms)


Own = AgentItself | ControlStanding | Hindrances  # what the agent tells of itself


class Eyes:
    """The sources of an agent, set to read what the rules in force name, and nothing else."""

    def __init__(
        self, config: Config, facts: ClusterFacts, dirs: LogDirs, tail: LogTail, own: tuple[Own, ...]
    ) -> None:
        self._config, self._facts, self._tail = config, facts, tail
        self._jmx = make_jmx(config)
        self._exporters = make_exporters(config)
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
        for exporter in self._exporters:
            exporter.select(frozenset(name for name in asked if not name.startswith(OURS)))
        self._tail.patterns = rules.book.logs
        self.series.want(dict.fromkeys(world_names.NAMES, LEAST_MS) | sight.windows)
        self._told = Translation(rules.names, sight.names).told

    def told(self, samples: list[Sample]) -> list[Sample]:
        """A reading as the rules name its series."""
        return self._told(samples)

    def _broker(self) -> tuple[Source, ...]:
        return (*(() if self._jmx is None else (self._jmx,)), *self._exporters)

    def _giving(self, names: Names, name: str) -> frozenset[str]:
        """Which of them gives a name: JMX what its table has, the exporters only the rest."""
        if self._jmx is not None and (name in names.metrics or not self._exporters):
            return frozenset({self._jmx.name})
        return givers(self._exporters, name)


def make_jmx(config: Config) -> Jolokia | None:
    """The broker's JMX, where it is to be read."""
    if config.jolokia is None:
        return None
    return Jolokia(make_where(config.jolokia, config.host.process), frozenset(), config.interval_ms)


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


async def make_service(config: Config) -> Service:
    """All parts of an agent, wired; nothing runs yet, but the journal is open and locked.

    Raises BadRules, JournalFailed, ImpossibleTransition, NoDeadman.
    """
    specs = {name: spec(cls) for name, cls in load().items()}
    files = RuleFiles(specs, config.rules, config.names, config.target_labels)
    stamp = await asyncio.to_thread(files.stamp)
    rules = await asyncio.to_thread(files.read)
    journal, notes = Journal(config.state), Notes()
    ledger = Ledger(journal, notes.told)
    await ledger.open()
    admin, dirs = make_admin(config), make_dirs(config)
    control, started, woke = make_control(config, admin, journal), clock(), steady()
    tail = make_tail(config, rules, journal)
    facts = ClusterFacts(admin, config.broker.node_id, config.interval_ms)
    stop_file = StopFile(config.stop_file)

    async def local() -> Local:
        stop = await stop_file.read()
        since = looking_since(woke)
        return Local(config.broker.node_id, config.policy, since, stop, *_fleet(control))

    async def hinders() -> Mapping[str, float]:
        return (await hindered(means, daemon.carriers)).values()

    every = config.interval_ms
    own = (ControlStanding(partial(standing, control), every), Hindrances(hinders, every))
    eyes = Eyes(config, facts, dirs, tail, own)
    ports = make_ports(config, admin, dirs, ledger)
    actions = {name: cls() for name, cls in load().items()}
    fence = make_fence(config, control, admin)
    means = Means(ledger, lambda: daemon.sight, local, actions, ports, control, clock, fence, boot=boot)
    sight = eyes.sight(rules)
    sight.resume(await restored(journal))
    sight.keep_judging(one.decision for one in ledger.history.standing())
    snapshots = Snapshots(eyes.series, config.state, clock, eyes.saved, tail.keep)
    await snapshots.load()
    eyes.look(rules, sight)
    judging = Judging(clock, lambda: daemon.wake())  # noqa: PLW0108  made below
    unread = [source.name for source in eyes.sources]
    daemon = Daemon(means, sight, judging.ask, unread)
    reload = Reload(make_reload(files, eyes, daemon, ledger), rules, stamp)

    def polling(source: Source) -> Polling:
        one = Polling(source, lambda samples: daemon.take(eyes.told(samples), one.began), clock)
        return one

    polled = [polling(source) for source in eyes.sources]
    lines = eyes.log_lines
    desk = Desk(_name(config), VERSION, means, daemon, polled, reload, started, lines)
    server = Server(desk, listen=config.listen, path=config.socket, state=config.state)
    watch = RuleWatch(reload, files=config.rules_watch)
    return Service(journal, ledger, daemon, judging, desk, server, polled, control, notes, watch, snapshots)


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


def make_reload(files: RuleFiles, eyes: Eyes, daemon: Daemon, ledger: Ledger) -> ReloadMeans:
    """What a reload needs. Alerts go on where they were under the new rules."""

    def prepare(rules: Rules) -> Callable[[], None]:
        judging = judged_by(one.decision for one in ledger.history.standing())
        sight = eyes.sight(Rules(with_records(rules.book, daemon.sight.book, judging), rules.names))

        def install() -> None:
            sight.follow(daemon.sight, clock())
            sight.keep_judging(one.decision for one in ledger.history.standing())
            eyes.look(rules, sight)
            daemon.replace(sight)

        return install

    async def say(reason: str) -> None:
        await ledger.record(Entry(clock(), Kind.AGENT, reason))

    return ReloadMeans(files, prepare, lambda: ledger.history, say, clock)


def make_control(config: Config, admin: Admin, journal: Journal) -> ControlTopic:
    """This agent's part in the control topic, perhaps of another cluster."""
    settings = config.control
    log = PartitionLog(settings.bootstrap_servers, config.security, settings.topic, client_id=_name(config))
    own = settings.bootstrap_servers == config.bootstrap_servers
    who = participant(config, create=settings.create)  # genesis; the topic only where its cluster is ours
    around = Surroundings(
        clock=clock,
        create_topic=admin.create_topic if own else None,
        boot=boot_time,
        memory=Kept(journal, "control"),
        describe=log.describe,
        place=partial(admin.place, config.broker.node_id),
        reaches=partial(admin.answers, config.broker.node_id, controller=True, deadline=ANSWER_S),
    )
    return ControlTopic(log, who, around)


def make_fence(config: Config, control: ControlTopic, admin: Admin) -> Fence:
    """By what effects of claims are sent. Raises NoDeadman."""
    at, own = config.host.process, config.broker.node_id
    thread = LoneThread("look for the broker's process")

    async def process(node: int) -> str | None:
        """Only the own broker's process can be seen, unless its pid file's disk hangs."""
        if at is None or node != own:
            return None
        with suppress(OSError):
            return await thread.run(partial(which_process, at), PROCESS_S)
        return None

    return Fence(control, Effects(control, Deadman()), admin, process)


def _fleet(control: ControlTopic) -> tuple[str, dict[str, frozenset[str]]]:
    """Why claims cannot be had, and what fires at each peer."""
    why = control.degraded or ("" if control.caught_up else "the control topic is not read to its end yet")
    return why, {name: frozenset(peer.firing) for name, peer in control.peers().items()}


def _name(config: Config) -> str:
    return f"ottla-broker-{config.broker.node_id}"
