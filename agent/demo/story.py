"""The story: a throttle that was forgotten, a disk that fills, and three agents that mend both under load."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from agent.demo.screen import Screen
from agent.demo.watch import LOOK_S, StoryFailed, Told, follow
from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.lab import faults
from agent.lab.agents import Agent, Agents
from agent.lab.cluster import Lab
from agent.lab.ledger import LoadReport
from agent.lab.load import Load
from agent.model import Kind

RULES = Path(__file__).parent / "rules"
THROTTLES = ("leader.replication.throttled.rate", "follower.replication.throttled.rate")
MOVE_LIMIT = "replica.alter.log.dirs.io.max.bytes.per.second"
TROUBLED, FORGOTTEN = 2, 3  # the brokers of the two acts
THRESHOLD, GOAL = 0.85, 0.75
ACT_S = 90.0


@dataclass
class Story:
    """One performance. `failures` are the assertions that did not hold."""

    lab: Lab
    screen: Screen
    agents: Agents
    failures: list[str]
    rows: list[tuple[str, str]]

    @classmethod
    def on(cls, lab: Lab, screen: Screen) -> Story:
        """A story on a lab that is up."""
        return cls(lab, screen, Agents(lab, RULES), [], [])

    async def play(self) -> None:
        """Everything, in order. Raises StoryFailed, LabError."""
        self.screen.title("Three agents start, and a load of 200 records a second with acks=all")
        load = Load(self.lab.bootstrap, rate=200)
        await load.start()
        agents = await self.agents.start_all()
        self.screen.say("the agents are ready; the control topic is theirs")
        try:
            await self._forgotten_throttle(agents[FORGOTTEN])
            await self._full_disk(agents[TROUBLED])
        finally:
            report = await load.stop()
        self._check_load(report)

    async def _forgotten_throttle(self, agent: Agent) -> None:
        self.screen.title(f"Act 1: somebody forgets a replication throttle on broker {FORGOTTEN}")
        self.screen.say(await faults.load()["leftover-throttle"].break_(self.lab, FORGOTTEN, self._quiet))
        began = _now()
        told = await follow(agent, "LeftoverReplicationThrottle", self.screen, ACT_S)
        left = await self._configs(FORGOTTEN, THROTTLES)
        self._check(not left, "the throttle is gone from the broker", f"the broker still has {left}")
        self._check_incident(told, began, "act 1")

    async def _full_disk(self, agent: Agent) -> None:
        folder = agent.node.log_dirs[0]
        self.screen.title(f"Act 2: the first log dir of broker {TROUBLED} fills up")
        crossing = asyncio.create_task(_crossing(folder))
        self.screen.say(await faults.load()["fill-disk"].break_(self.lab, TROUBLED, self._quiet))
        following = follow(agent, "LogDirFillingUp", self.screen, ACT_S)
        told = await following
        used = _used(folder)
        self._check(used < GOAL, f"the dir is {used:.1%} full, below {GOAL:.0%}", f"it is {used:.1%} full")
        left = await self._configs(TROUBLED, (MOVE_LIMIT,))
        self._check(not left, "the limit for the moves was taken off again", f"the broker still has {left}")
        self._check_incident(told, await crossing, "act 2")

    def _check_incident(self, told: Told, began: int, act: str) -> None:
        starts, heals = told.count(Kind.STARTED), told.count(Kind.HEALED)
        self._check(starts == 1, "acted exactly once", f"acted {starts} times")
        self._check(heals == 1, "verified by samples taken afterwards", "never verified")
        self._check(told.standing == 0, "nothing of it stands", f"{told.standing} effects still stand")
        started = told.at(Kind.STARTED)
        self.rows += [
            (f"{act}: fault to first effect", f"{(started - began) / 1000:.1f} s"),
            (f"{act}: effect to done", f"{(told.at(Kind.DONE) - started) / 1000:.1f} s"),
            (f"{act}: done to verdict", f"{(told.at(Kind.HEALED) - told.at(Kind.DONE)) / 1000:.1f} s"),
        ]

    def _check_load(self, report: LoadReport) -> None:
        self.screen.title("What the load saw")
        good = report.acked > 0 and not report.lost and not report.reordered
        self._check(
            good,
            f"{report.acked} records acknowledged, none lost, none reordered",
            f"of {report.acked} acknowledged records {report.lost} lost, {report.reordered} reordered",
        )
        self.rows.append(("load: longest gap between answers", f"{report.max_gap_ms} ms"))
        self.screen.title("Times")
        self.screen.table(self.rows)

    def _check(self, holds: bool, yes: str, no: str) -> None:
        (self.screen.passed if holds else self.screen.failed)(yes if holds else no)
        if not holds:
            self.failures.append(no)

    async def _configs(self, broker: int, keys: tuple[str, ...]) -> dict[str, str]:
        admin = Admin(self.lab.bootstrap, Security(), client_id="ottla-demo")
        try:
            return dict(await admin.configs(f"broker/{broker}", keys))
        finally:
            await admin.close()

    def _quiet(self, text: str) -> None:
        self.screen.say(text)


async def _crossing(folder: Path) -> int:
    """When the dir's used ratio crossed the rule's threshold, in ms since the epoch."""
    while _used(folder) <= THRESHOLD:  # noqa: ASYNC110  a disk's space is nothing that could wake anybody
        await asyncio.sleep(LOOK_S / 5)
    return _now()


def _used(folder: Path) -> float:
    space = os.statvfs(folder)
    return 1 - space.f_bavail / space.f_blocks


def _now() -> int:
    return time.time_ns() // 1_000_000


__all__ = ["Story", "StoryFailed"]
