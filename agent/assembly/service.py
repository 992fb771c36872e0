"""A configuration to the parts of an agent that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from agent.actions import load, spec
from agent.assembly.clocks import clock, looking_since, steady
from agent.assembly.eyes import Eyes, make_tail
from agent.assembly.given import Given
from agent.assembly.hands import client_name, make_admin, make_control, make_dirs, make_fence, make_ports
from agent.assembly.kept import Kept
from agent.config import Config
from agent.config.rule_files import RuleFiles
from agent.control_topic import ControlTopic
from agent.daemon.desk import Desk
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
from agent.daemon.sight import judged_by
from agent.daemon.snapshots import Snapshots
from agent.deadman import boot
from agent.families import Collector
from agent.journal import Journal
from agent.model import Entry, Kind
from agent.rulebook import Rulebook
from agent.rulebook.kept_records import with_records
from agent.sources import Source
from agent.sources.cluster import ClusterFacts
from agent.sources.control_standing import ControlStanding
from agent.sources.hindrances import Hindrances
from agent.sources.schedule import Polling
from agent.stop_file import StopFile
from agent.version import VERSION
from agent.web.server import Server


async def make_service(config: Config, *more: Collector) -> Service:
    """All parts of an agent, wired; nothing runs yet, but the journal is open and locked. `more`: what has
    series of its own besides.

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
    given = Given(eyes.exporters, Kept(journal, "exporters"))

    async def keep() -> None:
        await tail.keep()
        await given.keep()

    snapshots = Snapshots(eyes.series, config.state, clock, eyes.saved, keep)
    await snapshots.load()
    await given.load()
    sight.resume(await restored(journal))
    sight.keep_judging(one.decision for one in ledger.history.standing())
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
    desk = Desk(client_name(config), VERSION, means, daemon, polled, reload, started, lines, more)
    server = Server(desk, listen=config.listen, path=config.socket, state=config.state)
    watch = RuleWatch(reload, files=config.rules_watch)
    return Service(journal, ledger, daemon, judging, desk, server, polled, control, notes, watch, snapshots)


def make_reload(files: RuleFiles, eyes: Eyes, daemon: Daemon, ledger: Ledger) -> ReloadMeans:
    """What a reload needs. Alerts go on where they were under the new rules."""

    def kept(rules: Rules) -> Rulebook:
        """With what records that by which is judged what stands now."""
        judging = judged_by(one.decision for one in ledger.history.standing())
        return with_records(rules.book, daemon.sight.book, judging)

    def prepare(rules: Rules) -> Callable[[], bool]:
        book = kept(rules)
        sight = eyes.sight(Rules(book, rules.names))

        def install() -> bool:
            if not _recorded(kept(rules)) <= _recorded(book):
                return False
            sight.follow(daemon.sight, clock())
            sight.keep_judging(one.decision for one in ledger.history.standing())
            eyes.look(rules, sight)
            daemon.replace(sight)
            return True

        return install

    async def say(reason: str) -> None:
        await ledger.record(Entry(clock(), Kind.AGENT, reason))

    return ReloadMeans(files, prepare, lambda: ledger.history, say, clock)


def _recorded(book: Rulebook) -> set[str]:
    return {rule.name for rule in book.records}


def _fleet(control: ControlTopic) -> tuple[str, dict[str, frozenset[str]]]:
    """Why claims cannot be had, and what fires at each peer."""
    why = control.degraded or ("" if control.caught_up else "the control topic is not read to its end yet")
    return why, {name: frozenset(peer.firing) for name, peer in control.peers().items()}
