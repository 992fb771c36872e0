"""A program that tails as the agent does, and writes down each line's number with the places read to.

`python witness_reader.py FOLDER DATABASE`: one transaction holds the places and the numbers, as the agent's
holds its counters; it may be killed at any instant.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import time
from array import array
from pathlib import Path

from agent.model import LogPattern, Place
from agent.sources.logs import LogTail
from agent.sources.schedule import Polling

NUMBER = re.compile(rb"^(\d{12}) ", re.MULTILINE)
PATTERN = LogPattern("any", "*", "x", "Lines", Place("logs.yml", 1, 1))


class Witness:
    """In the place of all scanners: keeps every number that it is shown."""

    def __init__(self, numbers: array[int]) -> None:
        self.numbers = numbers

    def samples(self, now: int) -> tuple[()]:
        return ()

    def of(self, path: str) -> Witness:
        return self

    def count(self, chunk: bytes, *_: object) -> None:
        self.numbers.extend(map(int, NUMBER.findall(chunk)))


class Numbers:
    """Positions, and the numbers read up to them, in one database."""

    def __init__(self, path: Path) -> None:
        self.unsaved = array("q")
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=OFF")  # the process is killed, not the machine
        self._base.execute("CREATE TABLE IF NOT EXISTS places (id INTEGER PRIMARY KEY, value BLOB)")
        self._base.execute("CREATE TABLE IF NOT EXISTS numbers (value BLOB)")

    async def load(self) -> bytes | None:
        found = self._base.execute("SELECT value FROM places").fetchone()
        return found[0] if found else None

    async def save(self, value: bytes) -> None:
        self._base.execute("BEGIN IMMEDIATE")
        self._base.execute("REPLACE INTO places VALUES (1, ?)", (value,))
        self._base.execute("INSERT INTO numbers VALUES (?)", (self.unsaved.tobytes(),))
        self._base.execute("COMMIT")
        del self.unsaved[:]


async def main(folder: Path, database: Path) -> None:
    """Tail until killed."""
    numbers = Numbers(database)
    tail = LogTail([str(folder / "server.log"), str(folder / "kafkaServer.out")], [PATTERN], numbers, 100)
    tail._adopt_patterns = lambda _: None  # type: ignore[method-assign, assignment]
    tail._scanners = Witness(numbers.unsaved)  # type: ignore[assignment]
    polling = Polling(tail, lambda _: told(), lambda: time.time_ns() // 1_000_000)

    def told() -> None:
        if polling.last_error or tail.failed:
            print("not read:", polling.last_error, tail.failed, file=sys.stderr, flush=True)

    await polling.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
