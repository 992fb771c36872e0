"""Plays `remedy_tests`: each a story of one agent, in virtual time, and what it left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from agent.control_topic import ControlTopic
from agent.model import Alert, Entry
from agent.rehearsal.cases import Event, RemedyTest
from agent.rehearsal.cluster import Cluster
from agent.rehearsal.disks import Replica
from agent.rehearsal.journals import differences, told
from agent.rehearsal.memory_log import Line, MemoryLog
from agent.rehearsal.peers import Peers, member
from agent.rehearsal.readers import DOTS
from agent.rehearsal.scenery import GivenScenery
from agent.rehearsal.stage import START_MS, Stage
from agent.rehearsal.verdicts import Failure, compare_alerts
from agent.rehearsal.virtual_time import run
from agent.rehearsal.world import lay_over
from agent.rulebook import Rulebook

_AFTER_S = 0.001  # what is looked at at an instant is looked at just after it


@dataclass(frozen=True, slots=True)
class Ending:
    """What a story came to. `left`: what of the cluster is not as it was given."""

    entries: Sequence[Entry]
    alerts: Mapping[int, tuple[Alert, ...]]
    left: tuple[str, ...]
    faults: tuple[str, ...]


def run_remedy_test(test: RemedyTest, rules: Rulebook) -> tuple[Failure, ...]:
    """What is not as expected."""
    ending = run(_Story(test, rules).play())
    found = [Failure(test.place, "the agent failed", ending.faults)] if ending.faults else []
    found += [
        failure
        for case in test.alerts
        if (failure := compare_alerts(case, ending.alerts[case.at], START_MS)) is not None
    ]
    if test.journal is not None:
        lines = differences(test.journal, told(ending.entries, START_MS))
        place = test.journal[0].place if test.journal else test.place
        found += [Failure(place, "the journal", lines)] if lines else []
    if test.left is not None and (lines := _different(test.left, ending.left)):
        found.append(Failure(test.place, "what it left", lines))
    return tuple(found)


def _different(expected: Sequence[str], left: Sequence[str]) -> tuple[str, ...]:
    """Lines on one side only; an expected one may end in dots, since stamped rates differ by the claim."""
    met = {wanted: [line for line in left if _fits(line, wanted)] for wanted in expected}
    known = {line for lines in met.values() for line in lines}
    missing = tuple(f"- {wanted}" for wanted, lines in met.items() if not lines)
    return missing + tuple(f"+ {line}" for line in left if line not in known)


def _fits(line: str, wanted: str) -> bool:
    return line.startswith(wanted.removesuffix(DOTS)) if wanted.endswith(DOTS) else line == wanted


class _Story:
    """One agent, its cluster and its peers. Made inside the virtual loop's run."""

    def __init__(self, test: RemedyTest, rules: Rulebook) -> None:
        self._test = test
        self._cluster = Cluster(node=test.node)
        scenery = GivenScenery(test.series, test.interval, START_MS, self._cluster, test.policy)
        self._stage = Stage(rules, scenery, test.node, test.policy, make_control=self._control)
        self._cluster.clock = self._stage.now
        self._given_settings: dict[tuple[str, str], str | None] = {}
        self._given_dirs: dict[Replica, str] = {}
        self._alerts: dict[int, tuple[Alert, ...]] = {}

    async def play(self) -> Ending:
        """From the start to the end."""
        self._log = MemoryLog(self._stage.now)
        self._peers = Peers(self._log, self._stage.now)
        self._line = Line(self._log)
        for at, deed in sorted(self._deeds(), key=lambda each: each[0]):
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            await deed()
        faults = tuple(f"{type(fault).__name__}: {fault}" for fault in self._stage.faults())
        left = tuple(self._left())
        await self._stage.crash()
        return Ending(self._stage.entries(), self._alerts, left, faults)

    def _deeds(self) -> Iterator[tuple[float, Callable[[], Awaitable[None]]]]:
        """What the story does, each at its instant in seconds; at the same one in this order."""
        for at, event in self._test.events:
            yield at / 1000, partial(self._happen, event)
            if event.crash is not None:
                yield (at + event.crash) / 1000, self._stage.start
        yield 0, self._stage.start  # after what is so from the start
        for at in {case.at for case in self._test.alerts}:
            yield at / 1000 + _AFTER_S, partial(self._look, at)
        yield self._test.lasts / 1000 + _AFTER_S, partial(asyncio.sleep, 0)

    async def _happen(self, event: Event) -> None:
        self._lay_over(event)
        for node, peer in event.peers.items():
            self._peers.tell(node, peer)
        if event.control_topic is not None:
            self._log.trouble = "" if event.control_topic is False else str(event.control_topic)
        if event.stop_file is not None:
            self._stage.stop_file = None if event.stop_file is False else str(event.stop_file)
        if event.operator:
            verb, _, reason = event.operator.partition(" ")
            await self._stage.order(verb, reason)
        if event.crash is not None:
            self._line.cut = True
            await self._stage.crash()
            if self._stage.control is not None:
                self._farewell = asyncio.ensure_future(self._stage.control.close())

    async def _look(self, at: int) -> None:
        self._alerts[at] = self._stage.daemon.sight.alerts.active()

    def _control(self) -> ControlTopic:
        """Of a new life, with a line of its own."""
        self._line = Line(self._log)
        return member(self._line, self._test.node, self._stage.now)

    def _lay_over(self, event: Event) -> None:
        """What the story itself changes is not what the agent left."""
        before, dirs = self._cluster.settings(), self._dirs()
        lay_over(self._cluster, event.given)
        after = self._cluster.settings()
        for key in {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}:
            self._given_settings[key] = after.get(key)
        self._given_dirs |= {key: path for key, path in self._dirs().items() if dirs.get(key) != path}

    def _dirs(self) -> dict[Replica, str]:
        return {key: path for key, (path, _) in self._cluster.replicas.items()}

    def _left(self) -> Iterator[str]:
        settings = self._cluster.settings()
        for resource, key in sorted(settings.keys() | self._given_settings.keys()):
            value = settings.get((resource, key))
            if value != self._given_settings.get((resource, key)):
                yield f"{resource} {key} is gone" if value is None else f"{resource} {key} = {value}"
        for (topic, number), path in sorted(self._dirs().items()):
            if path != self._given_dirs.get((topic, number)):
                yield f"{topic}-{number} in {path}"
