"""Files as on a disk that hangs, and whether the threads that all share are free beside them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LOOKS = 40  # more than asyncio has threads on any machine: it makes 32 at most


@contextmanager
def hung(path: Path) -> Iterator[Path]:
    """Whoever opens it waits, until the block ends."""
    os.mkfifo(path)
    try:
        yield path
    finally:
        end = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # who waits to open it has it open now
        path.unlink()
        os.close(end)  # and reads that it is empty


@contextmanager
def hung_program(path: Path, text: str) -> Iterator[Path]:
    """Whoever executes it waits until the block ends, or for the 45 s of /proc/sys/fs/lease-break-time."""
    path.write_text(text)
    path.chmod(0o755)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # it tells that somebody waits
    lease = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield path
    finally:
        os.close(lease)
        signal.signal(signal.SIGIO, before)


@contextmanager
def hung_names(folder: Path) -> Iterator[tuple[str, str]]:
    """A variable of the environment, and its value, by which the C library waits at each name without a dot
    that /etc/hosts does not have, until the block ends: it looks for aliases in a file first."""
    with hung(folder / "aliases") as file:
        variable = "HOSTALIASES", str(file)
        look = [sys.executable, "-c", "import socket; socket.getaddrinfo('hangs', 1)"]
        with subprocess.Popen(look, env=os.environ | dict([variable]), stderr=subprocess.DEVNULL) as looking:
            try:
                looking.wait(1)
            except subprocess.TimeoutExpired:
                looking.kill()
            else:
                pytest.skip("this host's names are looked up without the C library's aliases")
        yield variable


async def assert_threads_are_free() -> None:
    """What asyncio's threads do for everybody goes on."""
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(lambda: "free") == "free"
        assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 1)
