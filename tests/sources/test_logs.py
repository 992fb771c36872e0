"""Tailing real files: each whole line counts once, through rotation, truncation, return and restart."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pytest
from log_memory import Memory, value
from msgspec.structs import replace

from agent.model import LogPattern, Place, Sample
from agent.sources import log_inputs, log_lanes, log_left_out, log_marks, log_open, log_opened, log_saved
from agent.sources.log_globs import would_name
from agent.sources.log_marks import LINE_LIMIT, Tally
from agent.sources.log_trail import Trail
from agent.sources.logs import METRICS, LogTail
from agent.sources.schedule import Polling

ERROR = LogPattern("error", "server.log", r"ERROR (?P<code>\w+)", "Errors", Place("logs.yml", 1, 1))
ANY = LogPattern("any", "*", r".", "Lines", Place("logs.yml", 2, 1))


class Tailed:
    """A LogTail on a folder's server.log, read at ever later times, killed and started again at will."""

    def __init__(
        self,
        folder: Path,
        *files: str,
        patterns: tuple[LogPattern, ...] = (ANY,),
        window_ms: int | None = None,
    ) -> None:
        self.path = folder / "server.log"
        self.now = 1_000_000
        self.memory = Memory()
        self.files = files or (str(self.path),)
        self.patterns = patterns
        self._window_ms = window_ms
        self.tail = self._start()

    def _start(self) -> LogTail:
        return LogTail(self.files, self.patterns, self.memory, 1000, window_ms=self._window_ms)

    def kill(self) -> Self:
        self.tail.close()
        self.tail = self._start()
        return self

    async def read(self, after_ms: int = 1000) -> list[Sample]:
        self.now += after_ms
        return await self.tail.read(self.now)

    async def count(self, after_ms: int = 1000) -> int:
        """How many lines were counted, ever."""
        return round(value(await self.read(after_ms), "log_any_total"))

    def write(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)


@pytest.fixture
def tailed(tmp_path: Path) -> Iterator[Tailed]:
    tailed = Tailed(tmp_path)
    yield tailed
    tailed.tail.close()


async def test_the_first_start_ever_begins_at_the_end(tailed: Tailed, tmp_path: Path) -> None:
    """What was written before, here or in rotated files, is history; the line that is being written too."""
    (tmp_path / "server.log.1").write_text("old\nold\n")
    tailed.write("old\nhalf")
    assert await tailed.count() == 0

    tailed.write(" old\nnew\n")
    assert await tailed.count() == 1


async def test_a_file_that_comes_after_the_first_start_is_read_from_its_beginning(tailed: Tailed) -> None:
    """Also where the agent was restarted before it came."""
    assert await tailed.count() == 0
    tailed.kill()
    tailed.write("a\nb\n")

    assert await tailed.count() == 2


async def test_a_half_line_waits_for_its_end(tailed: Tailed) -> None:
    """It counts when the end is there, once."""
    await tailed.read()
    tailed.write("a\nb")
    assert await tailed.count() == 1
    assert await tailed.count() == 1

    tailed.write("b\n")
    assert await tailed.count() == 2


async def test_rotation_by_rename_loses_nothing(tailed: Tailed) -> None:
    """The old file is read to its end, late writes included, those in between too, and then the new one."""
    await tailed.read()
    tailed.write("a\n")
    late = tailed.path.open("a")
    await tailed.read()

    tailed.write("b\n")
    tailed.path.rename(f"{tailed.path}.1")
    tailed.write("c\nd\n")
    tailed.path.rename(f"{tailed.path}.2")
    late.write("late\n")
    late.close()
    tailed.write("e\n")

    assert await tailed.count() == 6


async def test_a_rotated_file_that_is_deleted_at_once_is_read_to_its_end(tailed: Tailed) -> None:
    """It is open here, so its data is still there."""
    tailed.write("old\n")
    await tailed.read()
    tailed.write("a\n")
    tailed.path.unlink()
    tailed.write("b\n")

    assert await tailed.count() == 2


async def test_numbered_rotation_shifts_names_and_counts_nothing_twice(
    tailed: Tailed, tmp_path: Path
) -> None:
    """As logrotate does: .1 becomes .2 at each rotation; files are known by what they are, not by name."""
    await tailed.read()
    for rotation in range(1, 6):
        tailed.write(f"{rotation}\n" * rotation)
        for n in range(rotation, 0, -1):
            name = tmp_path / f"server.log.{n - 1}" if n > 1 else tailed.path
            name.rename(tmp_path / f"server.log.{n}")
        if rotation % 2:
            tailed.kill()
        assert await tailed.count() == sum(range(rotation + 1))


async def test_rotations_while_the_agent_is_down_lose_nothing(tailed: Tailed) -> None:
    """The rest of the old file, all of those between, and the new one."""
    await tailed.read()
    tailed.write("a\n")
    await tailed.read()
    tailed.write("b\n")
    for n in (1, 2, 3):
        tailed.path.rename(f"{tailed.path}.2026-11-23-0{n}")
        tailed.write(f"{n}\n")

    assert await tailed.kill().count() == 5
    assert await tailed.kill().count() == 5


async def test_truncation_begins_anew(tailed: Tailed) -> None:
    """Whether the new content is shorter or longer than the old; it is counted."""
    await tailed.read()
    tailed.write("aaaa\nbbbb\n")
    await tailed.read()
    tailed.path.write_text("c\n")
    assert await tailed.count() == 3

    tailed.path.write_text("dddd\neeee\nffff\ngggg\n")
    samples = await tailed.read()
    assert value(samples, "log_any_total") == 7
    assert value(samples, "ottla_log_truncations_total") == 2


@pytest.mark.parametrize("killed", [False, True], ids=["running", "restarted"])
async def test_copytruncate_loses_nothing_that_the_copy_has(tailed: Tailed, *, killed: bool) -> None:
    """What was not yet read is read from the copy, what was is not counted again."""
    await tailed.read()
    tailed.write("[12:00:00,001] the first line of a file is never the same in two of them\nb\n")
    await tailed.read()
    tailed.write("c\nd\n")
    shutil.copyfile(tailed.path, f"{tailed.path}.1")
    tailed.path.write_text("e\n")
    if killed:
        tailed.kill()

    await tailed.read()
    assert await tailed.count() == 5
    assert await tailed.kill().count() == 5


