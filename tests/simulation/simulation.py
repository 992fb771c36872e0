"""One schedule played: machines, the log, the world and the agents, put together."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random

from agent.control.bodies import FOLD
from agent.control.times import LAB
from agent.control_topic import ControlTopic, Settings, Surroundings
from simulation.brokers import E_CONTROLLER, E_OWN, Request, World
from simulation.forged import forged
from simulation.invariants import Canon, Invariants, Violation
from simulation.machines import Machine, Process
from simulation.partition import Line, Partition
from simulation.problems import BUDGETS, KEEPERS, Problems
from simulation.process_loop import Kernel
from simulation.remedies import Remedies
from simulation.schedules import Schedule
from simulation.segmented import SegmentedLine

TIMES = replace(LAB, e_own=int(E_OWN * 1_000), e_controller=int(E_CONTROLLER * 1_000), age=10_000)
PATIENCE = 150.0  # seconds after the last fault in which all must come to its end
STEP = 0.5
VOTE = b'"t":"expire"'


class DiskMemory:
    """agent.control_topic.Memory on a machine's disk; a write takes its time."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def load(self) -> bytes | None:
        """What was saved last."""
        return self._machine.disk.value

    async def save(self, value: bytes) -> None:
        """Durable when it returns."""
        await asyncio.sleep(0.002)
        if self._machine.disk.full:
            raise OSError("disk full")
        self._machine.disk.value = value


