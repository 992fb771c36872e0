"""Blocking calls that may never return: in a daemon thread of their own, one at a time, with a deadline."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")
IDLE_S = 30.0  # more than most intervals: to start a thread costs more than most calls
LEFT_S = 0.5  # a call that goes on for so long after its caller has left hangs


class LoneThread:
    """Runs blocking calls one after another. A call that hangs costs its own thread and nothing else: later
    calls are refused while it lasts, and a daemon thread does not keep the process from ending.

    The thread waits for the next call; after `idle` seconds without one it ends.
    """

    def __init__(self, name: str, idle: float = IDLE_S) -> None:
        self._name = name
        self._idle = idle
        self._busy = False
        self._began = 0.0  # loop time
        self._ended = asyncio.Event()
        self._turn = asyncio.Lock()
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._ending = threading.Lock()  # held by who looks whether the thread lives, or ends it
        self._lives = False

    @property
    def busy(self) -> bool:
        """Whether a call runs; once `run` has ended it is one that hangs."""
        return self._busy

    async def run(self, call: Callable[[], T], deadline: float) -> T:
        """What `call` returns or raises; TimeoutError after `deadline` seconds, or at once while an earlier
        call still hangs. OSError where no thread can be started."""
        try:
            async with asyncio.timeout(deadline), self._turn:
                if self._busy:
                    await self._left()
                return await self._start(call)
        except TimeoutError as error:
            raise TimeoutError(str(error) or f"{self._name} has not returned for {deadline:g} s") from None

    async def _left(self) -> None:
        """A call whose caller was cancelled may be about to end; TimeoutError where it is not."""
        async with asyncio.timeout_at(self._began + LEFT_S):
            await self._ended.wait()

    def _start(self, call: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        ended = self._ended = asyncio.Event()
        self._began = loop.time()

        def tell(settle: Callable[[], None]) -> None:
            ended.set()
            if not future.done():  # else the deadline has passed, and nobody listens
                settle()

        def work() -> None:
            try:
                settle = partial(future.set_result, call())
            except BaseException as error:  # noqa: BLE001 raised again where it is awaited
                settle = partial(future.set_exception, error)
            self._busy = False
            with suppress(RuntimeError):  # the loop was closed while the call hung
                loop.call_soon_threadsafe(tell, settle)

        with self._ending:
            if not self._lives:
                try:
                    threading.Thread(target=self._work_on, name=self._name, daemon=True).start()
                except RuntimeError as error:  # no room for one more; there may be at the next call
                    raise OSError(f"{self._name}: {error}") from error
                self._lives = True
            self._busy = True
            self._calls.put(work)
        return future

    def _work_on(self) -> None:
        """The thread: one call after another."""
        while True:
            try:
                work = self._calls.get(timeout=self._idle)
            except Empty:
                with self._ending:
                    if self._calls.empty():
                        self._lives = False
                        return
                continue
            work()
            del work  # what the call held is not kept while nothing is done
