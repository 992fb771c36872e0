"""Lines of systemd's journal and of the kernel's log: each once, over restarts; what is lost is counted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_memory import Memory, value

from agent.model import LogPattern, Place, Sample
from agent.sources.journald import Journald, Unit
from agent.sources.kmsg import Kmsg
from agent.sources.log_marks import Tally
from agent.sources.logs import LogTail

HOUR_MS = 3_600_000
LINE = LogPattern("line", "server.log", r"line", "Lines", Place("logs.yml", 1, 1))
WAIT_S = 20.0


class Journal:
    """What the journalctl in PATH prints, and a tail that reads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"
        self.path.write_text("")
        self.memory = Memory()
        self.count = 0
        self.tally = Tally()
        self.tail = self.start()

    def start(self) -> LogTail:
        unit = Unit("kafka.service", "server.log")
        return LogTail([], [LINE], self.memory, 1000, feeds=lambda tally: [Journald(unit, tally, HOUR_MS)])

    def write(self, message: str | list[int] | None, age_s: float = 0) -> None:
        """`age_s` is negative where the clock was ahead when it was written."""
        at = str(int((time.time() - age_s) * 1e6))
        entry = {"__CURSOR": f"c{self.count}", "__REALTIME_TIMESTAMP": at, "MESSAGE": message}
        self.raw(json.dumps(entry))
        self.count += 1

    def raw(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(line + "\n")

    async def read(self, now: int | None = None) -> list[Sample]:
        return await self.tail.read(now or time.time_ns() // 1_000_000)

    async def until(self, metric: str, wanted: float) -> list[Sample]:
        """Read until a metric has a value; other values are told."""
        until = time.monotonic() + WAIT_S
        while value(samples := await self.read(), metric) < wanted:
            assert time.monotonic() < until, (value(samples, metric), self.tail.failed)
            await asyncio.sleep(0.01)
        assert value(samples, metric) == wanted
        return samples

    async def begun(self) -> None:
        """Its journalctl has read to the end: an entry of the time after the start shows it."""
        before = value(await self.read(), "log_line_total")
        await asyncio.sleep(0.002)
        self.write("line")
        await self.until("log_line_total", before + 1)

    def kill(self) -> None:
        self.tail.close()
        self.tail = self.start()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    script = Path(__file__).with_name("journalctl.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    journal = Journal(tmp_path)
    monkeypatch.setenv("OTTLA_TEST_JOURNAL", str(journal.path))
    yield journal
    journal.tail.close()


async def test_the_journal_begins_at_its_end_and_goes_on_behind_what_was_counted(journal: Journal) -> None:
    """What was there first is history; after a kill what was not saved is read again, once."""
    journal.write("line of old", age_s=60)
    await journal.begun()
    journal.write("line\nline of the same entry")
    journal.write("another")
    await journal.until("log_line_total", 3)
    saved = journal.memory.value
    journal.write("line")
    await journal.until("log_line_total", 4)
    journal.memory.value = saved
    journal.kill()
    journal.write("line")

    await journal.until("log_line_total", 5)


async def test_messages_of_every_kind(journal: Journal) -> None:
    """Bytes come as numbers, what is too long as null; what is no entry is refused and counted."""
    await journal.begun()
    journal.write(list(b"line \xff\xfe"))
    journal.write(None)
    journal.raw("no JSON")
    journal.raw('{"__CURSOR": 7}')
    journal.write([300])
    journal.write("line")

    samples = await journal.until("log_line_total", 3)
    assert value(samples, "ottla_log_refused_entries_total") == 3


async def test_entries_older_than_the_window_are_skipped_and_counted(journal: Journal) -> None:
    """After a long time without the agent."""
    await journal.begun()
    journal.tail.close()
    journal.write("line of old", age_s=3 * 3600)
    journal.write("line of old", age_s=2 * 3600)
    journal.write("line", age_s=60)
    journal.kill()

    samples = await journal.until("log_line_total", 2)
    assert value(samples, "ottla_log_skipped_bytes_total") == 2 * len("line of old")


@pytest.mark.parametrize("history", [True, False], ids=["behind history", "into an empty journal"])
async def test_a_clock_set_back_after_the_first_start_loses_no_entry(
    journal: Journal, *, history: bool
) -> None:
    """Two hours ahead when journalctl was started. What was there then is history all the same."""
    ahead = time.time_ns() // 1_000_000 + 2 * HOUR_MS
    if history:
        journal.write("line of old", age_s=-2 * 3600)
    until = time.monotonic() + WAIT_S
    assert value(await journal.read(ahead + 1000), "log_line_total") == 0
    while history and not (places := journal.tail._lanes.places.feeds)["journald:kafka.service"]:
        assert time.monotonic() < until, places
        await journal.read(ahead + 1000)
        await asyncio.sleep(0.01)
    await journal.read()  # the clock is right
    journal.write("line", age_s=5 * 3600 if history else -0.1)  # set back by more still, just before
    await journal.until("log_line_total", 1)  # its journalctl has begun
    journal.write("line", age_s=60)

    samples = await journal.until("log_line_total", 2)
    assert value(samples, "ottla_log_skipped_bytes_total") == 0


async def test_a_clock_set_back_by_more_than_the_window_loses_no_entry(journal: Journal) -> None:
    """Wherever that falls: before anything came, or behind the first entry that is not too old."""
    await journal.begun()
    journal.kill()
    ahead = time.time_ns() // 1_000_000 + 3 * HOUR_MS
    await journal.read(ahead)
    await journal.read()
    journal.write("line")
    await journal.until("log_line_total", 2)

    journal.write("line", age_s=5 * 3600)  # set back once more, and its entry comes before the next look
    journal.write("line", age_s=5 * 3600)
    await journal.until("log_line_total", 4)


async def test_a_journalctl_that_ends_is_told_and_started_again(journal: Journal) -> None:
    """Not at once again and again; a cursor that the journal does not know any more is given up."""
    await journal.begun()
    journal.raw("end Journal file corrupted")
    await journal.until("ottla_log_unreadable_files", 1)
    assert journal.tail.failed["journald:kafka.service"].endswith("ended with 1: Journal file corrupted")
    await journal.until("ottla_log_unreadable_files", 1)

    journal.path.write_text("")
    now = time.time_ns() // 1_000_000 + 10_000
    await journal.read(now)
    until = time.monotonic() + WAIT_S
    while "cursor" not in journal.tail.failed.get("journald:kafka.service", ""):
        assert time.monotonic() < until, journal.tail.failed
        await journal.read(now + 1000)
        await asyncio.sleep(0.01)
    await journal.read(now + 20_000)
    journal.write("line", age_s=-60)
    await journal.until("log_line_total", 2)


async def test_a_journalctl_that_has_much_to_complain_of_gives_all_lines(journal: Journal) -> None:
    """Which its standard error takes no more of than a pipe holds; of it the end is told."""
    await journal.begun()
    for n in range(5):
        journal.raw("say Journal file system@0005f.journal is truncated, ignoring file.")
        journal.write("line")
        await journal.until("log_line_total", 2 + n)
    journal.raw("end too many of them")
    await journal.until("ottla_log_unreadable_files", 1)
    why = journal.tail.failed["journald:kafka.service"]
    assert why.endswith("ignoring file.\ntoo many of them")
    assert len(why) < 1_200


async def test_a_journalctl_that_lives_is_no_failed_one_though_its_unit_is_quiet(journal: Journal) -> None:
    """The one before it ended. That it lives is known once it has done so for the time between two starts."""
    await journal.begun()
    journal.raw("end Journal file corrupted")
    await journal.until("ottla_log_unreadable_files", 1)

    text = journal.path.read_text()
    journal.path.write_text(text.removesuffix("end Journal file corrupted\n"))
    now = time.time_ns() // 1_000_000 + 10_000
    seen = [value(await journal.read(now + ms), "ottla_log_unreadable_files") for ms in (0, 4_999, 5_000)]
    assert seen == [1, 1, 0]
    assert journal.tail.failed == {}

    journal.raw("end Journal file corrupted")
    until = time.monotonic() + WAIT_S
    while not journal.tail.failed:
        assert time.monotonic() < until, "the next end was not told"
        await journal.read(now + 5_000)
        await asyncio.sleep(0.01)


async def test_without_journalctl_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the files are read all the same."""
    monkeypatch.setenv("PATH", str(tmp_path))
    journal = Journal(tmp_path)

    assert value(await journal.read(), "ottla_log_unreadable_files") == 1
    assert journal.tail.failed == {"journald:kafka.service": "there is no journalctl in PATH"}
    journal.tail.close()


def test_the_real_journalctl_knows_the_options() -> None:
    """It goes on following, or tells that there is no journal; it does not complain of how it was called."""
    if shutil.which("journalctl") is None:
        pytest.skip("there is no journalctl here")
    feed = Journald(Unit("kafka.service"), Tally(), HOUR_MS)
    feed.look(1_000_000)
    assert feed._process is not None
    feed._process.terminate()
    feed._process.wait(WAIT_S)
    feed.take()

    assert "option" not in feed._why
    feed.close()


class Device:
    """A kernel's ring: a record a read, and what /dev/kmsg fails with."""

    def __init__(self) -> None:
        self.records: list[bytes | type[OSError]] = []

    def read(self, fd: int, size: int) -> bytes:
        if not self.records:
            raise BlockingIOError
        record = self.records.pop(0)
        if isinstance(record, bytes):
            return record
        raise record

    def write(self, number: int, text: str, at_us: int = 1 << 60) -> None:
        self.records.append(f"6,{number},{at_us},-;{text}\n SUBSYSTEM=block\n".encode())


def test_what_the_kernel_overwrote_is_counted(tmp_path: Path) -> None:
    """A read that comes too late fails once; the next record's number tells how many are lost."""
    (tmp_path / "kmsg").touch()
    ring, tally = Device(), Tally()
    feed = Kmsg(tally, HOUR_MS, tmp_path / "kmsg", ring.read)
    ring.write(7, "old")
    feed.look(0)
    ring.write(8, "line")
    ring.records.append(BrokenPipeError)
    ring.write(12, "line")
    ring.records.append(b"no record\n")
    assert feed.take() == b"line\nline\n"
    assert (tally.lost, tally.refused, tally.skipped) == (3, 1, 0)

    again = Kmsg(tally, HOUR_MS, tmp_path / "kmsg", ring.read)
    again.place = feed.place
    again.look(0)
    ring.write(12, "line")
    ring.write(13, "new")
    assert again.take() == b"new\n"
    assert again.take() is None

    rebooted = Kmsg(tally, HOUR_MS, tmp_path / "kmsg", ring.read)
    rebooted.place = "another-boot 99"
    rebooted.look(0)
    ring.write(0, "first")
    assert rebooted.take() == b"first\n"
    assert tally.lost == 3
    for each in (feed, again, rebooted):
        each.close()


def test_the_kernel_s_log_begins_at_its_end_whatever_its_clock_says(tmp_path: Path) -> None:
    """printk's clock may lag behind the one that we have: after a sleep of the machine by much."""
    (tmp_path / "kmsg").touch()
    ring, tally = Device(), Tally()
    ring.write(7, "old")
    ring.records.append(b"no record\n")
    feed = Kmsg(tally, HOUR_MS, tmp_path / "kmsg", ring.read)
    feed.look(0)
    place = feed.place
    now_us = time.monotonic_ns() // 1000
    ring.write(8, "disk failed", at_us=max(0, now_us - 3_000_000))
    assert feed.take() == b"disk failed\n"
    assert place.endswith(" 8")  # also where nothing comes before the agent is started again
    assert tally == Tally(bytes=len("disk failed\n"))
    feed.close()


def test_the_real_kernel_log() -> None:
    """What is there is history at the first start; from a place on it is read, each record once."""
    tally = Tally()
    first, second = Kmsg(tally, 10**12), Kmsg(tally, 10**12)
    try:
        first.look(0)
    except OSError as error:
        pytest.skip(f"/dev/kmsg cannot be read here: {error}")
    while (lines := first.take()) is not None:
        assert lines == b""
    boot, _, number = first.place.partition(" ")
    assert int(number) > 0

    second.place = f"{boot} {int(number) - 1}"
    second.look(0)
    taken = []
    while (lines := second.take()) is not None:
        taken.append(lines)
    assert b"".join(taken).count(b"\n") >= 1
    assert second.place.split()[0] == boot
    assert int(second.place.split()[1]) >= int(number)
    first.close()
    second.close()