@pytest.mark.parametrize("killed", [False, True], ids=["running", "restarted"])
async def test_the_copy_of_a_log_of_one_short_line_counts_not_again(tailed: Tailed, *, killed: bool) -> None:
    """It is as long as what was read of the original, and the same."""
    tailed.path.touch()
    await tailed.read()
    tailed.write("killed\n")
    assert await tailed.count() == 1
    shutil.copyfile(tailed.path, f"{tailed.path}.1")
    tailed.path.write_text("")
    if killed:
        tailed.kill()
    for _ in range(3):
        assert await tailed.count() == 1
    tailed.write("killed\n")
    assert await tailed.count() == 2
    tailed.path.rename(f"{tailed.path}.2")
    tailed.write("killed\n")
    for _ in range(3):
        assert await tailed.count() == 3


async def test_what_a_former_release_knew_of_a_log_goes_on(tailed: Tailed) -> None:
    """It knew only how files begin; up to where they are read that is believed, over copytruncate too."""
    await tailed.read()
    tailed.write(
        "the first line of this file\n" + "another line, so that it is longer than what was known\n" * 50
    )
    assert await tailed.count() == 51
    assert tailed.memory.value is not None
    places = json.loads(tailed.memory.value)
    for mark in places["marks"][str(tailed.path)]:
        del mark["ends"]
        mark["digests"] = {n: mark["digests"][n] for n in ("64", "256", "1024")}
    tailed.memory.value = json.dumps(places).encode()
    tailed.write("c\n")
    shutil.copyfile(tailed.path, f"{tailed.path}.1")
    tailed.path.write_text("d\n")

    await tailed.kill().read()
    assert await tailed.count() == 53


async def test_a_log_that_begins_as_before_and_is_longer_now_is_read_from_its_start(tailed: Tailed) -> None:
    """It was truncated, and written on, while the agent was down."""
    await tailed.read()
    begin = "Picked up JAVA_TOOL_OPTIONS: " + " ".join(f"-Dn{n}=x" for n in range(200)) + "\n"
    tailed.write(begin + "of the first start\n")
    assert await tailed.count() == 2
    tailed.path.write_text(begin + "of the second start\n" * 5)

    assert await tailed.kill().count() == 8


async def test_a_file_that_vanishes_may_return(tailed: Tailed) -> None:
    """As the same, with more in it, or as another."""
    tailed.write("old\n")
    await tailed.read()
    away = tailed.path.rename(tailed.path.with_name("elsewhere"))
    assert await tailed.count() == 0
    with away.open("a") as file:
        file.write("a\n")
    away.rename(tailed.path)
    assert await tailed.count() == 1

    tailed.path.unlink()
    assert await tailed.count() == 1
    tailed.write("b\n")
    assert await tailed.count() == 2


async def test_an_inode_that_is_used_again_is_not_the_old_file(tailed: Tailed) -> None:
    """A mark is taken for a file's own only if the first bytes are the same."""
    tailed.write("old\n")
    await tailed.read()
    tailed.write("aaaa\n")
    await tailed.read()
    tailed.kill()
    assert tailed.memory.value is not None
    inode = tailed.path.stat().st_ino
    tailed.path.unlink()
    tailed.write("bbbb\ncccc\ndddd\n")
    again = tailed.path.stat().st_ino
    tailed.memory.value = tailed.memory.value.replace(str(inode).encode(), str(again).encode())

    assert await tailed.count() == 4


async def test_what_was_not_saved_is_read_again(tailed: Tailed) -> None:
    """Killed after the reading and before the save: offsets and counters go back together."""
    await tailed.read()
    tailed.write("a\n")
    await tailed.read()
    saved = tailed.memory.value
    tailed.write("b\n")
    await tailed.read()
    tailed.memory.value = saved

    assert await tailed.kill().count() == 2


async def test_nothing_new_is_nothing_saved(tailed: Tailed) -> None:
    """An idle agent does not write."""
    tailed.write("a\n")
    await tailed.read()
    await tailed.read()
    saves = tailed.memory.saves
    for _ in range(5):
        await tailed.read()

    assert tailed.memory.saves == saves


