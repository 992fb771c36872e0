"""Threads for queries: what is refused, what gives up, and when a place is free again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from agent.web import query_threads
from agent.web.query_threads import THREADS, WAITING, GaveUp, Gone, Leash, NoPlace, QueryThreads


@pytest.fixture
async def threads() -> AsyncIterator[QueryThreads]:
    made = QueryThreads()
    yield made
    made.close()


def here() -> bool:
    return False


def value(threads: QueryThreads, name: str) -> float:
    lines = threads.metrics().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


async def until(what: str, threads: QueryThreads, name: str, wanted: float) -> None:
    try:
        async with asyncio.timeout(10):
            while value(threads, name) != wanted:
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited for: {what}") from None


async def test_work_runs_beside_the_loop(threads: QueryThreads) -> None:
    """In a thread of its own, and its result comes back; so does its error."""
    async with threads.place() as place:
        name = await place.run(lambda _: threading.current_thread().name, 5, here)
    assert name.startswith("query")
    with pytest.raises(ZeroDivisionError):
        async with threads.place() as place:
            await place.run(lambda _: 1 // 0, 5, here)
    text = threads.metrics().decode()
    assert 'ottla_queries_total{outcome="answered"} 1.0' in text
    assert 'ottla_queries_total{outcome="failed"} 1.0' in text


async def test_more_than_there_are_places_for_are_refused_and_counted(threads: QueryThreads) -> None:
    """Those inside are not disturbed, and when one leaves, there is a place again."""
    go = threading.Event()

    async def ask() -> bool:
        async with threads.place() as place:
            return await place.run(lambda _: go.wait(20), 30, here)

    inside = [asyncio.create_task(ask()) for _ in range(THREADS + WAITING)]
    await until("all places to be taken", threads, "ottla_query_places_taken", THREADS + WAITING)
    with pytest.raises(NoPlace, match="try again"):
        await ask()
    assert 'ottla_queries_total{outcome="refused"} 1.0' in threads.metrics().decode()
    go.set()
    assert all(await asyncio.gather(*inside))
    await until("all places to be free", threads, "ottla_query_places_taken", 0)
    assert await ask()


async def test_work_that_looks_at_its_leash_ends_when_nobody_waits(threads: QueryThreads) -> None:
    """The client hung up: the answer is Gone at once, and the work sees it."""
    seen = threading.Event()

    def work(leash: Leash) -> None:
        while not leash.over():
            time.sleep(0.005)
        seen.set()

    with pytest.raises(Gone):
        async with threads.place() as place:
            await place.run(work, 20, lambda: True)
    assert await asyncio.to_thread(seen.wait, 5)
    await until("the place to be free", threads, "ottla_query_places_taken", 0)


async def test_stubborn_work_keeps_its_place_until_it_ends(
    threads: QueryThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client is told in time; but a thread that still works is counted."""
    monkeypatch.setattr(query_threads, "GRACE_S", 0.0)
    go = threading.Event()

    def work(leash: Leash) -> bool:
        leash.deadline = 0.0  # as soon as it has begun its time is over
        return go.wait(20)

    with pytest.raises(GaveUp, match="in expression evaluation"):
        async with threads.place() as place:
            await place.run(work, 20, here)
    assert value(threads, "ottla_query_places_taken") == 1
    go.set()
    await until("the place to be free", threads, "ottla_query_places_taken", 0)


async def test_what_waited_too_long_is_not_begun(threads: QueryThreads) -> None:
    """It gives up in the queue, and its work never runs."""
    go, ran = threading.Event(), threading.Event()

    async def hold() -> None:
        async with threads.place() as place:
            await place.run(lambda _: go.wait(20), 30, here)

    holders = [asyncio.create_task(hold()) for _ in range(THREADS)]
    await until("the threads to be taken", threads, "ottla_query_places_taken", THREADS)
    with pytest.raises(GaveUp):
        async with threads.place() as place:
            await place.run(lambda _: ran.set(), 0.05, here)
    go.set()
    await asyncio.gather(*holders)
    await until("all places to be free", threads, "ottla_query_places_taken", 0)
    assert not ran.is_set()


async def test_what_has_no_time_left_is_not_begun(threads: QueryThreads) -> None:
    ran = threading.Event()
    with pytest.raises(GaveUp, match="in query queue"):
        async with threads.place() as place:
            await place.run(lambda _: ran.set(), 0.0, here)
    assert not ran.is_set()


async def test_nobody_asks_for_more_time_than_there_is(
    threads: QueryThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_threads, "QUERY_S", 20.0)
    async with threads.place() as place:
        left = await place.run(lambda leash: leash.deadline - time.monotonic(), 3_600, here)
    assert left <= 20.0