@dataclass(frozen=True)
class Result:
    """What came of a schedule."""

    schedule: Schedule
    violation: str | None
    seen: Counter[str]
    excused: Counter[str]
    seconds: float  # virtual
    trace: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of the whole trace."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class Simulation:
    """All that lives while a schedule is played."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.times = replace(TIMES, **dict(schedule.times))
        self.kernel = Kernel()
        self.trace: list[str] = []
        random = Random(schedule.seed * 1_000_003)
        self.random = random
        self.partition = Partition(self.kernel, Random(random.random()))
        self.canon = Canon(self.partition, schedule.mark_every)
        self.world = self.make_world(Random(random.random()))
        self.world.sasl = schedule.sasl
        self.world.looks_wait = schedule.faults == "woken"
        self.world.told = self._told
        self.invariants = Invariants(self.world, self.canon, TIMES.cooldown / 1_000)
        self.problems = Problems()
        self.problems.now = lambda: self.kernel.now
        self.problems.effect_made = self.invariants.register
        self.machines: dict[int, Machine] = {}
        self.topics: dict[int, ControlTopic] = {}
        self.cut: Counter[int] = Counter()  # machines that do not reach the log
        self.trouble: dict[int, tuple[str, float]] = {}  # what befalls appends
        self.votes_late = 0.0  # seconds that the network keeps each vote
        self.forges: bool | None = None  # the next snapshot; whether it has the hash of what it says
        self.in_the_gap: dict[int, Callable[[Machine], None]] = {}  # what befalls a machine at its next gap,
        self.in_the_look: dict[int, Callable[[Machine], None]] = {}  # or its next last look
        self.at_work: dict[int, Callable[[], None]] = {}  # what befalls a machine after its next effect
        self.undo_crashes = False
        self.folded: dict[int, str] = {}  # from where each agent folded the log last
        self.behind: list[int] = []  # ends of the log at the last looks
        self.failure: str | None = None
        for node, machinery in enumerate(schedule.machines, 1):
            machine = Machine(self.kernel, node, Random(random.random()), machinery.rate, machinery.offset)
            machine.fold_max = machinery.fold_max
            self.machines[node] = machine
        self.world.at_the_gap = self._gap
        self.world.at_the_look = self._look
        grown = self.partition.grown

        def landed(record: object) -> None:
            grown(record)  # type: ignore[arg-type]
            state = self.canon.state
            self.say(f"log {state.offset} epoch {state.epoch} {state.digest[:8]} {self.canon.told}")

        self.partition.grown = landed

    def make_world(self, random: Random) -> World:
        """Of as many nodes as there are machines, and a controller."""
        return World(self.kernel, len(self.schedule.machines), random)

    def say(self, text: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{self.kernel.now:9.4f} {text}")

    def _told(self, what: str, request: Request) -> None:
        word = "undo" if request.undo else "apply"
        wanted = request.wanted
        place = f"{'/'.join(wanted.key)} via {wanted.via}"
        self.say(f"{request.agent} {word} {request.effect} at {place}: {what}")
        if what == "left" and not request.undo and request.process.machine.node in self.at_work:
            self.kernel.after(3.0 * self.random.random() ** 2, self.at_work.pop(request.process.machine.node))
        if what == "left" and request.undo and self.undo_crashes:
            self.kernel.after(0.0, self.crash, request.process.machine.node, 1.0, "its undo crashes it")
        if what.startswith("executed over"):
            before = what.removeprefix("executed over ")
            self.invariants.executed(None if before == "None" else before, request)

    def _gap(self, request: Request, left: asyncio.Future[None]) -> None:
        """Whatever befalls a process in the very step in which its bytes leave."""
        process = request.process
        if befalls := self.in_the_gap.pop(process.machine.node, None):
            befalls(process.machine)
        if process.loop.stopped:
            process.in_the_middle.append(lambda: self.world.leave(request, left))
        else:
            self.world.leave(request, left)

    def _look(self, process: Process) -> None:
        """… in the step in which it begins to look for the last time."""
        process.looked = process.machine.stood_still
        if befalls := self.in_the_look.pop(process.machine.node, None):
            befalls(process.machine)

    def start(self, node: int, after: float = 0.0) -> None:
        """The machine's agent is started, unless somebody wants it down."""

        def begin() -> None:
            machine = self.machines[node]
            if machine.process is None and machine.wanted:
                self.say(f"{machine.agent} starts")
                machine.start(self._main)
                assert machine.process
                machine.process.loop.fault = self._crashed
                machine.process.killed_by_deadman = self._deadman

        self.kernel.after(after, begin)

    def _crashed(self, why: str) -> None:
        self.failure = self.failure or f"a task of an agent failed: {why}"

    def _deadman(self, machine: Machine) -> None:
        self.canon.seen["deadman"] += 1
        self.crash(machine.node, 2.0, "deadman")

    def crash(self, node: int, down: float, why: str = "crash") -> None:
        """SIGKILL; started again after so many seconds."""
        machine = self.machines[node]
        if machine.kill():
            self.say(f"{machine.agent} is gone: {why}")
            self.topics.pop(node, None)
            self.canon.seen["crashes"] += 1
        self.start(node, down)

    async def _main(self, process: Process) -> None:
        topic = self.take_part(process)
        await topic.start()
        await Remedies(process, topic, self.world, self.problems).run()

    def take_part(
        self, process: Process, reaches: Callable[[], Awaitable[bool]] | None = None
    ) -> ControlTopic:
        """The process's part in the control topic, which it has yet to start."""
        machine, node = process.machine, process.machine.node
        segments = self.schedule.faults == "segments"
        line = (SegmentedLine if segments else Line)(self.partition, process)
        line.cut = lambda: self.cut[node] > 0
        line.trouble = lambda value: self._trouble(node, value)
        line.made = self._made
        settings = Settings(
            machine.agent,
            machine.host,
            times=self.times,
            budgets=BUDGETS | (KEEPERS if self.schedule.faults == "kept" else {}),
            create=True,
            cluster="simulated",
            fold_max=machine.fold_max,
            mark_every=self.schedule.mark_every,
        )
        around = Surroundings(
            clock=lambda: int(machine.wall() * 1_000),
            boot=lambda: int(machine.boot() * 1_000),
            memory=DiskMemory(machine),
            nonce=lambda: f"{machine.random.getrandbits(128):032x}",
            reaches=reaches,
        )
        topic = ControlTopic(line, settings, around)
        self.topics[node] = topic
        return topic

    def _trouble(self, node: int, value: bytes) -> tuple[str, float]:
        if self.votes_late and VOTE in value:
            return "late", self.votes_late
        return self.trouble.get(node, ("", 0.0))

    def _made(self, snapshot: bytes) -> bytes:
        consistent, self.forges = self.forges, None
        if consistent is None:
            return snapshot
        self.say(f"a snapshot is forged, {'and' if consistent else 'but not'} its hash")
        return forged(snapshot, consistent=consistent)

    def heal(self) -> None:
        """The faults are over: everybody comes back, and nothing is wrong any more."""
        self.say("the faults are over")
        self.problems.end()
        self.partition.down = self.partition.min_isr_lost = False
        self.partition.old.clear()
        self.cut.clear()
        self.trouble.clear()
        self.votes_late, self.forges = 0.0, None
        self.in_the_gap.clear()
        self.in_the_look.clear()
        self.at_work.clear()
        self.undo_crashes = False
        self.world.cut.clear()
        self.world.stops_on_arrival.clear()
        for number, node in self.world.nodes.items():
            node.slow, node.loses, node.silent = 0.0, False, False
            if node.stopped:
                self.world.wake(number)
        for machine in self.machines.values():
            machine.wanted, machine.disk.full = True, False
            machine.start_clocks()
            if machine.process:
                machine.process.let_go("pause")
            if machine.fold_max < FOLD:
                machine.fold_max = FOLD
                self.crash(machine.node, 1.0, "updated")
            self.start(machine.node, 1.0)
        self.partition.serve()

    def left(self) -> str | None:
        """What is not finished; None when all is, and everybody has read everything."""
        self.behind.append(self.canon.state.offset)
        if left := self.invariants.left():
            return left
        end = min(self.behind[-4:])  # idle agents do not wait for each record
        for node in self.machines:
            topic = self.topics.get(node)
            if topic is None or topic.degraded or topic.state.offset < end:
                return f"I5: broker-{node} is not well: {topic and topic.degraded}"
            if topic.state.offset > self.canon.state.offset:
                return f"I5: broker-{node} has not seen yet that its log lost its tail"
            if topic.state.log != self.partition.topic_id:
                return f"I5: broker-{node} follows another log"
        return None

    def check(self) -> None:
        """Raises Violation: what can be seen between two instants."""
        self.invariants.check()
        if self.failure:
            raise Violation(self.failure)
        for node, topic in self.topics.items():
            self.invariants.equal(topic._agent, topic.state)
            folded = topic.snapshots()["folded"]
            if folded != self.folded.get(node) and folded.startswith("the snapshot"):
                self.canon.seen["starts from snapshots"] += 1
            self.folded[node] = folded
