"""The law of the log tail: whatever happens to file and agent, each whole line counts exactly once."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import tempfile
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.model import LogPattern, Place
from agent.sources import log_marks, log_open, log_opened
from agent.sources.log_marks import Tally
from agent.sources.log_trail import Trail
from agent.sources.logs import LogTail

EXAMPLES = int(os.environ.get("OTTLA_LOG_EXAMPLES", "100"))  # of each law
PATTERN = LogPattern("any", "*", r"^line \d+ of the log, .*no end yet$", "Lines", Place("logs.yml", 1, 1))
BEGIN = b"Picked up JAVA_TOOL_OPTIONS:%b\n" % b"".join(b" -Dn%d=x" % n for n in range(150))
REST = b"of the log, long enough that two files cannot begin alike, and no end yet\n"
AGENT = ("read", "read", "kill", "kill unsaved", "wait")
AWAY = st.sampled_from(
    [
        f"{what} away {how}"
        for what in ("folder", "live", "rotated")
        for how in ("for long", "briefly", "and down")
    ]
)
RENAMED = st.sampled_from(
    ("write", "write", "begin", "half", "rename", "create", "reopen", "delete", "truncate", "pack", *AGENT)
)
PACKED = st.just("pack all down")
COPIED = st.sampled_from(
    ("write", "write", "half", "copy", "copy", "copy half", "copy rest", "truncate", "pack", *AGENT)
)

HALF_SEEN = ("write", "copy half", "read", "copy rest")  # little more of it than what each file begins with
READ_AND_ABSENT = ("begin", "rename", "reopen", "delete", "wait")  # at the next look for the first time


class Kept:
    """Positions in memory."""

    def __init__(self) -> None:
        self.value: bytes | None = None

    async def load(self) -> bytes | None:
        return self.value

    async def save(self, value: bytes) -> None:
        self.value = value


class World:
    """A writer with its open file, the files that it left behind, and an agent which may be killed."""

    def __init__(self, folder: Path, *, shift: bool, append: bool, begin: bytes) -> None:
        self.path = folder / "logs" / "server.log"
        self.path.parent.mkdir()
        self.begin = begin  # of each file
        self.append = append  # else it leaves a hole behind a truncation
        self.shift = shift  # numbered rotation renames the older files too
        self.rotated: list[Path] = []  # oldest first
        self.lines = 0  # whole ones, ever
        self.names = 0
        self.half = False
        self.copied: Path | None = None  # what is just being copied to
        self.unread = False
        self.now = 1_000_000
        self.kept = Kept()
        self.tail = LogTail([str(self.path)], [PATTERN], self.kept, 1000)
        self.writer = self.open()
        self.plain = {
            "write": self.write,
            "begin": self.write_begin,
            "half": self.write_half,
            "rename": self.rename,
            "create": self.create,
            "reopen": self.reopen,
            "copy": self.copy,
            "copy half": self.copy_half,
            "copy rest": self.copy_rest,
            "truncate": self.truncate,
            "delete": self.delete,
            "pack": self.pack,
            "pack all down": self.pack_all_down,
            "kill": self.kill,
        }

    def open(self) -> FileIO:
        return FileIO(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND * self.append), "w")

    def writes_to(self, path: Path) -> bool:
        return path.exists() and os.path.samestat(path.stat(), os.fstat(self.writer.fileno()))

    def write(self) -> None:
        self.writer.write(self.head() + (b"" if self.half else b"line %d " % self.lines) + REST)
        self.lines, self.half, self.unread = self.lines + 1, False, True

    def write_half(self) -> None:
        if not self.half:
            self.writer.write(self.head() + b"line %d " % self.lines)
            self.half = True

    def write_begin(self) -> None:
        """Only what each file begins with: its first line is long in coming."""
        self.writer.write(self.head())

    def head(self) -> bytes:
        return b"" if os.fstat(self.writer.fileno()).st_size else self.begin

    def rename(self) -> None:
        """The writer goes on in the renamed file until it is told."""
        if self.path.exists():
            self.rotated.append(self.path.rename(self.next_name()))

    def next_name(self) -> Path:
        """The name for the next rotated file; numbered rotation makes .1 free for it, the oldest first."""
        if not self.shift:
            self.names += 1
            return self.path.with_name(f"server.log.{self.names}")
        for n, old in enumerate(self.rotated):
            packed = ".gz" * (old.suffix == ".gz")
            name = f"server.log.{len(self.rotated) - n + 1}{packed}"
            self.rotated[n] = old.rename(self.path.with_name(name))
        return self.path.with_name("server.log.1")

    def create(self) -> None:
        """The new file is there before the writer is told."""
        self.path.touch()

    def reopen(self) -> None:
        if not self.half:
            self.writer.close()
            self.writer = self.open()

    def copy(self) -> None:
        """As logrotate's copytruncate, with nothing written in between."""
        if not self.half and not self.copied:
            copy = self.next_name()
            shutil.copyfile(self.path, copy)
            self.rotated.append(copy)
            self.writer.truncate(0)

    def copy_half(self) -> None:
        """So that the agent sees what has just begun to be one."""
        if not self.copied:
            self.copied = self.next_name()
            data = self.path.read_bytes()
            self.copied.write_bytes(data[: len(data) // 2])
            self.rotated.append(self.copied)

    def copy_rest(self) -> None:
        """It reads on to the end, also what was written meanwhile."""
        if self.copied and not self.half:
            with self.copied.open("ab") as copy:
                copy.write(self.path.read_bytes()[copy.tell() :])
            self.copied = None
            self.writer.truncate(0)

    def packable(self) -> list[Path]:
        """The rotated files that nobody writes to, oldest first."""
        plain = [path for path in self.rotated if path.suffix != ".gz" and not self.writes_to(path)]
        return [] if self.copied else plain

    def pack(self) -> None:
        """The newest one."""
        for path in self.packable()[-1:]:
            self.pack_to(path.with_name("new"), path)
            path.unlink()

    def pack_all_down(self) -> None:
        """All of them, the newest first, while the agent is down. Each gets the inode of the one before, as a
        file system may give it."""
        self.kill()
        free = self.path.with_name("new")
        for path in reversed(self.packable()):
            self.pack_to(free, path)
            free = path.rename(free)
        free.unlink(missing_ok=True)

    def pack_to(self, there: Path, path: Path) -> None:
        """With its time, into a file that is or is not there yet."""
        stat, packed = path.stat(), path.with_name(f"{path.name}.gz")
        there.write_bytes(gzip.compress(path.read_bytes()))
        os.utime(there, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.rotated[self.rotated.index(path)] = there.rename(packed)

    def truncate(self) -> None:
        """By somebody else, when all is read."""
        if not self.unread and not self.half and not self.copied:
            self.writer.truncate(0)

    def delete(self) -> None:
        """Of the oldest rotated file, when all is read and nobody writes; its inode may be used again."""
        if self.rotated and self.writes_to(self.path) and not self.unread and not self.half:
            self.rotated.pop(0).unlink()

    async def read(self, after_ms: int = 1000) -> int:
        self.now += after_ms
        samples = await self.tail.read(self.now)
        self.unread = False
        return round(next(s.value for s in reversed(samples) if s.name == "log_any_total"))

    def kill(self) -> None:
        self.tail.close()
        self.tail = LogTail([str(self.path)], [PATTERN], self.kept, 1000)

    async def be_away(self, what: str, how: str) -> None:
        """As where a disk is unmounted and mounted again while the writer goes on; for two looks or more."""
        path = {"folder": self.path.parent, "live": self.path, "rotated": (*self.rotated, self.path)[0]}[what]
        if not path.exists() or self.copied:
            return
        if what == "rotated":
            await self.read()  # what was never seen would be a new file
        away = path.rename(self.path.parents[1] / "away")
        if how == "and down":
            self.kill()
        for after_ms in (1000, 1000, *[61_000] * 8 * (how == "for long")):
            await self.read(after_ms)
        self.write()
        away.rename(path)
        if how == "for long" or what != "folder":
            await self.read()  # a copy of what was away so long, and is gone already, would be a new file

    async def step(self, step: str) -> None:
        what, is_away, how = step.partition(" away ")
        if is_away:
            await self.be_away(what, how)
        elif step == "read":
            await self.read()
        elif step == "kill unsaved":
            saved = self.kept.value
            await self.read()
            self.kept.value, self.unread = saved, True
            self.kill()
        elif step == "wait":
            if self.writes_to(self.path):  # else the writer would go on where nobody looks any more
                await self.read(after_ms=61_000)
                await self.read(after_ms=61_000)
        else:
            self.plain[step]()


async def play(
    folder: Path, steps: list[str], *, shift: bool, append: bool = True, begin: bytes = b""
) -> None:
    world = World(folder, shift=shift, append=append, begin=begin)
    try:
        await world.read()  # the first start ever
        for step in steps:
            await world.step(step)
        if world.half:
            world.write()
        world.copy_rest()
        await world.read()
        assert await world.read() == world.lines
        world.kill()
        assert await world.read() == world.lines
    finally:
        world.tail.close()
        world.writer.close()


@settings(max_examples=EXAMPLES)
@given(st.lists(RENAMED | PACKED | AWAY, max_size=40), st.booleans())
@example(["rename", "read", "read", "reopen", "write", "rename"], False)
@example(["write", "rename", "reopen", "write", "rename", "reopen", "write", "kill unsaved"], True)
@example(["write", "read", "rename", "reopen", "read", "delete", "write", "rename", "reopen", "write"], False)
@example(
    ["write", "rename", "create", "write", "read", "read", "write", "half", "read", "write", "reopen"], False
)
@example(["write", "read", "write", "rename", "reopen", "pack", "kill"], False)
@example([*["write", "rename", "reopen"] * 3, "write", "read", "pack all down"], False)
def test_each_whole_line_counts_exactly_once(steps: list[str], shift: bool) -> None:
    """Appends in pieces, renames, late writes, truncation, deletion, restarts and kills, in any order."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, shift=shift))


@settings(max_examples=EXAMPLES)
@given(st.lists(COPIED | AWAY, max_size=40), st.booleans(), st.booleans())
@example(["write", "read", "write", "copy", "write", "copy", "write", "kill"], True, True)
@example(["write", "write", "write", "write", "read", "copy half", "read", "copy rest", "read"], False, True)
def test_copytruncate_counts_each_whole_line_exactly_once(
    steps: list[str], shift: bool, append: bool
) -> None:
    """The same with rotation by copies, also where the writer goes on behind a hole."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, shift=shift, append=append))


@settings(max_examples=EXAMPLES)
@given(st.lists(RENAMED | AWAY, max_size=40), st.booleans(), st.sampled_from((BEGIN[:70] + b"\n", BEGIN)))
@example(["write", "write", "write", "read", "truncate", "write", "read"], False, BEGIN)
@example(["write", "read", "rename", "reopen", "write", "write", "rename", "reopen", "write"], True, BEGIN)
@example(
    ["write", "rename", "reopen", "read", "half", "rename", "pack", "kill", "read"], False, BEGIN[:70] + b"\n"
)
@example(["write", "write", "rename", "read", "truncate", "write", "kill"], False, BEGIN)
@example(["half", "rename", "read", "kill", "write", "reopen", "write"], False, BEGIN)
@example(["begin", "rename", "read", "reopen", "write"], False, BEGIN[:70] + b"\n")
@example([*READ_AND_ABSENT, "write", "rename", "kill"], False, BEGIN)
@example([*READ_AND_ABSENT, "write", "rename", "kill"], False, BEGIN[:70] + b"\n")
@example([*READ_AND_ABSENT, "write", "rename", "create", "kill"], False, BEGIN)
def test_files_that_begin_alike_are_not_taken_for_each_other(
    steps: list[str], shift: bool, begin: bytes
) -> None:
    """As those of a program that first of all tells its options, at each start."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, shift=shift, begin=begin))


@settings(max_examples=EXAMPLES)
@given(st.lists(COPIED | AWAY, max_size=40), st.booleans())
@example(["write", "copy", "write", "pack"], False)
@example(["write", "write", "read", "copy", "write", "pack", "copy"], False)
@example([*HALF_SEEN, "write", "pack"], False)
@example([*HALF_SEEN, "pack", "read", "write", "copy", "write", "copy", "read"], False)
@example(["write", "copy", "write", "read", "copy half", "read"], False)
def test_copies_of_files_that_begin_alike_are_told_from_each_other(steps: list[str], shift: bool) -> None:
    """The same with rotation by copies, while the agent is down, too."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, shift=shift, begin=BEGIN[:70] + b"\n"))


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(0, 1400), max_size=12), st.booleans())
@example([511, 510, 512, 126, 127, 128, 383, 384, 385, 0, 2000], True)
@example([400, 512, 511, 400, 200, 1000, 300, 511, 511, 511, 511, 511, 511], True)
def test_a_file_is_read_line_by_line_however_long_they_are(lengths: list[int], ended: bool) -> None:
    """Each once and in order, those over the limit cut there; a last one without an end is left."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for module in (log_marks, log_open, log_opened):
            patch.setattr(module, "LINE_LIMIT", 512)
        patch.setattr(log_open, "_NEAR", 4)
        patch.setattr(log_open, "_AT_ONCE", 4 * 512)
        lines = [bytes([97 + n % 26]) * length + b"\n" for n, length in enumerate(lengths)]
        path = Path(folder, "server.log")
        path.write_bytes(b"".join(lines) + (b"" if ended else b"half"))
        trail = Trail(str(path), [], Tally())
        trail.look(0)
        taken = list(iter(trail.take, None))
        trail.close()
    assert b"".join(taken) == b"".join(line[:512] for line in lines)
