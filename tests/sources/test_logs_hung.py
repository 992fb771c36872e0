"""A log file whose disk hangs holds up its own kind and nothing else, and no line counts twice or is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from log_memory import Memory, value
from msgspec.structs import replace

from agent.model import LogPattern, Place
from agent.sources import log_lanes, logs
from agent.sources.kmsg import Kmsg
from agent.sources.log_marks import Tally
from agent.sources.log_open import Plain
from agent.sources.log_patterns import Scanner
from agent.sources.logs import LogTail

LINE = LogPattern("line", "*", r"line", "Lines", Place("logs.yml", 1, 1))
HOUR_MS = 3_600_000


class Host:
    """A log file whose disk may hang, the kernel's ring, and an agent that may be killed."""

    def __init__(self, folder: Path) -> None:
        self.log, self.device = folder / "server.log", folder / "kmsg"
        self.log.write_text("old\n")
        self.device.touch()
        self.ring: list[bytes] = []
        self.number = 0
        self.memory = Memory()
        self.now = 1_000_000
        self.works = threading.Event()
        self.works.set()
        self.tail = self.start()

    def start(self, *, kernel: bool = True) -> LogTail:
        def feeds(tally: Tally) -> list[Kmsg]:
            return [Kmsg(tally, HOUR_MS, self.device, self.record)] if kernel else []

        return LogTail([str(self.log)], [LINE], self.memory, 1000, feeds=feeds)

    def record(self, _: int, __: int) -> bytes:
        if self.ring:
            return self.ring.pop(0)
        raise BlockingIOError

    def kernel_says(self, text: str) -> None:
        self.ring.append(b"6,%d,%d,-;%s\n" % (self.number, 1 << 60, text.encode()))
        self.number += 1

    def write(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)

    async def count(self) -> float:
        self.now += 1000
        return value(await self.tail.read(self.now), "log_line_total")

    def kill(self) -> None:
        self.tail.close()
        self.tail = self.start()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host(tmp_path)
    read = Plain.read

    def wait(self: Plain, offset: int) -> bytes | None:
        host.works.wait()
        return read(self, offset)

    monkeypatch.setattr(Plain, "read", wait)
    monkeypatch.setattr(log_lanes, "DEADLINE", 0.5)
    yield host
    host.works.set()
    host.tail.close()


async def until_counted(host: Host, lines: float) -> None:
    """Read until so many are; the thread that hung ends when it likes."""
    async with asyncio.timeout(20):
        while await host.count() < lines:
            await asyncio.sleep(0.001)


async def test_the_kernel_is_heard_while_a_file_hangs(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """In readings and in glances; it is said which file it is. After it all go on."""
    assert await host.count() == 0
    host.works.clear()
    host.write("line\n")
    host.kernel_says("line: disk failed")
    samples = await host.tail.read(2_000_000)
    assert value(samples, "log_line_total") == 1
    assert value(samples, "ottla_log_unreadable_files") == 1
    assert list(host.tail.failed) == [str(host.log)]
    host.kernel_says("line: file system is read-only")
    assert value(await host.tail.glance(2_000_100), "log_line_total") == 2
    assert [r.getMessage() for r in caplog.records] == [
        f"reading of log files has not returned for 0.5 s, at {host.log}"
    ]

    host.works.set()
    await until_counted(host, 3)
    assert await host.count() == 3
    assert host.tail.failed == {}


async def test_what_is_saved_while_a_file_hangs_is_counted_once(host: Host) -> None:
    """Killed then, or later; also when the file answers while the agent is looking elsewhere."""
    host.write("line\n")
    assert await host.count() == 0  # the first start: from the end
    host.write("line\n")
    host.works.clear()
    host.kernel_says("line")
    assert await host.count() == 1
    former = host.tail
    host.kill()
    host.works.set()
    await until_counted(host, 2)
    host.kernel_says("line")
    assert await host.count() == 3
    host.kill()
    assert await host.count() == 3
    former.close()


async def test_where_all_hangs_there_is_no_reading(host: Host) -> None:
    """Nothing is known then."""
    host.tail.close()
    host.tail = host.start(kernel=False)
    assert await host.count() == 0
    host.works.clear()
    host.write("line\n")
    for _ in range(2):
        with pytest.raises(TimeoutError, match=r"reading of log files has not returned .* at .*server\.log"):
            await host.count()
    host.works.set()
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while True:
            try:
                assert await host.count() == 1
                break
            except TimeoutError:
                await asyncio.sleep(0.001)


async def test_patterns_that_are_replaced_while_lines_are_counted_lose_none(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting takes longer than its time, as in a machine that was paused: nobody looks at the counters, or
    replaces them, before it has ended; and what came late is new all the same."""
    goes_on, count = threading.Event(), Scanner.count

    def slowly(self: Scanner, *args: Any) -> None:
        goes_on.wait()
        count(self, *args)

    code = replace(LINE, regex=r"line (?P<code>\w+)")
    host.tail.patterns = (code,)
    assert await host.count() == 0
    monkeypatch.setattr(Scanner, "count", slowly)
    monkeypatch.setattr(logs, "DEADLINE", 0.05)
    host.write("line EIO\nline EIO\n")
    for patterns in ((code,), (code, replace(LINE, name="other"))):
        host.tail.patterns = patterns
        with pytest.raises(TimeoutError):
            await host.count()
    goes_on.set()
    monkeypatch.setattr(logs, "DEADLINE", 20)

    host.now += 1000
    samples = await host.tail.read(host.now)
    assert [sample.value for sample in samples if sample.labels == (("code", "EIO"),)] == [0, 2]
