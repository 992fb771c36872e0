"""Threads for what takes long, so that the agent's loop goes on: few, with limits and counts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from msgspec import Struct

from agent.families import Family, counter, gauge, written

THREADS = 1  # they share one interpreter with the loop, which would wait longer with each
WAITING = 16
QUERY_S = 10.0
GRACE_S = 1.0  # between two looks of a query at its deadline
LOOK_S = 0.1  # how often it is looked whether the client is still there
_T = TypeVar("_T")


class NoPlace(Exception):
    """So many are asked at once that another would only wait."""


class GaveUp(Exception):
    """The time is over."""


class Gone(Exception):
    """The client hung up."""


class Leash(Struct):
    """How long a piece of work may take: until `deadline` of time.monotonic(), or until it is `cut`."""

    deadline: float
    cut: bool = False

    def over(self) -> bool:
        """Whether to stop now."""
        return self.cut or time.monotonic() > self.deadline


class QueryThreads:
    """Runs work in threads. At most THREADS at once, WAITING behind them; what goes beyond is refused."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="query")
        self._lock = threading.Lock()
        self._taken = 0
        self._ended: Counter[str] = Counter()  # by how they ended
        self._seconds = 0.0

    def metrics(self) -> bytes:
        """Its own series, in Prometheus's text format."""
        with self._lock:
            taken, seconds = self._taken, self._seconds
        ended = {(("outcome", outcome),): count for outcome, count in self._ended.items()}
        about = "Queries by HTTP, by how they ended"
        return written(
            (
                Family("ottla_queries_total", "counter", about, ended.items()),
                counter("ottla_query_seconds_total", "Seconds spent in queries", seconds),
                gauge("ottla_query_places_taken", "Queries under way and waiting", taken),
            )
        )

    def close(self) -> None:
        """Begin nothing more; what runs ends by its own deadline."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place, kept until the answer is sent and the thread has ended. Raises NoPlace."""
        with self._lock:
            full = self._taken >= THREADS + WAITING
            self._taken += not full
        if full:
            self._ended["refused"] += 1
            raise NoPlace(f"{THREADS + WAITING} queries are under way: try again in a moment")
        place, outcome = Place(self._pool), "failed"
        try:
            yield place
            outcome = "answered"
        except GaveUp:
            outcome = "timed out"
            raise
        except (Gone, ConnectionError, asyncio.CancelledError):
            outcome = "cancelled"
            raise
        finally:
            place.cut()
            self._ended[outcome] += 1
            place.when_done(self._release)

    def _release(self, seconds: float) -> None:
        with self._lock:
            self._taken -= 1
            self._seconds += seconds


class Place:
    """One piece of work's place."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._future: Future[object] | None = None
        self._leash = Leash(0.0)
        self._seconds = 0.0

    async def run(self, work: Callable[[Leash], _T], seconds: float, gone: Callable[[], bool]) -> _T:
        """The work's result. Raises GaveUp when its time is over, Gone when nobody waits for it any more."""
        self._leash = leash = Leash(time.monotonic() + min(seconds, QUERY_S))
        future = self._pool.submit(self._timed, work, leash)
        self._future = future  # type: ignore[assignment]  # only waited for
        waiting = asyncio.wrap_future(future)
        while not (await asyncio.wait({waiting}, timeout=LOOK_S))[0]:
            if gone():
                raise Gone("query was canceled: the client hung up")
            if time.monotonic() > leash.deadline + GRACE_S:
                raise GaveUp("query timed out in expression evaluation")
        return waiting.result()

    def cut(self) -> None:
        """Nobody wants the result any more."""
        self._leash.cut = True
        if self._future is not None:
            self._future.cancel()

    def when_done(self, then: Callable[[float], None]) -> None:
        """Call `then` with the seconds that it took, when its thread is free: at once, or from there."""
        if self._future is None:
            then(0.0)
        else:
            self._future.add_done_callback(lambda _: then(self._seconds))

    def _timed(self, work: Callable[[Leash], _T], leash: Leash) -> _T:
        began = time.monotonic()
        try:
            if leash.over():
                raise GaveUp("query timed out in query queue")
            return work(leash)
        finally:
            self._seconds = time.monotonic() - began