async def test_unreadable_positions_are_a_first_start(
    tailed: Tailed, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning."""
    tailed.memory.value = b'{"marks": 7}'
    tailed.write("old\n")

    assert await tailed.count() == 0
    assert "unreadable" in caplog.text


async def test_a_new_series_starts_at_zero_one_interval_earlier(tmp_path: Path) -> None:
    """So increase() sees the first occurrence; after a restart too, where the series had a value."""
    tailed = Tailed(tmp_path, patterns=(ERROR,))
    first = await tailed.read()
    assert [(s.at, s.value) for s in first if s.name == "log_error_total"] == [(1_000_000, 0), (1_001_000, 0)]

    tailed.write("ERROR EIO\nERROR EIO\n")
    series = (("code", "EIO"),)
    assert [(s.at, s.value) for s in await tailed.read() if s.labels == series] == [
        (1_001_000, 0),
        (1_002_000, 2),
    ]
    tailed.write("ERROR EIO\n")
    assert [(s.at, s.value) for s in await tailed.read() if s.labels == series] == [(1_003_000, 3)]
    tailed.write("ERROR EIO\n")
    tailed.kill()
    assert [(s.at, s.value) for s in await tailed.read() if s.labels == series] == [
        (1_001_000, 0),  # for a window store that was lost, too
        (1_003_000, 3),
        (1_004_000, 4),
    ]


async def test_patterns_may_be_replaced_and_keep_what_they_counted(tmp_path: Path) -> None:
    """At the next reading; a pattern counts only in the files that it is for."""
    other = tmp_path / "controller.log"
    tailed = Tailed(tmp_path, str(tmp_path / "server.log"), str(other), patterns=(ERROR,))
    await tailed.read()
    tailed.write("ERROR EIO\n")
    await tailed.read()

    tailed.tail.patterns = (ERROR, ANY)
    tailed.write("ERROR EIO\n")
    other.write_text("ERROR EIO\n")
    samples = await tailed.read()

    assert [s.value for s in samples if s.labels == (("code", "EIO"),)] == [2]
    assert value(samples, "log_any_total") == 2
    assert [m.name for m in tailed.tail.metrics[len(METRICS) :]] == ["log_error_total", "log_any_total"]


NUMBERED = replace(ERROR, regex=r"ERROR (?P<code>\w+)", max_series=3)
EDITED = replace(NUMBERED, regex=r"ERROR (?P<topic>\w+)")


def labelled(samples: list[Sample]) -> dict[str, float | str]:
    """The pattern's series by their only label: the newest value, or that it ends."""
    found = {s.labels[0]: s for s in samples if s.name == "log_error_total" and s.labels}
    return {f"{k}={v}": "ends" if math.isnan(s.value) else s.value for (k, v), s in found.items()}


async def test_labels_that_the_pattern_has_no_more_take_no_place(tmp_path: Path) -> None:
    """Those of the regex as it was go with it, after a restart too."""
    tailed = Tailed(tmp_path, patterns=(NUMBERED,))
    await tailed.read()
    tailed.write("ERROR a\nERROR b\nERROR c\nERROR d\n")
    assert labelled(await tailed.read()) == {"code=a": 1, "code=b": 1, "code=c": 1}

    tailed.tail.patterns = tailed.patterns = (EDITED,)
    tailed.write("ERROR d\nERROR e\n")
    samples = await tailed.read()
    assert labelled(samples) == {"topic=d": 1, "topic=e": 1}
    assert value(samples, "log_error_total") == 1
    assert labelled(await tailed.kill().read()) == {"topic=d": 1, "topic=e": 1}


@pytest.mark.parametrize("restarts", [False, True])
async def test_labels_without_a_line_for_longer_than_the_window_make_room(
    tmp_path: Path, restarts: bool
) -> None:
    """Where the pattern has all the series that it may have: topics come and go. None comes back by a
    restart, which need not wait for a window of its own."""
    tailed = Tailed(tmp_path, patterns=(NUMBERED,), window_ms=60_000)
    told: list[Sample] = []
    polling = Polling(tailed.tail, told.extend, lambda: tailed.now)

    async def read(after_ms: int) -> dict[str, float | str]:
        told.clear()
        tailed.now += after_ms
        polling.source = tailed.kill().tail if restarts else tailed.tail
        await polling.once()
        return labelled(told)

    await read(1_000)
    tailed.write("ERROR a\nERROR b\nERROR c\nERROR d\n")
    assert await read(1_000) == {"code=a": 1, "code=b": 1, "code=c": 1}
    tailed.write("ERROR a\n")
    assert await read(40_000) == {"code=a": 2, "code=b": 1, "code=c": 1}
    tailed.write("ERROR b\nERROR d\n")
    assert await read(30_000) == {"code=a": 2, "code=b": 2, "code=c": "ends"}
    tailed.write("ERROR a\nERROR d\nERROR c\n")
    assert await read(1_000) == {"code=a": 3, "code=b": 2, "code=d": 1}
    assert value(told, "log_error_total") == 3  # d twice, c once
    assert await read(70_000) == {"code=a": "ends", "code=b": "ends", "code=d": "ends"}
    tailed.write("ERROR c\n")
    assert await read(1_000) == {"code=c": 1}
    assert [s.value for s in told if s.labels == (("code", "c"),)] == [0, 1]
    assert await read(70_000) == {"code=c": 1}  # there is room


async def test_a_line_that_a_glance_took_counts_for_the_time_too(tmp_path: Path) -> None:
    """Saved when the window store is: a kill before the next reading must not end its series."""
    tailed = Tailed(tmp_path, patterns=(replace(NUMBERED, max_series=1),), window_ms=60_000)
    await tailed.read()
    tailed.write("ERROR a\n")
    await tailed.read()
    tailed.write("ERROR a\n")
    await tailed.tail.glance(tailed.now + 70_000)
    await tailed.tail.keep()
    assert labelled(await tailed.kill().read(70_000)) == {"code=a": 2}


async def test_what_the_journal_does_not_take_is_told_all_the_same(
    tailed: Tailed, caplog: pytest.LogCaptureFixture
) -> None:
    """Rules on log lines are judged also while the agent's own disk is full, which is said once. After a kill
    the lines are read again, and count once."""
    tailed.path.touch()
    await tailed.read()
    tailed.memory.full = True
    tailed.write("a\nb\n")
    assert await tailed.count() == 2
    tailed.write("c\n")
    samples = await tailed.read()
    assert (value(samples, "log_any_total"), value(samples, "ottla_log_unsaved")) == (3, 1)
    assert [each.message for each in caplog.records] == [
        "up to where log lines were counted cannot be saved: database or disk is full"
    ]
    with pytest.raises(OSError, match="full"):
        await tailed.tail.keep()  # so that no snapshot counts beside places that are older

    tailed.kill()
    tailed.memory.full = False
    samples = await tailed.read()
    assert (value(samples, "log_any_total"), value(samples, "ottla_log_unsaved")) == (3, 0)


async def test_a_journal_that_hangs_holds_up_no_reading(
    tailed: Tailed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that is full."""
    await tailed.read()
    monkeypatch.setattr(log_saved, "_SAVE", 0.1)
    monkeypatch.setattr(tailed.memory, "save", lambda _: asyncio.Event().wait())
    tailed.write("a\n")
    samples = await tailed.read()
    assert (value(samples, "log_any_total"), value(samples, "ottla_log_unsaved")) == (1, 1)


async def test_a_glob_takes_new_files_and_leaves_rotated_ones_to_their_trail(tmp_path: Path) -> None:
    """`server.log*` does not tail server.log.1 a second time."""
    tailed = Tailed(tmp_path, str(tmp_path / "*.log*"))
    tailed.write("old\n")
    await tailed.read()
    tailed.write("a\n")
    tailed.path.rename(tmp_path / "server.log.1")
    tailed.write("b\n")
    (tmp_path / "gc.log").write_text("c\n")

    samples = await tailed.read()
    assert value(samples, "log_any_total") == 3
    assert value(samples, "ottla_log_files") == 2
    assert await tailed.kill().count() == 3


async def test_files_beyond_the_most_that_are_watched_are_counted_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the first of them; each time that it comes to be so."""
    monkeypatch.setattr(log_inputs, "_FILES", 3)
    for ago, name in enumerate("abcde"):
        written_to(tmp_path / f"{name}.log", "", ago)
    tailed = Tailed(tmp_path, str(tmp_path / "*.log"))
    for _ in range(2):
        samples = await tailed.read()
        assert (value(samples, "ottla_log_files"), value(samples, "ottla_log_left_out_files")) == (3, 2)
    words = "log files are written to beyond the 3 that are watched at most, and left out, first"
    assert [record.getMessage() for record in caplog.records] == [f"2 {words} {tmp_path}/d.log"]

    for change, left in (("d gone", 1), ("e gone", 0), ("f there", 1)):
        file = tmp_path / f"{change[0]}.log"
        file.touch() if change.endswith("there") else file.unlink()
        assert value(await tailed.read(), "ottla_log_left_out_files") == left, change
    assert [record.getMessage() for record in caplog.records][1:] == [f"1 {words} {tmp_path}/f.log"]
    tailed.tail.close()


def written_to(file: Path, text: str, ago: int) -> None:
    """So many seconds ago."""
    with file.open("a") as log:
        log.write(text)
    os.utime(file, (time.time() - ago,) * 2)


async def test_of_too_many_files_those_are_watched_that_are_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file for each hour: the one that is being written is the newest, and no line counts twice by that."""
    monkeypatch.setattr(log_inputs, "_FILES", 3)
    files = [tmp_path / f"server-{hour:02}.log" for hour in range(9)]
    for hour, file in enumerate(files[:6]):
        written_to(file, "old\n", (6 - hour) * 4_000)
    tailed = Tailed(tmp_path, str(tmp_path / "server-*.log"))
    tailed.now = time.time_ns() // 1_000_000
    assert value(await tailed.read(), "ottla_log_left_out_files") == 0, "nobody writes to those"
    written_to(files[5], "a\n", 5)
    assert await tailed.count() == 1

    for count, file in enumerate(files[6:], start=2):
        written_to(file, "a\n", -4_000 * count)
        assert await tailed.count(4_000_000) == count, "the one that was written to least lately gives way"
    assert value(await tailed.read(), "ottla_log_files") == 3

    written_to(files[4], "b\n", -4_000 * 5)
    assert await tailed.count(4_000_000) == 5, "one that gave way is known when it comes again"
    assert await tailed.kill().count() == 5
    tailed.tail.close()


@pytest.fixture
def of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tailed]:
    """Nine files with ten lines each, one an hour, of which three are watched."""
    monkeypatch.setattr(log_inputs, "_FILES", 3)
    for hour in range(9):
        written_to(tmp_path / f"{hour}.log", "old\n" * 10, (9 - hour) * 4_000)
    tailed = Tailed(tmp_path, str(tmp_path / "*.log"))
    tailed.now = time.time_ns() // 1_000_000
    yield tailed
    tailed.tail.close()


async def test_what_a_file_held_when_it_was_left_out_is_history(of_many: Tailed, tmp_path: Path) -> None:
    """Its next line counts, and the end of the one that was half written does not."""
    written_to(tmp_path / "5.log", "half", 4 * 4_000)
    written_to(tmp_path / "5.log.1", "older\n", 5 * 4_000)
    assert await of_many.count() == 0
    written_to(tmp_path / "5.log", " old\nnew\n", 0)
    assert await of_many.count() == 1


async def test_a_file_that_gave_way_is_known_after_a_restart(of_many: Tailed, tmp_path: Path) -> None:
    """Though it is left out then, and in the life after that."""
    await of_many.read()
    for hour in (3, 4, 5):
        written_to(tmp_path / f"{hour}.log", "new\n", 0)
    assert await of_many.count() == 3, "6, 7 and 8 gave way"
    for _ in range(2):
        assert await of_many.kill().count() == 3
        assert await of_many.count() == 3
    written_to(tmp_path / "8.log", "new\n", -8_000)
    assert await of_many.count() == 4


@pytest.mark.parametrize(("names", "kept"), [(2, 6), (3, 9)])
async def test_more_files_than_are_remembered_are_no_new_ones(
    of_many: Tailed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: int, kept: int
) -> None:
    """Of which it is forgotten up to where they were read: their last lines may be missed, and none counts
    twice. What comes is read from its beginning all the same."""
    monkeypatch.setattr(log_left_out, "_NAMES", names)
    await of_many.read()
    saved = of_many.memory.value or b""
    assert sum(f"{hour}.log".encode() in saved for hour in range(9)) == kept
    written_to(tmp_path / "0.log", "new\n", -4_000)
    assert await of_many.count() == 0
    written_to(tmp_path / "0.log", "new\n", -4_000)
    assert await of_many.count() == 1
    of_many.kill()
    written_to(tmp_path / "1.log", "new\n", -8_000)
    assert await of_many.count() == 1
    written_to(tmp_path / "9.log", "new\n" * 5, -12_000)
    assert await of_many.count() == 6


async def test_of_many_files_the_one_that_came_while_the_agent_was_down_is_read_from_its_beginning(
    of_many: Tailed, tmp_path: Path
) -> None:
    """In the life after that, too; and the forgotten ones are no new ones."""
    await of_many.read()
    for life, count in enumerate((5, 10)):
        written_to(tmp_path / f"{life}.log", "new\n", -4_000 * life)
        written_to(tmp_path / f"{9 + life}.log", "new\n" * 5, -4_000 * life)
        assert await of_many.kill().count() == count


async def test_a_left_out_file_that_is_rotated_is_known_when_it_is_made_later(
    of_many: Tailed, tmp_path: Path
) -> None:
    """As by logrotate with nocreate: what it was renamed to is no news."""
    await of_many.read()
    (tmp_path / "5.log").rename(tmp_path / "5.log.1")
    for _ in range(3):
        assert await of_many.count() == 0
    written_to(tmp_path / "5.log", "new\n", 0)
    assert await of_many.count() == 1


@pytest.mark.parametrize(
    ("after_ms", "killed", "count"), [(1000, False, 1), (1000, True, 1), (8 * 10**7, False, 11)]
)
async def test_a_left_out_file_that_is_away_for_a_while_is_no_new_one(
    of_many: Tailed, tmp_path: Path, after_ms: int, killed: bool, count: int
) -> None:
    """As where a disk is unmounted; after a day it is."""
    await of_many.read()
    away = (tmp_path / "5.log").rename(tmp_path / "away")
    for _ in range(3):
        assert await of_many.count(after_ms) == 0
    if killed:
        for _ in range(2):
            assert await of_many.kill().count() == 0
    away.rename(tmp_path / "5.log")
    written_to(tmp_path / "5.log", "new\n", -4_000)
    assert await of_many.count() == count


async def test_a_file_that_came_while_the_agent_was_down_is_read_from_its_beginning(tmp_path: Path) -> None:
    """By a glob that was watched before; by one that is new it would be history."""
    tailed = Tailed(tmp_path, str(tmp_path / "*.log"))
    await tailed.read()
    (tmp_path / "gc.log").write_text("a\n")
    (tmp_path / "kafkaServer.out").write_text("old\n")
    tailed.files = (*tailed.files, str(tmp_path / "*.out"))

    assert await tailed.kill().count() == 1


async def test_two_short_files_may_begin_alike(tailed: Tailed) -> None:
    """Only much in common makes one the copy of another."""
    await tailed.read()
    tailed.write("a\n")
    await tailed.read()
    tailed.path.rename(f"{tailed.path}.1")
    tailed.write("a\nb\n")

    assert await tailed.count() == 3


async def test_a_rotated_file_is_not_closed_before_its_backlog_is_read(tmp_path: Path) -> None:
    """However long that takes: readings are bounded, files are not."""
    path = tmp_path / "server.log"
    trail = Trail(str(path), [], Tally())
    path.write_text("a\n" * (8 * LINE_LIMIT))
    trail.look(0)
    path.rename(f"{path}.1")

    for now in (60_000, 120_000, 180_000, 240_000):
        trail.look(now)
    taken = list(iter(trail.take, None))
    trail.close()

    assert len(taken) > 1
    assert b"".join(taken) == b"a\n" * (8 * LINE_LIMIT)


async def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """It is named and counted: here a path below a file."""
    (tmp_path / "plain").write_text("")
    bad = str(tmp_path / "plain" / "server.log")
    tailed = Tailed(tmp_path, bad, str(tmp_path / "server.log"))
    await tailed.read()
    tailed.write("a\n")
    samples = await tailed.read()

    assert value(samples, "log_any_total") == 1
    assert value(samples, "ottla_log_unreadable_files") == 1
    assert "Not a directory" in tailed.tail.failed[bad]


async def test_many_files_are_read_to_their_ends_however_little_is_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one reading: what is left of a round is taken up by the next."""
    monkeypatch.setattr(log_lanes, "_AT_ONCE", 1)
    paths = [tmp_path / name for name in ("a.log", "b.log", "c.log")]
    for path in paths:
        path.touch()
    tail = LogTail([str(path) for path in paths], [ANY], Memory(), 1000)
    await tail.read(1_000_000)
    for path in paths[:2]:
        path.write_text("line\n" * 3)
    assert value(await tail.read(1_001_000), "log_any_total") == 6
    for path in paths:
        path.write_text("line\n" * 3 + "more\n")
    assert value(await tail.read(1_002_000), "log_any_total") == 6 + 1 + 1 + 4
    assert not tail._lanes.more
    tail.close()


async def test_a_named_pipe_in_the_place_of_a_file_does_not_hang_it(tailed: Tailed) -> None:
    """It is no log file."""
    os.mkfifo(tailed.path)

    assert await tailed.count() == 0
    assert tailed.tail.failed == {str(tailed.path): "it is no regular file"}


async def test_a_folder_in_the_place_of_a_file_is_unreadable(tailed: Tailed) -> None:
    """Until the file is there."""
    tailed.path.mkdir()
    assert value(await tailed.read(), "ottla_log_unreadable_files") == 1
    assert tailed.tail.failed == {str(tailed.path): "it is a folder"}

    tailed.path.rmdir()
    tailed.write("a\n")
    samples = await tailed.read()
    assert (value(samples, "log_any_total"), value(samples, "ottla_log_unreadable_files")) == (1, 0)


async def test_a_path_that_names_no_file_is_told_and_unreadable_after_five_minutes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be misspelt. One that is only rotated is not, nor is it for as long as a broker starts."""
    wrong = tmp_path / "nowhere" / "sever.log"
    tailed = Tailed(tmp_path, str(tmp_path / "server.log"), str(wrong))
    tailed.write("a\n")
    await tailed.read()
    tailed.path.rename(f"{tailed.path}.1")
    assert value(await tailed.read(299_000), "ottla_log_unreadable_files") == 0
    assert value(await tailed.read(), "ottla_log_unreadable_files") == 1
    assert await tailed.tail.glance(tailed.now) == []
    assert tailed.tail.failed == {str(wrong): "there is no such file"}
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"{wrong} names no file", f"{wrong} cannot be read: there is no such file"]

    wrong.parent.mkdir()
    wrong.write_text("b\n")
    samples = await tailed.read()
    assert (value(samples, "log_any_total"), value(samples, "ottla_log_unreadable_files")) == (1, 0)
    tailed.tail.close()


async def test_an_endless_line_is_cut_and_counted(tailed: Tailed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning is searched, the rest skipped, and what follows is read as ever."""
    for module in (log_marks, log_open, log_opened):
        monkeypatch.setattr(module, "LINE_LIMIT", 1000)
    await tailed.read()
    tailed.write("a\n" + "x" * 5500)
    assert await tailed.count() == 2
    tailed.write("x" * 700 + "\nb\n")

    samples = await tailed.read()
    assert value(samples, "log_any_total") == 3
    assert value(samples, "ottla_log_cut_lines_total") == 1


async def test_the_last_line_of_a_rotated_file_is_given_up_after_a_minute(tailed: Tailed) -> None:
    """A writer that was not told of the rotation may end it until then; later it is counted as unfinished."""
    await tailed.read()
    tailed.write("a\nhalf")
    late = tailed.path.open("a")
    await tailed.read()
    tailed.path.rename(f"{tailed.path}.1")
    tailed.write("b\n")
    await tailed.read()
    late.write(" whole\nhalf")
    late.close()

    assert await tailed.count(after_ms=50_000) == 3
    samples = await tailed.read(after_ms=20_000)
    assert value(samples, "ottla_log_unfinished_lines_total") == 1
    assert value(samples, "log_any_total") == 3


async def test_the_last_line_is_given_up_after_a_minute_though_the_clock_was_set_back(tailed: Tailed) -> None:
    """Else a file that was deleted would take its place on the disk for as long as the clock was ahead."""
    await tailed.read(after_ms=7_200_000)
    tailed.write("a\nhalf")
    await tailed.read()
    tailed.path.rename(f"{tailed.path}.1")
    await tailed.read()
    await tailed.read(after_ms=-7_200_000)

    assert value(await tailed.read(after_ms=50_000), "ottla_log_unfinished_lines_total") == 0
    assert value(await tailed.read(after_ms=10_000), "ottla_log_unfinished_lines_total") == 1


async def test_a_burst_is_read_in_slices(tmp_path: Path) -> None:
    """64 MB, of which the hot lines are all counted, and none is left behind."""
    hot = LogPattern("hot", "server.log", r"ERROR full$", "Lines", Place("logs.yml", 1, 1))
    tailed = Tailed(tmp_path, patterns=(hot,))
    await tailed.read()
    piece = "a line of forty bytes, which is usual...\n" * 24_400 + "ERROR full\n"
    with tailed.path.open("w") as file:
        for _ in range(64):
            file.write(piece)

    samples = await tailed.read()
    while value(samples, "ottla_log_behind_bytes"):
        samples = await tailed.read()
    assert value(samples, "log_hot_total") == 64
    assert value(samples, "ottla_log_read_bytes_total") == tailed.path.stat().st_size == 64 * len(piece)
    tailed.tail.close()


def packed(path: Path) -> Path:
    """As gzip does it: the packed file has the original's time, and the original goes."""
    stat, target = path.stat(), path.with_name(f"{path.name}.gz")
    target.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.unlink()
    return target


def lines(first: int, behind: int) -> str:
    return "".join(
        f"{n:06d} a line that is like no other, as each begins with its time\n" for n in range(first, behind)
    )


async def test_what_was_packed_when_it_was_read_is_not_read_again(tailed: Tailed) -> None:
    """Neither in the same life nor in the next one."""
    await tailed.read()
    tailed.write(lines(0, 3))
    await tailed.read()
    packed(tailed.path.rename(f"{tailed.path}.1"))
    tailed.write(lines(3, 5))

    assert await tailed.count() == 5
    assert await tailed.kill().count() == 5
    assert await tailed.count(after_ms=61_000) == 5


@pytest.mark.parametrize("copied", [False, True], ids=["renamed", "copied and truncated"])
async def test_the_rest_of_what_was_packed_while_the_agent_was_down_is_read(
    tailed: Tailed, *, copied: bool
) -> None:
    """Once; also of files that came and were packed meanwhile."""
    await tailed.read()
    tailed.write(lines(0, 3))
    await tailed.read()
    tailed.tail.close()
    tailed.write(lines(3, 5))
    for n, (first, behind) in enumerate([(5, 9), (9, 10)], 1):
        name = f"{tailed.path}.2026-11-28-0{n}"
        if copied:
            packed(Path(shutil.copyfile(tailed.path, name)))
            os.truncate(tailed.path, 0)
        else:
            packed(tailed.path.rename(name))
        tailed.write(lines(first, behind))

    tailed.kill()
    for _ in range(3):  # what is missing twice is gone, and at once where its inode is another file's
        await tailed.read()
    assert await tailed.count() == 10
    assert await tailed.kill().count() == 10


async def test_a_packed_file_with_the_inode_of_the_log_hides_no_copy_of_that(tailed: Tailed) -> None:
    """The log was moved while the agent was down, as from disk to disk, and another has its inode now."""
    await tailed.read()
    tailed.write(lines(0, 50))
    await tailed.read()
    old = tailed.path.rename(f"{tailed.path}.1")
    tailed.write(lines(50, 100))
    await tailed.read()
    tailed.kill()
    moved = shutil.copy2(tailed.path, tailed.path.with_name("moved"))
    tailed.path.write_bytes(gzip.compress(old.read_bytes()))
    tailed.path.rename(f"{old}.gz")
    old.unlink()
    shutil.move(moved, tailed.path)

    assert await tailed.count() == 100
    tailed.write(lines(100, 101))
    assert await tailed.count() == 101


async def test_a_packed_file_that_is_not_whole_yet_waits(tailed: Tailed) -> None:
    """And is read when it is."""
    await tailed.read()
    whole = gzip.compress(lines(0, 2000).encode())
    path = tailed.path.with_name("server.log.1.gz")
    path.write_bytes(whole[: len(whole) // 2])
    await tailed.read()
    path.write_bytes(whole)

    await tailed.read()
    assert await tailed.count() == 2000


async def test_bytes_that_only_are_called_packed_harm_nothing(tailed: Tailed) -> None:
    """They are no lines."""
    await tailed.read()
    tailed.path.with_name("server.log.1.gz").write_bytes(b"\x1f\x8b no gzip at all\n" * 100)
    tailed.path.with_name("server.log.2.gz").write_bytes(b"")
    tailed.write("a\n")

    assert await tailed.count() == 1


async def test_a_writer_that_does_not_append_leaves_a_hole_and_loses_no_line(tmp_path: Path) -> None:
    """After copytruncate it goes on where it was; the line behind the hole is found by its beginning."""
    first = LogPattern("any", "*", r"^\d{6} a line", "Lines", Place("logs.yml", 1, 1))
    tailed = Tailed(tmp_path, patterns=(first,))
    await tailed.read()
    with tailed.path.open("wb", buffering=0) as writer:
        for n in range(4):
            writer.write(lines(1000 * n, 1000 * n + 1000).encode())
            await tailed.read()
            shutil.copyfile(tailed.path, f"{tailed.path}.{n}")
            os.truncate(tailed.path, 0)
        writer.write(lines(4000, 4001).encode())

    await tailed.read()
    assert tailed.path.stat().st_size > 250_000
    assert await tailed.count() == 4001
    assert await tailed.kill().count() == 4001
    tailed.tail.close()


async def test_a_file_that_was_empty_and_is_packed_before_it_is_read_counts_once(tmp_path: Path) -> None:
    """Its lines stand behind a hole; the packed file is known as its copy although nothing was read of it."""
    first = LogPattern("any", "*", r"^\d{6} a line", "Lines", Place("logs.yml", 1, 1))
    tailed = Tailed(tmp_path, patterns=(first,))
    await tailed.read()
    with tailed.path.open("wb", buffering=0) as writer:
        writer.write(lines(0, 1000).encode())
        await tailed.read()
        os.truncate(tailed.path, 0)
        await tailed.read()
        writer.write(lines(1000, 1100).encode())
    packed(tailed.path.rename(tmp_path / "server.log.1"))

    await tailed.read()
    assert await tailed.count() == 1100
    assert await tailed.kill().count() == 1100
    tailed.tail.close()


async def test_a_link_that_swings_while_the_agent_is_down_leaves_nothing_unread(tmp_path: Path) -> None:
    """Where it led before is remembered."""
    link = tmp_path / "kafkaServer.out"
    (tmp_path / "first").write_text("old\n")
    link.symlink_to("first")
    tailed = Tailed(tmp_path, str(link))
    await tailed.read()
    with (tmp_path / "first").open("a") as file:
        file.write("a\n")
    await tailed.read()
    with (tmp_path / "first").open("a") as file:
        file.write("b\nc\n")
    (tmp_path / "second").write_text("d\n")
    link.unlink()
    link.symlink_to("second")

    await tailed.kill().read()
    assert await tailed.count() == 4
    tailed.tail.close()


async def test_what_is_older_than_the_window_is_skipped_and_counted(tmp_path: Path) -> None:
    """After a long time without the agent: a file's age is that of its last line."""
    tailed = Tailed(tmp_path, window_ms=3_600_000)
    tailed.now = time.time_ns() // 1_000_000
    await tailed.read()
    tailed.write("a\n")
    await tailed.read()
    tailed.tail.close()
    tailed.write("old\n")
    for name, text, hours in (("1", "", 3), ("2", "older\n", 2), ("3", "new\n", 0.5)):
        path = tailed.path.with_name(f"server.log.{name}")
        path = tailed.path.rename(path) if name == "1" else path
        with path.open("a") as file:
            file.write(text)
        at = time.time() - hours * 3600
        os.utime(path, (at, at))
    tailed.write("newest\n")

    samples = await tailed.kill().read()
    assert value(samples, "log_any_total") == 3
    assert value(samples, "ottla_log_skipped_bytes_total") == len("old\nolder\n")
    assert await tailed.kill().count() == 3
    tailed.tail.close()


async def test_a_clock_set_back_after_the_start_makes_no_rotated_file_too_old(tmp_path: Path) -> None:
    """The agent was started while the clock was ahead by more than the window."""
    tailed = Tailed(tmp_path, window_ms=3_600_000)
    tailed.now = time.time_ns() // 1_000_000 + 3 * 3_600_000
    await tailed.read()
    tailed.now = time.time_ns() // 1_000_000
    tailed.write("a\n")
    assert await tailed.count(after_ms=0) == 1
    for n in (1, 2):
        tailed.path.rename(f"{tailed.path}.{n}")
        tailed.write(f"b {n}\n")

    samples = await tailed.read()
    assert value(samples, "log_any_total") == 3
    assert value(samples, "ottla_log_skipped_bytes_total") == 0
    tailed.tail.close()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions hold for a user who is not root."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that may not be listed, where whoever runs the tests may at least look for it."""
    with TemporaryDirectory() as base:
        folder = Path(base) / "kafka"
        folder.mkdir()
        (folder / "server.log").write_text("old\n")
        Path(base).chmod(0o755)
        folder.chmod(0o000)
        yield folder
        folder.chmod(0o700)


async def test_a_glob_whose_folder_may_not_be_listed_is_unreadable(
    closed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted and told once, and what was read there before is remembered until it may be again."""
    pattern = str(closed / "*.log")
    why = f"[Errno 13] Permission denied: '{closed}'"
    closed.chmod(0o755)
    tailed = Tailed(closed, pattern)
    await tailed.read()
    tailed.write("a\n")
    closed.chmod(0o000)
    with as_nobody():
        tailed.kill()
        for _ in range(2):
            samples = await tailed.read()
            assert value(samples, "ottla_log_unreadable_files") == 2
            assert tailed.tail.failed[pattern] == why
            assert await tailed.tail.glance(tailed.now) == []
            assert pattern in tailed.tail.failed
    said = [each.getMessage() for each in caplog.records if each.name == log_inputs.__name__]
    assert said[0] == f"{pattern} cannot be read: {why}"
    assert [words.partition(" cannot")[0] for words in said] == [pattern, str(tailed.path)]

    closed.chmod(0o755)
    assert await tailed.count() == 1
    assert tailed.tail.failed == {}
    tailed.tail.close()


async def test_a_glob_below_a_closed_folder_is_unreadable_at_the_first_start(
    closed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no file is known yet, and though a name in it could be opened by who knows it."""
    closed.chmod(0o111)
    tailed = Tailed(closed, str(closed / "*" / "*.log"))
    with as_nobody():
        samples = await tailed.read()
        await tailed.read()
    assert (value(samples, "ottla_log_files"), value(samples, "ottla_log_unreadable_files")) == (0, 1)
    assert [each.getMessage() for each in caplog.records] == [
        f"{closed}/*/*.log cannot be read: [Errno 13] Permission denied: '{closed}'"
    ]
    tailed.tail.close()


@pytest.mark.parametrize("killed", [False, True], ids=["running", "restarted"])
async def test_what_was_in_a_folder_before_it_could_first_be_listed_is_history(
    closed: Path, *, killed: bool
) -> None:
    """It is listed as the first time that the glob was named."""
    tailed = Tailed(closed, str(closed / "*.log"))
    with as_nobody():
        await tailed.read()
        await tailed.read()
        if killed:
            tailed.kill()
            await tailed.read()
    closed.chmod(0o755)
    assert await tailed.count() == 0
    tailed.write("a\n")
    assert await tailed.count() == 1
    (closed / "later.log").write_text("b\n")
    assert await tailed.kill().count() == 2
    tailed.tail.close()


@pytest.mark.parametrize("name", ["server.log", "*.log"])
async def test_what_a_file_held_before_it_could_first_be_read_is_history(closed: Path, name: str) -> None:
    """After a restart, too, as where it took one for the agent to be of another group."""
    closed.chmod(0o755)
    tailed = Tailed(closed, str(closed / name))
    tailed.path.chmod(0o000)
    with as_nobody():
        await tailed.read()
        assert await tailed.count() == 0
    tailed.path.chmod(0o644)
    assert await tailed.kill().count() == 0
    tailed.write("a\n")
    assert await tailed.kill().count() == 1
    tailed.tail.close()


async def test_a_folder_that_a_glob_names_hides_no_file_that_begins_with_its_name(tmp_path: Path) -> None:
    """Nor does it take a place among the files."""
    (tmp_path / "server").mkdir()
    tailed = Tailed(tmp_path, str(tmp_path / "server*"))
    tailed.write("old\n")
    await tailed.read()
    tailed.write("a\n")

    samples = await tailed.read()
    assert (value(samples, "log_any_total"), value(samples, "ottla_log_files")) == (1, 1)
    tailed.tail.close()


async def test_files_of_a_glob_that_was_taken_away_are_not_read_on(tmp_path: Path) -> None:
    """Though the `*` of another one might stand for their folder."""
    (tmp_path / "audit").mkdir()
    below = tmp_path / "audit" / "authorizer.log"
    below.write_text("a\n")
    tailed = Tailed(tmp_path, str(tmp_path / "*.log"), str(tmp_path / "*" / "*.log"))
    await tailed.read()
    tailed.files = tailed.files[:1]
    tailed.kill()
    await tailed.read()
    below.write_text("b\n")

    samples = await tailed.read()
    assert (value(samples, "log_any_total"), value(samples, "ottla_log_files")) == (0, 0)
    tailed.tail.close()


@pytest.mark.parametrize(
    ("file", "path", "is_named"),
    [
        ("/log/*.log", "/log/server.log", True),
        ("/log/*.log", "/log/audit/server.log", False),
        ("/log/*.log", "/log/.hidden.log", False),
        ("/log/**/*.log", "/log/audit/server.log", True),
        (
            "/log/**/*.log",
            "/log/a/b/server.log",
            False,
        ),  # as glob, which is not told to look into all folders
        ("/log/.*.log", "/log/.hidden.log", True),
        ("/log/s[e]rver.log", "/log/server.log", True),
        ("/log/server.log", "/log/server.log", True),
        ("/log/server.log", "/log/server.log.1", False),
    ],
)
def test_a_path_is_of_a_glob_that_would_find_it(file: str, path: str, *, is_named: bool) -> None:
    """Part by part."""
    assert would_name(file, path) is is_named


async def test_a_name_that_is_not_utf_8_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It could not be saved; the others are read on, and so is a link that leads to such a file."""
    tailed = Tailed(tmp_path, str(tmp_path / "*.log"))
    bad = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.log"))
    for path in (bad, bad.with_suffix(".new")):
        path.write_text("a\n")
    tailed.path.symlink_to(bad.with_suffix(".new"))
    await tailed.read()
    with bad.with_suffix(".new").open("a") as file:
        file.write("b\n")

    for each in (tailed, tailed.kill()):
        samples = await each.read()
        assert value(samples, "log_any_total") == 1
        assert value(samples, "ottla_log_unreadable_files") == 1
        assert each.tail.failed == {f"{tmp_path}/caf\\xe9.log": "its name is not UTF-8"}
    assert caplog.text.count("cannot be read") == 2
    tailed.tail.close()


async def test_a_glob_that_names_no_file_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once, and it is no failure: files may come, and so may their folder; nor is it one that names a file
    which is gone for a moment."""
    glob = str(tmp_path / "kafka" / "*.log")
    tailed = Tailed(tmp_path / "kafka", glob)
    for _ in range(2):
        assert value(await tailed.read(), "ottla_log_unreadable_files") == 0
    (tmp_path / "kafka").mkdir()
    await tailed.read()
    tailed.write("a\n")
    assert await tailed.count() == 1
    tailed.path.rename(tmp_path / "kafka" / "moved")
    await tailed.read()

    assert [record.getMessage() for record in caplog.records] == [f"{glob} names no file"]
    tailed.tail.close()
