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
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROTATIONS = int(os.environ.get("OTTLA_ROTATIONS", "200"))
SEED = int(os.environ.get("OTTLA_SEED", "1"))
AT_ONCE = 100  # rotations between two accounts
WAIT_S = 60.0
HERE = Path(__file__).parent
NUMBER = re.compile(rb"(?:^|\n)\0*(\d{12}) [^\n]*(?=\n)")
Numbers = npt.NDArray[np.int64]


class Torture:
    """A writer, a reader that is killed now and then, and the account of what both did."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.base = folder / "logs", folder / "numbers.db"
        self.folder.mkdir()
        self.chance = random.Random(SEED)
        self.present: list[Numbers] = []  # in files that are gone by now
        self.copies = self.kills = 0
        self.reader = self.start_reader()
        self.wait(
            "the first reading", lambda: "" if self.base.exists() and self.places() else "nothing saved"
        )
        self.writer = subprocess.Popen(
            [sys.executable, str(HERE / "rotating_writer.py"), str(self.folder), str(SEED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start_reader(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(HERE / "witness_reader.py"), str(self.folder), str(self.base)]
        return subprocess.Popen(command, cwd=HERE.parents[1])

    def places(self) -> list[bytes]:
        with sqlite3.connect(self.base) as base:
            try:
                return [row[0] for row in base.execute("SELECT value FROM places")]
            except sqlite3.OperationalError:
                return []

    def counted(self) -> Numbers:
        """Every number that was saved, as often as it was."""
        with sqlite3.connect(self.base) as base:
            rows = base.execute("SELECT value FROM numbers ORDER BY rowid").fetchall()
        return np.frombuffer(b"".join(row[0] for row in rows), np.int64)

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
        counted = self.counted()
        missed = {
            path.name: int(np.isin(numbers, counted, invert=True).sum()) for path, numbers in files.items()
        }
        return ", ".join(
            f"{n} of {len(files[self.folder / name])} in {name}" for name, n in missed.items() if n
        )

    def wait(self, what: str, missing: Callable[[], str]) -> None:
        until = time.monotonic() + WAIT_S
        while why := missing():
            assert time.monotonic() < until, f"no {what} within {WAIT_S:g} s: {why}"
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
        self.next = [int(n) for n in self.writer.stdout.readline().split()]
        files = self.written()
        self.wait("a saved reading of every line", lambda: self.missing(files))
        there = np.concatenate(list(files.values()))
        self.check_once(there)
        self.present.append(there)
        self.clear()

    def kill_reader(self) -> None:
        self.reader.send_signal(signal.SIGKILL)
        self.reader.wait()
        self.kills += 1
        self.reader = self.start_reader()

    def check_once(self, there: Numbers) -> None:
        assert len(there) == len(np.unique(there)), "the account itself is wrong: a line is there twice"
        numbers, times = np.unique(self.counted(), return_counts=True)
        twice = numbers[times > 1]
        assert not len(twice), f"{len(twice)} lines counted more than once: {twice[:5]}"

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
    there = np.unique(np.concatenate(torture.present))
    every = sum((n + 1) // 2 for n in torture.next)
    lost = every - len(there)
    counted_lost = len(np.setdiff1d(torture.counted(), there))
    print(
        f"\n{ROTATIONS} rotations, {torture.kills} kills, {time.monotonic() - began:.0f} s: {every:,} lines, "
        f"{len(there):,} in files, each counted once; {lost:,} destroyed by copytruncate, "
        f"of which {counted_lost:,} were seen before"
    )
