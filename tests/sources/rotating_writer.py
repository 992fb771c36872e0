"""A program that writes numbered lines at full speed while its file is rotated in every way that there is.

`python rotating_writer.py FOLDER SEED`: for each line `N` on its standard input it rotates N times, then
rests and prints a `Turns` as JSON. Lines go to server.log and, by a link, to kafkaServer.out.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec

REST = b" the rest of a line, about as long as those that a broker writes into its log\n"


class Turns(msgspec.Struct):
    """What was done so far. `next`: each writer's next number, the first is even and the second odd.

    `ways`: how often files were rotated in each way. `windows`: of each copytruncate since the last time, the
    numbers [first, last] that were written, by one writer, from its beginning to its end.
    """

    next: list[int]
    ways: dict[str, int]
    windows: list[tuple[int, int]]


class Writer(threading.Thread):
    """Writes to a path until told to rest; opens it again when told."""

    def __init__(self, path: Path, first: int, step: int) -> None:
        super().__init__(daemon=True)
        self.path, self.number, self.step = path, first, step
        self.go, self.again, self.resting = threading.Event(), threading.Event(), threading.Event()
        self.append = True

    def run(self) -> None:
        fd = self._opened()
        while True:
            if not self.go.is_set():
                self.resting.set()
                self.go.wait()
            if self.again.is_set():
                os.close(fd)
                fd = self._opened()
                self.again.clear()
            os.write(fd, b"%012d%b" % (self.number, REST))
            self.number += self.step

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND * self.append, 0o644)

    def reopen(self) -> None:
        """Returns when it writes to what the path now names."""
        self.again.set()
        while self.again.is_set():
            time.sleep(0.0005)


class Rotation:
    """All ways to rotate a writer's file, chosen by chance."""

    def __init__(self, writer: Writer, chance: random.Random) -> None:
        self.writer, self.path, self.chance = writer, writer.path, chance
        self.names = 0
        self.numbered = 0
        self.done = Counter[str]()
        self.windows: list[tuple[int, int]] = []
        linked = self.path.is_symlink()
        self.ways = (
            (self.swing, self.swing, self.pack)
            if linked
            else (self.shift, self.date, self.copy, self.copy, self.pack, self.copy_pack, self.away)
        )

    def turn(self) -> None:
        """One rotation."""
        way = self.chance.choice(self.ways)
        self.done[way.__name__] += 1
        way()
        time.sleep(self.chance.choice((0, 0.001, 0.003, 0.01)))

    def late(self) -> None:
        """A writer that is told of the rotation some time after it."""
        time.sleep(self.chance.choice((0, 0, 0.002, 0.01)))
        self.writer.append = self.chance.random() < 0.7
        self.writer.reopen()

    def shift(self) -> None:
        for n in range(self.numbered, 0, -1):
            old = self.path.with_name(f"{self.path.name}.{n}")
            if old.exists():
                old.rename(self.path.with_name(f"{self.path.name}.{n + 1}"))
        self.numbered += 1
        self.path.rename(self.path.with_name(f"{self.path.name}.1"))
        self.late()

    def dated(self) -> Path:
        self.names += 1
        return self.path.with_name(f"{self.path.name}.2026-11-28-{self.names:06d}")

    def date(self) -> None:
        self.path.rename(self.dated())
        self.late()

    def copy(self) -> Path:
        """As logrotate's copytruncate: what is written after the copy's last read and before it is lost."""
        copy, first = self.dated(), self.writer.number
        shutil.copyfile(self.path, copy)
        time.sleep(self.chance.choice((0, 0, 0.002)))
        os.truncate(self.path, 0)
        self.windows.append((first, self.writer.number))
        return copy

    def copy_pack(self) -> None:
        self.packed(self.copy())

    def pack(self) -> None:
        """One that was rotated before."""
        live = self.path.resolve()
        found = sorted(self.path.parent.glob(f"{self.path.name}.*[0-9]"))
        found = [path for path in found if path != live]
        if found:
            self.packed(self.chance.choice(found))

    def packed(self, path: Path) -> None:
        """As gzip does: the original goes when the packed one is whole, with the original's time."""
        stat = path.stat()
        target = path.with_name(f"{path.name}.{self.names}.gz")
        with path.open("rb") as old, gzip.open(target, "wb", 1) as new:
            shutil.copyfileobj(old, new, 1 << 16)
        os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        path.unlink()

    def away(self) -> None:
        """It vanishes, and returns as it was."""
        elsewhere = self.path.with_name("elsewhere")
        self.path.rename(elsewhere)
        time.sleep(self.chance.choice((0, 0.002, 0.01)))
        elsewhere.rename(self.path)

    def swing(self) -> None:
        """The link leads to a new file."""
        target, link = self.dated(), self.path.with_name("link")
        target.touch()
        link.symlink_to(target.name)
        link.rename(self.path)
        self.late()


def main(folder: Path, seed: int) -> None:
    """Rotate as often as asked, rest, tell."""
    chance = random.Random(seed)
    out = folder / "kafkaServer.out"
    if not out.is_symlink():
        (folder / "kafkaServer.out.0").touch()
        out.symlink_to("kafkaServer.out.0")
    writers = [Writer(folder / "server.log", 0, 2), Writer(out, 1, 2)]
    rotations = [Rotation(writer, chance) for writer in writers]
    for writer in writers:
        writer.start()
    for order in sys.stdin:
        for writer in writers:
            writer.resting.clear()
            writer.go.set()
        for _ in range(int(order)):
            chance.choice(rotations).turn()
        for writer in writers:
            writer.go.clear()
            writer.resting.wait()
        ways = sum((rotation.done for rotation in rotations), Counter())
        windows = [window for rotation in rotations for window in rotation.windows]
        turns = Turns([writer.number for writer in writers], dict(ways), windows)
        print(msgspec.json.encode(turns).decode(), flush=True)
        for rotation in rotations:
            rotation.windows.clear()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
