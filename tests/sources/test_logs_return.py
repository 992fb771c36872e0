"""Log files that are away for a while, as where a disk is unmounted: they count once, and so do others."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from log_memory import value
from test_logs import Tailed, lines

HOUR_MS = 3_600_000
WINDOW_MS = 2 * HOUR_MS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def tailed(folder: Path) -> Iterator[Tailed]:
    tailed = Tailed(folder, window_ms=WINDOW_MS)
    tailed.now = int(time.time() * 1000)
    yield tailed
    tailed.tail.close()


@pytest.fixture
def globbed(folder: Path) -> Iterator[Tailed]:
    tailed = Tailed(folder, str(folder / "*.log"), window_ms=WINDOW_MS)
    tailed.now = int(time.time() * 1000)
    yield tailed
    tailed.tail.close()


def saved(tailed: Tailed) -> dict[str, Any]:
    """The marks of each path."""
    every: dict[str, Any] = json.loads(tailed.memory.value or b"")["marks"]
    return every


async def rotated(tailed: Tailed) -> None:
    """20 lines in two files, read, and the older one closed."""
    await tailed.read()
    tailed.write(lines(0, 10))
    await tailed.read()
    tailed.path.rename(f"{tailed.path}.1")
    tailed.write(lines(10, 20))
    for _ in range(3):
        assert await tailed.count(after_ms=61_000) == 20


@pytest.mark.parametrize("name", ["", "server.log", "server.log.1"])
@pytest.mark.parametrize(
    ("after_ms", "killed"), [(1000, False), (1000, True), (61_000, False), (61_000, True), (HOUR_MS, False)]
)
async def test_what_was_away_is_not_read_again(
    tailed: Tailed, folder: Path, name: str, after_ms: int, killed: bool
) -> None:
    """The folder, the log or a rotated one; and what was written to it meanwhile counts."""
    await rotated(tailed)
    away = (folder / name).rename(folder.parent / "away")
    for _ in range(8):
        await tailed.read(after_ms)
    if killed:
        assert await tailed.kill().count() == 20
    away.rename(folder / name)

    assert await tailed.count() == 20
    for path in (tailed.path, Path(f"{tailed.path}.1")):
        with path.open("a") as writer:
            writer.write("one more\n")
    assert await tailed.count() == 22
    assert await tailed.kill().count() == 22


async def test_what_a_glob_named_and_was_away_is_not_read_again(globbed: Tailed, folder: Path) -> None:
    """It is not watched meanwhile, and takes no place for ever."""
    await rotated(globbed)
    folder.rename(folder.parent / "away")
    for _ in range(8):
        assert await globbed.count(after_ms=61_000) == 20
    assert value(await globbed.read(), "ottla_log_files") == 0
    (folder.parent / "away").rename(folder)

    assert await globbed.count() == 20
    globbed.write(lines(20, 21))
    assert await globbed.count() == 21

    folder.rename(folder.parent / "away")
    for _ in range(4):
        await globbed.read(after_ms=61_000)
    assert saved(globbed)
    await globbed.read(after_ms=27 * HOUR_MS)
    assert not saved(globbed)


async def test_old_files_that_are_known_by_name_only_are_not_read_again(tailed: Tailed, folder: Path) -> None:
    """They need be away for one look only."""
    await tailed.read()
    for nth in range(3):
        path = Path(f"{tailed.path}.{nth}")
        path.write_text(lines(nth * 10, nth * 10 + 10))
        os.utime(path, ns=((at := (tailed.now + nth) * 1_000_000), at))
    for _ in range(3):
        assert await tailed.count(after_ms=61_000) == 30
    tailed.write(lines(30, 31))
    os.utime(tailed.path, ns=((at := (tailed.now + 28 * HOUR_MS) * 1_000_000), at))
    for _ in range(3):
        assert await tailed.count(after_ms=28 * HOUR_MS) == 31
    tailed.path.rename(f"{tailed.path}.3")
    tailed.write(lines(31, 32))
    for _ in range(3):
        assert await tailed.count(after_ms=61_000) == 32
    assert len(saved(tailed)[str(tailed.path)]) == 2

    folder.rename(folder.parent / "away")
    await tailed.read()
    (folder.parent / "away").rename(folder)

    assert await tailed.count() == 32
    assert await tailed.count() == 32

    folder.rename(folder.parent / "away")
    await tailed.read()
    with (folder.parent / "away" / "server.log.1").open("a") as old:
        old.write("one more\n")
    (folder.parent / "away").rename(folder)
    assert await tailed.count() == 33, "what was written to it meanwhile"


async def test_what_a_log_is_filled_with_again_counts_again(tailed: Tailed) -> None:
    """It was there when it held the same before, and something else in between: nothing returned."""
    await tailed.read()
    tailed.path.write_text("the same lines\n" * 100)
    assert await tailed.count() == 100
    tailed.path.write_text("another line\n" * 100)
    assert await tailed.count() == 200
    os.truncate(tailed.path, 0)
    assert await tailed.kill().count() == 200

    tailed.path.write_text("the same lines\n" * 100)

    assert await tailed.count() == 300


async def test_of_those_that_are_gone_a_hundred_may_return(
    tailed: Tailed, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is told that there are more, once."""
    await rotated(tailed)
    for nth in range(2, 110):
        Path(f"{tailed.path}.{nth}").write_text(lines(nth * 10, nth * 10 + 1))
    for _ in range(8):
        await tailed.read(after_ms=61_000)
    assert await tailed.count() == 128
    folder.rename(folder.parent / "away")
    folder.mkdir()
    for nth in range(8):
        (folder / str(nth)).touch()
        await tailed.read(after_ms=61_000)
    assert len(saved(tailed)[str(tailed.path)]) == 100
    assert caplog.text.count("more than 100 files of it are gone") == 1


