"""One process of the daemon in the simulation: its real rounds, attempts, carriers, fence, adoptions, sweep
and search for what stands without a claim, with a shipped action, wired as agent.assembly does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from agent.actions import Ports, load
from agent.control_topic import ControlTopic, Effects, Request
from agent.control_topic.effects import LastLook
from agent.daemon.claim_sweep import sweep_claims
from agent.daemon.fence import Fence
from agent.daemon.found import Found
from agent.daemon.ledger import Ledger
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.scenes import Local
from agent.daemon.sight import Sight
from agent.gate import World
from agent.journal import JournalFailed
from agent.model import Boot, Called, Effect, Entry, Kind, Policy, Rate
from agent.series import Series
from agent.wire import decode, decode_effect, encode
from simulation.cluster_port import ClusterPort
from simulation.lags import Lags
from simulation.machines import Process

POLICY = Policy(per_host=Rate(1_000, 60_000), breaker=1_000, startup_grace_ms=0)
READ = 1.0  # seconds between two readings of the sources
WINDOW_MS = 60_000
ACTIONS = {name: cls() for name, cls in load().items()}


class DiskJournal:
    """agent.journal.Journal on a machine's disk. `written` hears of each entry that is durable; where it says
    so, the process is killed before anybody else does."""

    def __init__(self, process: Process, lines: list[bytes], written: Callable[[Entry], bool]) -> None:
        self._process = process
        self._lines = lines
        self._written = written

    async def open(self) -> None:
        """There is nothing to do."""

    async def entries(self, after: int = 0) -> tuple[Entry, ...]:
        """Those that follow the first `after`."""
        return tuple(map(decode, self._lines[after:]))

    async def append(self, *entries: Entry) -> None:
        """Durable when it returns. Of what failed nobody knows whether it was written."""
        await asyncio.sleep(0.002)
        full, process = self._process.machine.disk.full, self._process
        if process.alive and not (full and process.machine.random.random() < 0.7):
            self._lines.extend(map(encode, entries))
        if full:
            raise JournalFailed("disk full")
        told = [self._written(entry) for entry in entries]
        if any(told):
            await process.loop.create_future()


class Told(Effects):
    """The real effects; the cluster hears whose the next request is, and when the last look begins."""

    def __init__(
        self, control: ControlTopic, process: Process, port: ClusterPort, agent: DaemonAgent
    ) -> None:
        super().__init__(control, process)
        self._topic = control
        self._process, self._port, self._agent = process, port, agent

    async def apply(
        self,
        claim: Called,
        ready: Callable[[], Awaitable[Request[Any]]],
        look: LastLook,
        sent: Any,
        **warm: Any,
    ) -> Any:
        """As it is."""
        ready, look = self._ready(claim, ready, undo=False), self._look(look)
        return await super().apply(claim, ready, look, sent, **warm)

    async def undo(
        self,
        claim: Called,
        ready: Callable[[], Awaitable[Request[Any]]],
        look: LastLook,
        sent: Any,
        *,
        adopted: bool = False,
        **warm: Any,
    ) -> Any:
        """As it is."""
        ready, look = self._ready(claim, ready, undo=True, adopted=adopted), self._look(look)
        return await super().undo(claim, ready, look, sent, adopted=adopted, **warm)

    def _ready(
        self,
        claim: Called,
        ready: Callable[[], Awaitable[Request[Any]]],
        *,
        undo: bool,
        adopted: bool = False,
    ) -> Callable[[], Awaitable[Request[Any]]]:
        async def made_ready() -> Request[Any]:
            port = self._port
            port.whose, port.undo = self._agent.whose(claim), undo
            port.blind = undo and not adopted and self._topic.degraded is not None
            return await ready()

        return made_ready

    def _look(self, look: LastLook) -> LastLook:
        async def looked() -> str | None:
            self._agent.world.at_the_look(self._process)
            return await look()

        return looked


class Watched(Daemon):
    """The real one; a task of it that ends by a fault of ours is told."""

    fault: Callable[[str], None]

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        super()._ended(key, task)
        if not task.cancelled() and not isinstance(task.exception(), JournalFailed | None):
            self.fault(f"{key}: {task.exception()!r}")


class DaemonAgent:
    """All of one process. `begins` hears of each effect that is written down: its name is the world's."""

    def __init__(
        self, process: Process, topic: ControlTopic, port: ClusterPort, journal: DiskJournal, lags: Lags
    ) -> None:
        self.process, self.topic, self.port = process, topic, port
        self.world = port.world
        self.ledger = Ledger(journal, self._told)  # type: ignore[arg-type]  # the same three methods
        self.begins: Callable[[str, Effect, str], None] = lambda *_: None
        self.stop_file: Callable[[], str | None] = lambda: None
        self._lags = lags
        self._names: dict[Called, str] = {}  # claims of which effects are known
        self._seen: World | None = None
        machine = process.machine
        ports = Ports(
            port, machine.node, port.free_bytes, POLICY, self._steady, asyncio.sleep, self._recorded
        )
        fence = Fence(topic, Told(topic, process, port, self), port, port.which_process)
        self.means = Means(
            self.ledger,
            lambda: self.daemon.sight,
            self._local,
            ACTIONS,
            ports,
            topic,
            self._now,
            fence,
            boot=lambda: Boot(machine.host, int(machine.boot() * 1_000)),
        )
        sight = Sight(lags.book, Series(WINDOW_MS), lambda: self._seen, machine.node)
        self.daemon = Watched(self.means, sight)

    async def run(self) -> None:
        """For ever. Raises what ends the agent."""
        await self.ledger.open()
        await self.daemon.recover()
        tasks = (
            self._feed(),
            self.daemon.run(),
            self.topic.start(),
            self._sweep(),
            Found(self.means, self.topic).run(),
        )
        await asyncio.gather(*tasks)

    def whose(self, claim: Called) -> str:
        """The name of a claim's effect, as the log has it, or the own journal."""
        own = self.topic.own_claim(claim)
        if own is not None and own.effect is not None:
            self._names[claim] = self.world.name_of(decode_effect(own.effect))
        elif claim not in self._names:
            known = [
                i.effect for i in self.ledger.history.incidents.values() if claim in (i.claim, i.claimed)
            ]
            if known and known[-1] is not None:
                self._names[claim] = self.world.name_of(known[-1])
        return self._names.get(claim, f"claim {claim}")

    async def _feed(self) -> None:
        """The sources."""
        while True:
            machine, now = self.process.machine, self._now()
            if machine.node not in self.world.cut:
                self._seen = World(now, machine.node)
            began = asyncio.get_running_loop().time()
            self.daemon.take(self._lags.samples(machine.node, now), began)
            await asyncio.sleep(READ)

    async def _sweep(self) -> None:
        while True:
            with suppress(JournalFailed):
                await sweep_claims(self.means, self.topic)

    def _now(self) -> int:
        return int(self.process.machine.wall() * 1_000)

    def _steady(self) -> float:
        return self.process.machine.monotonic() * 1_000

    def _recorded(self, resource: str, key: str, value: str) -> bool:
        return (resource, key, value) in self.ledger.history.written

    def _told(self, entry: Entry) -> None:
        if entry.kind is Kind.STARTED and entry.effect is not None and entry.claim is not None:
            claim = self.topic.own_claim(entry.claim)
            problem = claim.problem if claim else f"of claim {entry.claim}"
            name = self.world.begins(entry.effect)
            self.begins(name, entry.effect, problem)

    async def _local(self) -> Local:
        topic = self.topic
        why = topic.degraded or ("" if topic.caught_up else "the control topic is not read to its end yet")
        peers = {name: frozenset(peer.firing) for name, peer in topic.peers().items()}
        return Local(self.process.machine.node, POLICY, 0, self.stop_file(), why, peers)
