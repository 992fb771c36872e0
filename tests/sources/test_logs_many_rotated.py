"""A log that is rotated each hour, of which nothing is ever deleted, as by Kafka's own log4j2.yaml."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from log_memory import Memory, value

from agent.model import LogPattern, Place
from agent.sources import log_lanes, logs
from agent.sources.log_faces import Faces
from agent.sources.log_marks import Mark
from agent.sources.logs import LogTail

ANY = LogPattern("any", "*", r".", "Lines", Place("logs.yml", 1, 1))
HOUR_MS = 3_600_000
A_YEAR = 8_760


class Hourly:
    """A server.log with so many rotated ones, the newest an hour old, and its tail."""

    def __init__(self, folder: Path, many: int) -> None:
        self.path = folder / "server.log"
        self.path.write_text("live\n")
        self.now = int(time.time() * 1000)
        self.rotated = [folder / f"server.log.{nth:05d}" for nth in range(many)]
        for nth, path in enumerate(self.rotated):
            path.write_text(
                f"[{nth:023d}] the first line of an hour, and no other begins like it, nor so long\n"
            )
            at = self.now / 1000 - (many - nth) * 3600
            os.utime(path, (at, at))
        self.memory = Memory()
        self.tail = self.start()

    def start(self) -> LogTail:
        return LogTail([str(self.path)], [ANY], self.memory, 1000, window_ms=2 * HOUR_MS)

    def kill(self) -> None:
        self.tail.close()
        self.tail = self.start()

    async def read(self, after_ms: int = 1000) -> tuple[float, float]:
        """How many lines were counted, and bytes skipped."""
        self.now += after_ms
        samples = await self.tail.read(self.now)
        return value(samples, "log_any_total"), value(samples, "ottla_log_skipped_bytes_total")


async def test_a_year_of_rotated_files_costs_a_second_at_the_start_and_nothing_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what is saved grows with them."""
    for module in (log_lanes, logs):
        monkeypatch.setattr(module, "DEADLINE", 60.0)  # of wall time; asserted is the processor's
    year = Hourly(tmp_path, A_YEAR)
    for _ in range(2):
        began = time.process_time()
        assert await year.read() == (0, 0)
        assert await year.read() == (0, 0)
        assert time.process_time() - began < 5
        assert len(year.memory.value or b"") < 10_000
        year.kill()
    year.tail.close()


async def test_an_old_rotated_file_that_is_written_to_gives_its_new_lines_alone(tmp_path: Path) -> None:
    """By a writer that was not told of the rotation for a day; while the agent lives."""
    days = Hourly(tmp_path, 100)
    assert await days.read() == (0, 0)
    days.kill()
    assert await days.read() == (0, 0)
    with days.rotated[3].open("a") as file:
        file.write("late\n")
    (tmp_path / "server.log.new").touch()
    await days.read()
    assert await days.read() == (1, 0)
    days.tail.close()


async def test_the_inode_of_an_old_rotated_file_may_be_that_of_the_next_copy(tmp_path: Path) -> None:
    """As with copytruncate, where one copy is kept, which has the same name, too, and may be longer."""
    days = Hourly(tmp_path, 30)
    await days.read()
    days.kill()
    await days.read()
    with days.path.open("a") as file:
        file.write("another line of the live file, so that its copy is known by its first bytes\n" * 9)
    assert await days.read() == (9, 0)
    days.rotated[2].write_text(days.path.read_text())
    days.path.write_text("next\n")
    (tmp_path / "server.log.new").touch()
    for _ in range(3):
        await days.read()
    assert await days.read() == (10, 0)
    days.tail.close()


async def test_what_is_saved_does_not_grow_while_the_agent_lives(tmp_path: Path) -> None:
    """Of what was rotated, and read, more than a day ago nothing is; nor is it read again."""
    days = Hourly(tmp_path, 0)
    await days.read()
    for nth in range(50):
        (tmp_path / f"server.log.{nth:05d}").write_text(f"[{nth:070d}] the first line of an hour\n")
    for after_ms in (1000, 61_000, 61_000, 1000):
        await days.read(after_ms)
    assert len(days.memory.value or b"") > 5_000
    for hours in (25, 1, 1):
        (tmp_path / f"server.log.of-{hours}").touch()
        assert await days.read(hours * HOUR_MS) == (50, 0)
    assert len(days.memory.value or b"") < 2_000
    days.kill()
    for _ in range(3):
        assert await days.read() == (50, 0)
    days.tail.close()


async def test_what_was_rotated_and_grew_old_while_the_agent_was_down_is_skipped_and_counted(
    tmp_path: Path,
) -> None:
    """Once; what was rotated before that is not."""
    days = Hourly(tmp_path, 50)
    assert await days.read() == (0, 0)
    days.tail.close()
    with days.path.open("a") as file:
        file.write("old\n")
    days.path.rename(tmp_path / "server.log.99999")
    os.utime(tmp_path / "server.log.99999")
    days.path.write_text("new\n")
    for _ in range(2):
        days.kill()
        await days.read(5 * HOUR_MS)
    at = time.time() + 10 * 3600
    os.utime(days.path, (at, at))
    assert await days.read() == (0, len("old\nnew\n"))
    days.tail.close()


def test_of_many_files_those_that_begin_alike_are_found_whatever_is_known_of_them() -> None:
    """A short one may be the beginning of a long one, or its copy of when it was short."""
    long, short, other = Mark(1, 0), Mark(2, 0), Mark(3, 0)
    long.learn(b"a" * 1024)
    short.learn(b"a" * 100)
    other.learn(b"b" * 300)
    faces = Faces([long, short, other])
    assert faces.alike(0, b"a" * 1024, 64) == [long, short]
    assert faces.alike(0, b"a" * 90, 64) == [long, short]
    assert faces.alike(0, b"a" * 90 + b"b", 64) == [long, short]
    assert faces.alike(0, b"a" * 90 + b"b" * 200, 64) == []
    short.learn(b"a" * 100 + b"c" * 100)
    faces.put(short)
    faces.drop(long)
    assert faces.alike(0, b"a" * 1024, 64) == []
    assert faces.alike(7, b"b" * 300, 64) == []
    assert faces.alike(0, b"b" * 300, 64) == [other]
