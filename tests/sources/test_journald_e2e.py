"""A real systemd-journald, read with the real journalctl: a unit's lines are counted once each."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_memory import Memory, value

from agent.model import LogPattern, Place
from agent.sources.journald import Journald, Unit
from agent.sources.logs import LogTail

pytestmark = pytest.mark.e2e
_DAEMON = Path("/lib/systemd/systemd-journald")
_KEPT = Path("/run/log/journal")
_SOCKET = Path("/run/systemd/journal/stdout")
_GROUPS = [Path("/sys/fs/cgroup") / tree for tree in ("systemd", "unified", ".")]
_UNIT = "ottla-test.service"
_PATIENCE = 30.0
LINE = LogPattern("line", "server.log", r"line", "Lines", Place("logs.yml", 1, 1))


class Sender:
    """Says things as a service of that unit does: journald knows it by the control group of its process."""

    def __init__(self, journald: subprocess.Popen[bytes]) -> None:
        self._journald = journald
        self._groups = [root / _UNIT for root in _GROUPS if (root / "cgroup.procs").exists()]
        for group in self._groups:
            group.mkdir(exist_ok=True)
        join = "".join(f"echo $$ > {group}/cgroup.procs; " for group in self._groups)
        command = ["sh", "-c", f"{join} exec systemd-cat cat"]
        self._service = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)

    def say(self, text: bytes) -> None:
        """The service prints this."""
        assert self._service.stdin is not None
        self._service.stdin.write(text)

    def rotate(self) -> None:
        """journald begins a new file; its signal is documented in systemd-journald.service(8)."""
        self._journald.send_signal(signal.SIGUSR2)

    def close(self) -> None:
        """The service ends."""
        assert self._service.stdin is not None
        self._service.stdin.close()
        self._service.wait(10)
        for group in self._groups:
            group.rmdir()


@pytest.fixture
def sender() -> Iterator[Sender]:
    """journald runs for this test alone, and leaves nothing behind."""
    if os.geteuid() != 0 or not _DAEMON.exists() or shutil.which("journalctl") is None:
        pytest.skip("needs root, and Debian's systemd")
    if Path("/proc/1/comm").read_text().strip() == "systemd" or _KEPT.exists():
        pytest.skip("this host has a journal of its own")
    _SOCKET.parent.mkdir(parents=True, exist_ok=True)
    _SOCKET.unlink(missing_ok=True)
    process = subprocess.Popen([_DAEMON], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _PATIENCE
        while not _SOCKET.exists():
            assert time.monotonic() < until, f"journald has made no {_SOCKET}"
            time.sleep(0.01)
        sender = Sender(process)
        yield sender
        sender.close()
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(_KEPT, ignore_errors=True)


class Reader:
    """A tail of the unit that counts lines; it may be killed and started again."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.tail = self.start()

    def start(self) -> LogTail:
        unit = Unit(_UNIT, "server.log")
        feeds = lambda tally: [Journald(unit, tally, 3_600_000)]  # noqa: E731 as short as its sense
        return LogTail([], [LINE], self.memory, 1000, feeds=feeds)

    def kill(self) -> None:
        self.tail.close()
        self.tail = self.start()

    async def counts(self, wanted: float) -> None:
        """Until it has counted so many, and never more."""
        until, count = time.monotonic() + _PATIENCE, -1.0
        while count < wanted:
            assert time.monotonic() < until, (count, wanted, self.tail.failed)
            count = value(await self.tail.read(time.time_ns() // 1_000_000), "log_line_total")
            await asyncio.sleep(0.02)
        assert count == wanted


async def test_a_units_lines_are_counted_once_each(sender: Sender) -> None:
    """From the end on at first; over a rotation; of any bytes; after a kill behind the last counted one."""
    sender.say(b"line of old\n")
    until, journalctl = time.monotonic() + _PATIENCE, ["journalctl", f"--unit={_UNIT}", "--output=cat"]
    while b"line of old" not in subprocess.run(journalctl, capture_output=True, check=False).stdout:
        assert time.monotonic() < until, "journald has not kept what the service said"
    reader = Reader()
    try:
        await reader.counts(0)
        sender.say(b"line\n")
        await reader.counts(1)  # its journalctl has begun
        sender.say(b"line\nsomething else\nline\n")
        await reader.counts(3)
        sender.rotate()
        sender.say(b"line \xff\xfe of bytes\n")
        await reader.counts(4)
        reader.kill()
        sender.say(b"line\nline\n")
        await reader.counts(6)
    finally:
        reader.tail.close()
