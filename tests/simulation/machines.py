"""The machines: clocks that differ, run fast and step, a disk, and one process of the agent that can be
stopped, killed, frozen with its clocks, and started again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from simulation.process_loop import Kernel, ProcessLoop

BORN = 1_800_000_000.0  # the date of true time 0, in seconds since the epoch


class Disk:
    """agent.control_topic.Memory: one value, durable once it is written. It outlives the process."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.full = False


class Machine:
    """One host. Rates are relative to true time; `rate` holds for all of its clocks."""

    def __init__(self, kernel: Kernel, node: int, random: Random, rate: float, offset: float) -> None:
        self.kernel = kernel
        self.node = node
        self.agent = f"broker-{node}"
        self.host = f"host{node}"
        self.random = random
        self.rate = rate
        self.offset = offset  # of the wall clock, seconds
        self.disk = Disk()
        self.fold_max = 2
        self.process: Process | None = None
        self.wanted = True  # somebody starts it again
        self.starts = 0
        self._booted = random.randrange(10_000, 1_000_000) / 10
        self.stood_still = 0.0  # seconds during which all clocks stood
        self._slept = 0.0  # seconds of suspend
        self._stood = 0.0  # since when, while frozen or suspended
        self.frozen = False
        self.suspended = False

    def _running(self) -> float:
        now = self._stood if self.frozen else self.kernel.now
        return (now - self.stood_still) * self.rate

    def boot(self) -> float:
        """CLOCK_BOOTTIME, seconds."""
        return self._booted + self._running()

    def wall(self) -> float:
        """Seconds since the epoch, as this machine believes."""
        return BORN + self.offset + self._running()

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC, seconds: stands still in suspend."""
        now = self._stood if self.frozen or self.suspended else self.kernel.now
        return self._booted + (now - self.stood_still - self._slept) * self.rate

    def true(self, monotonic: float) -> float:
        """When the monotonic clock will show that, if nothing stops it."""
        return (monotonic - self._booted) / self.rate + self.stood_still + self._slept

    def stop_clocks(self, *, all_of_them: bool) -> None:
        """A virtual machine is frozen (its clocks too), or the host is suspended."""
        if self.frozen or self.suspended:
            return
        self._stood = self.kernel.now
        self.frozen, self.suspended = all_of_them, not all_of_them
        if self.process:
            self.process.hold("clocks")

    def start_clocks(self) -> None:
        """It goes on, as if no time had passed, or knowing better."""
        if self.frozen:
            self.stood_still += self.kernel.now - self._stood
        elif self.suspended:
            self._slept += self.kernel.now - self._stood
        self.frozen = self.suspended = False
        if self.process:
            self.process.let_go("clocks")

    def start(self, main: Callable[[Process], Coroutine[Any, Any, None]]) -> None:
        """A new process."""
        self.starts += 1
        self.process = Process(self)
        if self.frozen or self.suspended:
            self.process.hold("clocks")
        self.process.loop.create_task(main(self.process))

    def kill(self) -> bool:
        """The process ends without a word; the disk stays. False if there was none."""
        process, self.process = self.process, None
        if process:
            process.alive = False
            process.loop.kill()
        return process is not None


class Process:
    """One life of an agent."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.alive = True
        self.loop = ProcessLoop(  # type: ignore[abstract] # what asyncio never asks for is not there
            machine.kernel, machine.monotonic, machine.true
        )
        self._held: set[str] = set()
        self._timers: dict[int, float] = {}  # boot time, seconds
        self._armed = 0
        self.looked = 0.0  # how long its machine's clocks had stood when it last began to look
        self.killed_by_deadman: Callable[[Machine], None] = lambda _: None
        self.in_the_middle: list[Callable[[], None]] = []  # what it does first when it is let go

    def hold(self, why: str) -> None:
        """It makes no step until each cause is gone."""
        self._held.add(why)
        self.loop.stop_steps()

    def let_go(self, why: str) -> None:
        """One cause is gone."""
        self._held.discard(why)
        if not self._held and self.loop.stopped:
            self._look_at_all()
            if self.alive:
                self._finish_the_step()
                self.loop.go_on()
        else:
            self._look_at_all()

    def _finish_the_step(self) -> None:
        half_done, self.in_the_middle = self.in_the_middle, []
        for rest in half_done:
            rest()

    def arm(self, at: int) -> Callable[[], None]:
        """agent.control_topic.effects.Deadman: SIGKILL at boot time `at` (ms), while it is stopped, too."""
        self._armed += 1
        number = self._armed
        self._timers[number] = at / 1_000
        self._wait(number)

        def disarm() -> None:
            self._timers.pop(number, None)

        return disarm

    def _wait(self, number: int) -> None:
        machine = self.machine
        left = (self._timers[number] - machine.boot()) / machine.rate
        machine.kernel.after(max(left, 0.0), self._look, number)

    def _look(self, number: int) -> None:
        """The timer, as far as the machine's clocks run."""
        if number not in self._timers or not self.alive or self.machine.frozen or self.machine.suspended:
            return
        if self.machine.boot() + 1e-6 >= self._timers[number]:
            self.killed_by_deadman(self.machine)
        else:
            self._wait(number)

    def _look_at_all(self) -> None:
        for number in list(self._timers):
            self._look(number)
