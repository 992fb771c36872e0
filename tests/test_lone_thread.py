"""A call that never returns costs its own thread and nothing else."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from agent.lone_thread import LoneThread


def alive(name: str) -> list[threading.Thread]:
    """The threads of this name."""
    return [thread for thread in threading.enumerate() if thread.name == name]


async def answered(lone: LoneThread) -> int | None:
    """The thread that serves a call; None while it is refused."""
    try:
        return await lone.run(threading.get_ident, 30.0)
    except TimeoutError:
        return None


async def test_it_gives_what_the_call_returns_or_raises() -> None:
    """One after another, also when asked side by side."""
    lone = LoneThread("test")

    assert await asyncio.gather(*(lone.run(partial(int, n), 1.0) for n in range(20))) == list(range(20))
    with pytest.raises(ZeroDivisionError):
        await lone.run(lambda: 1 // 0, 1.0)
    assert await lone.run(lambda: "again", 1.0) == "again"


async def test_while_a_call_hangs_the_next_are_refused_at_once_and_after_it_they_go_on() -> None:
    """No second thread is started into the same hung disk."""
    lone, release = LoneThread("reading of /d1"), threading.Event()
    before = alive("reading of /d1")  # those that served other tests end when they have idled

    with pytest.raises(TimeoutError, match=r"reading of /d1 has not returned for 0\.01 s"):
        await lone.run(release.wait, 0.01)
    with pytest.raises(TimeoutError):
        await lone.run(lambda: 1, 60.0)
    (begun,) = [thread for thread in alive("reading of /d1") if thread not in before]
    release.set()
    async with asyncio.timeout(30):
        while (answer := await answered(lone)) is None:
            await asyncio.sleep(0.001)

    assert answer == begun.ident


async def test_one_thread_serves_call_after_call_and_ends_when_none_comes() -> None:
    """To start one for each call costs more than most calls."""
    lone = LoneThread("served", idle=0.5)

    served = {await lone.run(threading.get_ident, 30.0) for _ in range(20)}
    assert len(served) == 1
    for thread in alive("served"):
        await asyncio.to_thread(thread.join, 30)
    assert alive("served") == []

    assert await lone.run(lambda: "again", 30.0) == "again"
    assert len(alive("served")) == 1


async def test_where_no_thread_can_be_started_it_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit of processes is reached for a while, and the agent must not end by it."""

    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lone = LoneThread("reading of /d1")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        for _ in range(2):
            with pytest.raises(OSError, match="reading of /d1: can't start new thread") as told:
                await lone.run(lambda: 1, 30.0)
            assert not isinstance(told.value, TimeoutError)
    assert await lone.run(lambda: "again", 30.0) == "again"


async def test_calls_that_come_when_the_thread_ends_are_served() -> None:
    """Whichever of the two is first."""
    lone = LoneThread("ending", idle=0.0001)

    for n in range(100):
        assert await lone.run(partial(int, n), 30.0) == n
        await asyncio.sleep(n % 4 / 20_000)


def test_a_call_that_ends_after_the_loop_was_closed_disturbs_nobody() -> None:
    """The agent stops although a disk hangs; an exception in the thread would fail this test."""
    lone, release = LoneThread("closed", idle=0.01), threading.Event()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await lone.run(release.wait, 0.01)

    asyncio.run(ask())
    release.set()
    for thread in threading.enumerate():
        if thread.name == "closed":
            thread.join(30)
            assert not thread.is_alive()


async def test_a_call_whose_caller_was_cancelled_is_waited_for() -> None:
    """It hangs no more than any other: whoever comes next must not be refused for it."""
    lone, entered, release = LoneThread("reading of /d1"), threading.Event(), threading.Event()

    def call() -> None:
        entered.set()
        release.wait()

    left = asyncio.create_task(lone.run(call, 30.0))
    async with asyncio.timeout(30):
        while not entered.is_set():
            await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait({left})
    later = asyncio.create_task(lone.run(lambda: "answered", 30.0))
    while not (lone._turn.locked() or later.done()):
        await asyncio.sleep(0)
    release.set()

    assert left.cancelled()
    assert await later == "answered"
