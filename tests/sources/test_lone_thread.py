"""A call that never returns costs its own thread and nothing else."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from agent.sources.lone_thread import LoneThread


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
    before = threading.active_count()

    with pytest.raises(TimeoutError, match=r"reading of /d1 has not returned for 0\.01 s"):
        await lone.run(release.wait, 0.01)
    with pytest.raises(TimeoutError):
        await lone.run(lambda: 1, 60.0)
    assert threading.active_count() == before + 1
    release.set()
    async with asyncio.timeout(5):
        while threading.active_count() > before:
            await asyncio.sleep(0.001)

    assert await lone.run(lambda: 1, 1.0) == 1


def test_a_call_that_ends_after_the_loop_was_closed_disturbs_nobody() -> None:
    """The agent stops although a disk hangs; an exception in the thread would fail this test."""
    lone, release = LoneThread("test"), threading.Event()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await lone.run(release.wait, 0.01)

    asyncio.run(ask())
    release.set()
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(5)
            assert not thread.is_alive()
