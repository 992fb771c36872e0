"""Names whose look-up hangs, in the C library's own resolver."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest
from hung_files import LOOKS, assert_threads_are_free, hung_names

from agent import name_lookups
from agent.name_lookups import run


def test_each_costs_one_thread_and_none_of_those_that_all_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks again waits for the same answer; other names are found meanwhile, and it ends all the same."""
    began = time.monotonic()
    with hung_names(tmp_path) as (variable, value):
        monkeypatch.setenv(variable, value)
        run(ask_on_and_on())
        took = time.monotonic() - began
        assert len([t for t in threading.enumerate() if t.name.startswith("look-up of hangs-")]) == 2
    assert took < 20


async def ask_on_and_on() -> None:
    """For two names that hang and one that does not."""
    for _ in range(LOOKS):
        for name in ("hangs-1", "hangs-2"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await asyncio.open_connection(name, 1)
    await assert_threads_are_free()
    assert await asyncio.get_running_loop().getaddrinfo("localhost", 7)


def test_one_that_hangs_for_long_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the resolver's own failures are."""
    monkeypatch.setattr(name_lookups, "LOOKUP_S", 0.2)
    with hung_names(tmp_path) as (variable, value):
        monkeypatch.setenv(variable, value)
        told = run(refused("hangs"))
    words = "[Errno -3] look-up of hangs has not returned for 0.2 s"
    assert told == [words] * LOOKS


async def refused(name: str) -> list[str]:
    """How it is told, again and again."""
    told = []
    for _ in range(LOOKS):
        with pytest.raises(socket.gaierror) as error:
            await asyncio.get_running_loop().getaddrinfo(name, 1)
        told.append(str(error.value))
    return told


def test_what_is_found_and_what_is_not() -> None:
    """As by asyncio's own, also where several ask at once."""
    port = 7

    async def both() -> None:
        loop = asyncio.get_running_loop()
        found = await asyncio.gather(*(loop.getaddrinfo("127.0.0.1", port, proto=6) for _ in range(9)))
        assert found == [socket.getaddrinfo("127.0.0.1", port, proto=6)] * 9
        with pytest.raises(socket.gaierror, match="not known"):
            await loop.getaddrinfo("no number", port, flags=socket.AI_NUMERICHOST)

    run(both())
