"""One schedule played by the daemon itself: the same machines, log, faults and invariants, and a cluster
whose settings its actions change."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random

from agent.actions.throttles import FOLLOWER_LIST
from agent.daemon.settling import ANSWER_S
from agent.journal import JournalFailed
from agent.model import Effect, Entry
from simulation.cluster_port import ClusterPort
from simulation.cluster_world import ClusterWorld, Values
from simulation.daemon_agent import ACTIONS, DaemonAgent, DiskJournal
from simulation.invariants import Violation
from simulation.kept_port import KeptPort
from simulation.kept_troubles import Troubles
from simulation.kept_world import KeptWorld
from simulation.lags import Lags, Throttle
from simulation.machines import Process
from simulation.schedules import Schedule
from simulation.simulation import Simulation

BEFORE: Values = {"topic/t1": {FOLLOWER_LIST: "50:80"}}  # what somebody had set before


class DaemonSimulation(Simulation):
    """All that lives while a schedule is played."""

    world: ClusterWorld

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(schedule)
        self.lags = self.make_lags()
        self.agents: dict[int, DaemonAgent] = {}
        self.journals: dict[int, list[bytes]] = {node: [] for node in self.machines}
        self.stop_files: Counter[int] = Counter()
        self.at_entry: dict[int, tuple[int, float]] = {}  # entries until a crash, and how long that lasts

    def make_world(self, random: Random) -> ClusterWorld:
        """Of as many brokers as there are agents, and a controller."""
        values = {resource: dict(of_it) for resource, of_it in BEFORE.items()}
        world = ClusterWorld if self.schedule.faults != "kept" else KeptWorld
        return world(self.kernel, len(self.schedule.machines), random, values)

    def make_lags(self) -> Lags:
        """What agents see."""
        if isinstance(self.world, KeptWorld):
            self.canon.closing = self.world.closed
            return Troubles(lambda: self.kernel.now, tuple(self.machines), self.world)
        return Lags(lambda: self.kernel.now, tuple(self.machines))

    def crash(self, node: int, down: float, why: str = "crash") -> None:
        """As any process; what it held in memory is gone."""
        self.agents.pop(node, None)
        super().crash(node, down, why)

    async def _main(self, process: Process) -> None:
        node = process.machine.node
        port = (KeptPort if isinstance(self.world, KeptWorld) else ClusterPort)(
            self.world, process, self.lags
        )
        reaches = partial(port.answers, node, controller=True, deadline=ANSWER_S)
        topic = self.take_part(process, reaches)
        journal = DiskJournal(process, self.journals[node], lambda entry: self._written(process, entry))
        agent = self.agents[node] = DaemonAgent(process, topic, port, journal, self.lags)
        agent.begins = self._begins
        agent.stop_file = lambda: "simulated" if self.stop_files[node] > 0 else None
        agent.daemon.fault = self._crashed
        try:
            await agent.run()
        except JournalFailed as error:
            if process.alive:  # not at once: the crash ends this very task, too
                self.kernel.after(0.0, self.crash, node, 1.0, f"it ends: {error}")

    def _begins(self, name: str, effect: Effect, problem: str) -> None:
        if isinstance(self.world, KeptWorld):
            self.world.claimed[problem] = name
        self.invariants.register(
            name, Throttle(problem, effect.action, ACTIONS[effect.action].scopes(effect))
        )

    def _written(self, process: Process, entry: Entry) -> bool:
        """An entry is on disk; whether that was the last thing that its process did."""
        node = process.machine.node
        self.canon.seen[f"entries: {entry.kind}"] += 1
        self.say(f"{process.machine.agent} journal: {entry.kind} {entry.incident} {entry.reason}")
        left, lasts = self.at_entry.get(node, (0, 0.0))
        if left > 1:
            self.at_entry[node] = left - 1, lasts
        elif left:
            del self.at_entry[node]
            self.kernel.after(0.0, self.crash, node, lasts, f"crash right after the entry {entry.kind}")
        return left == 1

    def heal(self) -> None:
        """The faults are over, and nothing is behind any more."""
        super().heal()
        self.lags.end()
        self.stop_files.clear()
        self.at_entry.clear()

    def left(self) -> str | None:
        """What is not finished, in the journals and in the world too."""
        if left := super().left():
            return left
        for node, agent in self.agents.items():
            if standing := agent.daemon.standing():
                return f"I5: broker-{node} still carries {', '.join(standing)}"
        wrong = self.world.left(self.invariants.may_be_left())
        return f"I3: left in the world: {wrong}" if wrong else None

    def check(self) -> None:
        """Raises Violation: what can be seen between two instants."""
        super().check()
        if self.world.broken:
            raise Violation(self.world.broken[0])