async def test_little_is_kept_of_what_is_long_gone_and_all_is_learnt_when_it_returns(
    tailed: Tailed, folder: Path
) -> None:
    """Since it is saved each time that a line was read."""
    await tailed.read()
    tailed.write(lines(0, 1000))
    for count in (1000, 2000):
        assert await tailed.count() == count
        tailed.path.rename(f"{tailed.path}.1")
        tailed.write(lines(count, count + 1000))
        if count == 1000:
            for _ in range(3):
                await tailed.read(after_ms=61_000)
            known = kept_of(tailed, f"{tailed.path}.1")
            gone = Path(f"{tailed.path}.1").rename(folder.parent / "away")
    for _ in range(8):
        await tailed.read(after_ms=61_000)
    mark = kept_of(tailed, str(gone))
    assert len(known["digests"]) > 1 == len(mark["digests"])
    assert len(known["ends"]) > 1 == len(mark["ends"])

    gone.rename(f"{tailed.path}.2")
    assert await tailed.kill().count() == 3000
    assert kept_of(tailed, f"{tailed.path}.2") == known


def kept_of(tailed: Tailed, path: str) -> dict[str, Any]:
    """The mark of this file."""
    marks = saved(tailed)[str(tailed.path)]
    return next(mark for mark in marks if mark["inode"] == Path(path).stat().st_ino)


async def test_another_file_with_the_inode_of_one_that_is_gone_is_read(tailed: Tailed, folder: Path) -> None:
    """Though it begins alike; and then the one that was gone is not waited for any more."""
    await rotated(tailed)
    gone = Path(f"{tailed.path}.1").rename(folder.parent / "away")
    for _ in range(8):
        await tailed.read(after_ms=61_000)
    gone.write_text(lines(0, 1) + lines(20, 30))
    gone.rename(f"{tailed.path}.2")

    assert await tailed.count() == 31
    assert await tailed.count() == 31
