"""Log files that begin alike, as each of a program that tells its options first of all."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_logs import Tailed, lines, packed

from agent.model import LogPattern, Place

LINE = LogPattern("any", "*", r"^\d+ a line", "Lines", Place("logs.yml", 1, 1))


@pytest.fixture
def alike(tmp_path: Path) -> Iterator[Tailed]:
    tailed = Tailed(tmp_path, patterns=(LINE,))
    yield tailed
    tailed.tail.close()


def options(size: int) -> str:
    """As the JVM tells them, with so many bytes."""
    return "Picked up JAVA_TOOL_OPTIONS: ".ljust(size - 1, "x") + "\n"


async def test_the_packed_copy_of_another_file_is_not_read_for_one_that_was_truncated(alike: Tailed) -> None:
    """It was told from it while its own original was there."""
    await alike.read()
    alike.write(options(1700) + lines(0, 100))
    await alike.read()
    old = alike.path.rename(f"{alike.path}.1")
    alike.write(options(1700) + lines(100, 105))
    await alike.count(after_ms=61_000)
    await alike.count(after_ms=61_000)
    kept = shutil.copy2(old, old.with_name("kept"))
    packed(old)
    shutil.move(kept, old)  # gzip removes it last
    await alike.read()
    old.unlink()
    await alike.read()
    assert await alike.count() == 105

    alike.path.write_text(options(1700) + lines(105, 106))

    assert await alike.count() == 106
    assert await alike.count() == 106


async def test_a_rotated_file_is_no_copy_of_one_that_has_only_begun(alike: Tailed) -> None:
    """All of it was passed over, where the live one did not hold more yet than what both begin with."""
    await alike.read()
    alike.write(options(70) + lines(0, 100))
    alike.path.rename(f"{alike.path}.1")
    alike.write(options(70) + lines(100, 110))
    packed(alike.path.rename(f"{alike.path}.2"))
    alike.write(options(70))

    assert await alike.count() == 110

    alike.write(lines(110, 111))

    assert await alike.count() == 111
    assert await alike.kill().count() == 111


@pytest.mark.parametrize("down", [False, True])
async def test_packed_files_are_no_copies_of_each_other(alike: Tailed, *, down: bool) -> None:
    """Each was taken for a copy of the first one, and lost."""
    alike.write(options(1700) + lines(0, 5))
    packed(alike.path.rename(f"{alike.path}.0"))  # history, and never read
    alike.write(options(1700) + lines(5, 10))
    await alike.read()
    if down:
        alike.kill()
    for nth in (1, 2, 3):
        packed(alike.path.rename(f"{alike.path}.{nth}"))
        alike.path.write_text(options(1700) + lines(nth * 10, nth * 10 + 10))

    assert await alike.count() == 30

    packed(alike.path.rename(f"{alike.path}.4"))
    alike.write(options(1700) + lines(40, 41))
    assert await alike.kill().count() == 31
    assert await alike.kill().count() == 31


async def test_the_copy_of_a_packed_file_is_not_read(alike: Tailed) -> None:
    """Be it packed as well or not, and the packed one known by its beginning only."""
    alike.write(options(1700) + lines(0, 9000))
    old = packed(alike.path.rename(f"{alike.path}.0"))
    alike.write("a live line\n")
    await alike.read()

    shutil.copy(old, f"{alike.path}.1.gz")
    Path(f"{alike.path}.2").write_bytes(gzip.decompress(old.read_bytes()))

    assert await alike.count() == 0
    assert await alike.kill().count() == 0


@pytest.mark.parametrize("read", [False, True])
async def test_another_packed_file_in_the_place_of_one_is_read(alike: Tailed, *, read: bool) -> None:
    """Its inode may be used again, too; of the former one only the end is known, or the length."""
    if read:
        await alike.read()
    alike.write(options(1700) + lines(0, 5))
    old = packed(alike.path.rename(f"{alike.path}.1"))
    alike.write(options(1700) + lines(5, 6))
    assert await alike.count() == (6 if read else 0)
    if read:
        assert await alike.count(after_ms=61_000) == 6
    alike.kill()

    old.write_bytes(gzip.compress((options(1700) + lines(10, 110)).encode()))

    assert await alike.count() == (106 if read else 100)
    assert await alike.count() == (106 if read else 100)


async def test_a_rotated_file_that_goes_on_is_no_copy_of_what_it_began_with(alike: Tailed) -> None:
    """Its writer was not told, and had told no more than its options when it was first seen."""
    await alike.read()
    alike.write(options(1000) + lines(0, 20))
    alike.path.rename(f"{alike.path}.1")
    alike.write(options(1000))
    with alike.path.open("a") as writer:
        alike.path.rename(f"{alike.path}.2")
        for _ in range(5):
            assert await alike.count() == 20
        writer.write("000020 a line ")
        writer.flush()
        assert await alike.count() == 20
        writer.write("that ends\n")
        writer.flush()
        assert await alike.count() == 21
        writer.write(lines(21, 40))
    assert await alike.count() == 40
    assert await alike.kill().count() == 40


@pytest.mark.parametrize("looks", [2, 3, 4])
async def test_a_truncated_log_does_not_go_on_where_a_copy_was_given_up(alike: Tailed, looks: int) -> None:
    """As logrotate does where the disk is full. It was seen with little more than what the next one begins
    with, too."""
    await alike.read()
    alike.write(options(70) + lines(0, 1))
    copy = Path(f"{alike.path}.1")
    copy.write_text(options(70) + lines(0, 1)[:4])
    assert await alike.count() == 1
    copy.unlink()
    for _ in range(looks):
        await alike.read()

    alike.path.write_text(options(70) + lines(1, 2))

    assert await alike.count() == 2
    assert await alike.count() == 2


async def test_an_older_copy_is_not_read_for_a_log_that_was_truncated(alike: Tailed) -> None:
    """It has nothing that was not read, and the newer one would then be another file."""

    def copied(nth: int) -> None:
        shutil.copyfile(alike.path, f"{alike.path}.{nth}")
        os.truncate(alike.path, 0)

    await alike.read()
    alike.write(options(127))
    copied(1)
    alike.write(options(127) + lines(0, 2))
    assert await alike.count() == 2
    copied(2)
    alike.write(options(127) + lines(2, 7))
    copied(3)

    assert await alike.count() == 7
    assert await alike.count() == 7


async def test_a_rotated_file_that_is_written_anew_and_begins_as_one_that_is_gone_is_read(
    alike: Tailed,
) -> None:
    """Whether it becomes a copy of that cannot be told yet, and it is open."""
    await alike.read()
    alike.write(options(100) + lines(0, 20))
    await alike.read()
    gone = alike.path.rename(f"{alike.path}.0")
    alike.write(options(100) + lines(20, 40))
    for _ in range(3):
        assert await alike.count(after_ms=61_000) == 40
    anew = alike.path.rename(f"{alike.path}.1")
    alike.write(lines(40, 41))
    gone.unlink()
    for _ in range(2):
        assert await alike.count() == 41

    anew.write_text(options(100))

    assert await alike.count() == 41
    alike.write(lines(41, 42))
    assert await alike.count() == 42


async def test_what_a_former_release_knew_is_told_from_what_begins_alike(alike: Tailed) -> None:
    """From the start on, though nothing more is written before the program begins its log anew."""
    await alike.read()
    alike.write(options(1700) + lines(0, 5))
    assert await alike.count() == 5
    assert alike.memory.value is not None
    kept = json.loads(alike.memory.value)
    for mark in kept["marks"][str(alike.path)]:
        del mark["ends"]
    alike.memory.value = json.dumps(kept).encode()
    assert await alike.kill().count() == 5

    alike.path.write_text(options(1700) + lines(5, 20))

    assert await alike.count() == 20


async def test_a_shorter_file_is_no_copy_of_one_that_is_not_there(alike: Tailed) -> None:
    """Which was packed at once; it has no more of its own than one line behind what both begin with."""
    await alike.read()
    alike.write(options(1024) + lines(0, 20))
    await alike.read()
    packed(alike.path.rename(f"{alike.path}.1"))
    alike.write(options(1024) + lines(20, 21))
    alike.path.rename(f"{alike.path}.2")

    assert await alike.count() == 21
    assert await alike.kill().count() == 21
