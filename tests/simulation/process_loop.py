"""One event loop a process, all in one thread and in one true time: a process can be stopped between any two
of its steps while its clocks run, frozen with its clocks, and killed without a word."""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

MOST_STEPS = 50_000  # of one process at one instant


class Kernel:
    """True time in seconds since the schedule began, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._next: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = 0

    def at(self, when: float, happens: Callable[..., object], *args: Any) -> None:
        """Calls it then, in the order of the calls where the instant is the same."""
        self._order += 1
        heapq.heappush(self._next, (max(when, self.now), self._order, happens, args))

    def after(self, seconds: float, happens: Callable[..., object], *args: Any) -> None:
        """Calls it so much later."""
        self.at(self.now + seconds, happens, *args)

    def run(self, until: float) -> None:
        """Up to and with that instant."""
        while self._next and self._next[0][0] <= until:
            self.now, _, happens, args = heapq.heappop(self._next)
            happens(*args)
        self.now = until


class ProcessLoop(asyncio.AbstractEventLoop):
    """What asyncio needs, and no more. `local` gives the machine's monotonic clock, `true` the true time at
    which that clock will show so much if nothing stops it."""

    def __init__(self, kernel: Kernel, local: Callable[[], float], true: Callable[[float], float]) -> None:
        self.stopped = False  # its steps wait
        self.dead = False
        self.fault: Callable[[str], None] = lambda _: None  # hears of what nobody caught
        self._kernel = kernel
        self._local = local
        self._true = true
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = 0
        self._woken = False
        self._armed = float("inf")  # the true time of the earliest call that is due
        self._tasks: set[asyncio.Task[Any]] = set()

    def time(self) -> float:
        return self._local()

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.dead

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def call_soon(  # type: ignore[override] # one signature for every callback
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        if not self._woken and not self.stopped:
            self._woken = True
            self._kernel.at(self._kernel.now, self._turn)
        return handle

    def call_later(  # type: ignore[override] # one signature for every callback
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # one signature for every callback
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._order += 1
        heapq.heappush(self._timers, (when, self._order, handle))
        self._arm()
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Left in the heap until its time has come."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead:
            self.fault(f"{context.get('message')}: {context.get('exception')!r}")

    def _arm(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if self._timers and not self.stopped:
            due = self._true(self._timers[0][0])
            if due < self._armed:
                self._armed = due
                self._kernel.at(due, self._alarm, due)

    def _alarm(self, due: float) -> None:
        if due == self._armed:
            self._armed = float("inf")
            self._turn()

    def stop_steps(self) -> None:
        """As SIGSTOP does, or a hypervisor."""
        self.stopped = True

    def go_on(self) -> None:
        """After that."""
        self.stopped = False
        self._armed = float("inf")
        self._turn()

    def _turn(self) -> None:
        """All steps that are due, and those that they make due at this instant."""
        self._woken = False
        if self.stopped or self.dead:
            return
        previous = events._get_running_loop()
        events._set_running_loop(self)
        try:
            self._steps()
        finally:
            events._set_running_loop(previous)
        self._arm()

    def _steps(self) -> None:
        now = self._local() + 1e-9
        while self._timers and self._timers[0][0] <= now:
            self._ready.append(heapq.heappop(self._timers)[2])
        steps = 0
        while self._ready and not self.stopped and not self.dead:
            handle = self._ready.popleft()
            if not handle._cancelled:
                handle._run()
            steps += 1
            if steps > MOST_STEPS:
                raise AssertionError("a process spins: no time passes, and nothing comes to rest")

    def kill(self) -> None:
        """No task of it goes on. What they clean up touches nothing: its lines to the world are cut."""
        self.dead = True
        previous = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while pending := [task for task in self._tasks if not task.done()]:
                for task in pending:
                    task.cancel()
                while self._ready:
                    handle = self._ready.popleft()
                    if not handle._cancelled:
                        handle._run()
        finally:
            events._set_running_loop(previous)
        self._timers.clear()
