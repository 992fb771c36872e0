"""Rotations of all kinds under a writer at full speed, and a reader that is killed: each line counts once.

`OTTLA_ROTATIONS=10000 python -m pytest -s tests/sources/test_rotation_torture.py` for the long run.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from rotating_writer import Turns

from agent.journal import FILE

ROTATIONS = int(os.environ.get("OTTLA_ROTATIONS", "200"))
SEED = int(os.environ.get("OTTLA_SEED", "1"))
AT_ONCE = 100  # rotations between two accounts
WAIT_S = 60.0
HERE = Path(__file__).parent
NUMBER = re.compile(rb"(?:^|\n)\0*(\d{12}) [^\n]*(?=\n)")
Numbers = npt.NDArray[np.int64]
Times = npt.NDArray[np.uint8]


class Account:
    """How often each number was there: its cost goes by what is new, not by all there ever was."""

    def __init__(self) -> None:
        self.times: Times = np.zeros(0, np.uint8)

    def add(self, numbers: Numbers) -> Numbers:
        """Once more each. Returns those that are there more than once now."""
        size = int(numbers.max(initial=-1)) + 1
        if size > len(self.times):
            self.times = np.concatenate((self.times, np.zeros(size, np.uint8)))
        np.add.at(self.times, numbers, 1)
        return np.unique(numbers[self.times[numbers] > 1])

    def lacks(self, numbers: Numbers) -> Numbers:
        """Those that were never there."""
        known = numbers[numbers < len(self.times)]
        return np.concatenate((known[self.times[known] == 0], numbers[numbers >= len(self.times)]))


class Torture:
    """A writer, a reader that is killed now and then, and the account of what both did."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder / "logs", folder / "state"
        self.folder.mkdir()
        self.chance = random.Random(SEED)
        self.present, self.counted = Account(), Account()  # in files, also in those gone; saved by the reader
        self.lost = self.lost_counted = self.kills = 0
        self.turns = Turns([0, 1], {}, [])
        self.reader = self.start_reader()
        self.wait("the first reading", lambda: "" if self.saved() else "nothing saved")
        self.writer = subprocess.Popen(
            [sys.executable, str(HERE / "rotating_writer.py"), str(self.folder), str(SEED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start_reader(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(HERE / "witness_reader.py"), str(self.folder), str(self.state)]
        return subprocess.Popen(command, cwd=HERE.parents[1])

    def saved(self) -> list[bytes]:
        """What the reader saved since, taken out of its journal, which would fill."""
        if not (self.state / FILE).exists():
            return []
        with closing(sqlite3.connect(self.state / FILE)) as base, base:
            if not base.execute("SELECT 1 FROM sqlite_schema WHERE name = 'numbers'").fetchall():
                return []
            return [row[0] for row in base.execute("DELETE FROM numbers RETURNING value")]

    def take(self) -> None:
        """Account for it. No number may be there twice."""
        twice = self.counted.add(np.frombuffer(b"".join(self.saved()), np.int64))
        assert not len(twice), f"{len(twice)} lines counted more than once: {twice[:5]}"

    def written(self) -> dict[Path, Numbers]:
        """The numbers of the whole lines in all files that are there."""
        found = {}
        for path in sorted(self.folder.iterdir()):
            if not path.is_symlink():
                data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                found[path] = np.array(NUMBER.findall(data), np.int64)
        return found

    def missing(self, files: dict[Path, Numbers]) -> str:
        """How many lines of which file are not counted."""
        self.take()
        missed = {path.name: len(self.counted.lacks(numbers)) for path, numbers in files.items()}
        return ", ".join(
            f"{n} of {len(files[self.folder / name])} in {name}" for name, n in missed.items() if n
        )

    def wait(self, what: str, missing: Callable[[], str]) -> None:
        until = time.monotonic() + WAIT_S
        while why := missing():
            assert time.monotonic() < until, f"{what} did not come within {WAIT_S:g} s: {why}"
            assert self.reader.poll() is None, "the reader ended by itself"
            time.sleep(0.2)

    def round(self, rotations: int) -> None:
        """Rotate, kill meanwhile, let both rest, and see that nothing of what is there is missing."""
        assert self.writer.stdin
        assert self.writer.stdout
        self.writer.stdin.write(f"{rotations}\n")
        self.writer.stdin.flush()
        for _ in range(self.chance.choice((0, 1, 2))):
            time.sleep(self.chance.uniform(0.1, 0.8))
            self.kill_reader()
        self.turns, before = msgspec.json.decode(self.writer.stdout.readline(), type=Turns), self.turns
        files = self.written()
        self.wait("a saved reading of every line", lambda: self.missing(files))
        there = np.concatenate(list(files.values()))
        assert len(there) == len(np.unique(there)), "the account itself is wrong: a line is there twice"
        self.present.add(self.present.lacks(there))  # a live file is there in the next round, too
        self.check_lost(before)
        self.clear()

    def kill_reader(self) -> None:
        self.reader.send_signal(signal.SIGKILL)
        self.reader.wait()
        self.kills += 1
        self.reader = self.start_reader()

    def check_lost(self, before: Turns) -> None:
        """What was written in this round and is in no file was written while a copytruncate was going on."""
        of_each = zip(before.next, self.turns.next, strict=True)
        every = np.concatenate([np.arange(first, end, 2, dtype=np.int64) for first, end in of_each])
        lost = self.present.lacks(every)
        outside = lost
        for first, last in self.turns.windows:
            outside = outside[(outside < first) | (outside > last) | (outside % 2 != first % 2)]
        assert not len(outside), f"{len(outside)} lines went that no copytruncate destroyed: {outside[:5]}"
        self.lost += len(lost)
        self.lost_counted += len(lost) - len(self.counted.lacks(lost))

    def clear(self) -> None:
        """Old files go; their inodes are used again."""
        live = {(self.folder / "server.log").resolve(), (self.folder / "kafkaServer.out").resolve()}
        for path in self.folder.iterdir():
            if path not in live and not path.is_symlink():
                path.unlink()

    def close(self) -> None:
        for process in (self.writer, self.reader):
            process.kill()
            process.wait()
        assert self.writer.stdin
        assert self.writer.stdout
        self.writer.stdin.close()
        self.writer.stdout.close()


def test_each_line_that_is_in_a_file_was_counted_once(tmp_path: Path) -> None:
    """What copytruncate destroys is counted at most once, and told."""
    torture = Torture(tmp_path)
    began = time.monotonic()
    try:
        for done in range(0, ROTATIONS, AT_ONCE):
            torture.round(min(AT_ONCE, ROTATIONS - done))
    finally:
        torture.close()
    lines = sum(n // 2 for n in torture.turns.next)
    ways = ", ".join(f"{n} {way}" for way, n in sorted(torture.turns.ways.items()))
    print(
        f"\n{ROTATIONS} rotations ({ways}), {torture.kills} kills, {time.monotonic() - began:.0f} s: "
        f"{lines:,} lines, {lines - torture.lost:,} in files, each counted once; {torture.lost:,} destroyed "
        f"by copytruncate, of which {torture.lost_counted:,} were seen before"
    )
