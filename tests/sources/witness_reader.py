"""A program that tails as the agent does, and writes down each line's number with the places read to.

`python witness_reader.py FOLDER STATE`: the agent's own journal in STATE keeps the places, and each of its
transactions that does so takes the numbers along; it may be killed at any instant.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from array import array
from pathlib import Path

from agent.assembly.kept import Kept
from agent.journal import Journal
from agent.model import LogPattern, Place
from agent.sources.logs import LogTail
from agent.sources.schedule import Polling

NUMBER = re.compile(rb"^(\d{12}) ", re.MULTILINE)
NAME = "logs"
ALONG = f"""
CREATE TABLE IF NOT EXISTS numbers (value BLOB);
CREATE TEMP TRIGGER along AFTER INSERT ON main.kept WHEN NEW.name = '{NAME}'
BEGIN INSERT INTO numbers VALUES (unsaved()); END;
"""
PATTERN = LogPattern("any", "*", "x", "Lines", Place("logs.yml", 1, 1))


class Witness:
    """In the place of all scanners: keeps every number that it is shown."""

    def __init__(self, numbers: array[int]) -> None:
        self.numbers = numbers

    def samples(self, now: int) -> tuple[()]:
        return ()

    def of(self, path: str) -> Witness:
        return self

    def knows(self, path: str) -> bool:
        return True

    def count(self, chunk: bytes, *_: object) -> None:
        self.numbers.extend(map(int, NUMBER.findall(chunk)))


class Numbers:
    """Places in the journal, and the numbers read up to them."""

    def __init__(self, journal: Journal, unsaved: array[int]) -> None:
        self._kept, self._unsaved, self._written = Kept(journal, NAME), unsaved, 0
        assert journal._db is not None
        journal._db.create_function("unsaved", 0, self._write)
        journal._db.executescript(ALONG)

    def _write(self) -> bytes:
        numbers = self._unsaved.tobytes()
        self._written = len(numbers) // self._unsaved.itemsize
        return numbers

    async def load(self) -> bytes | None:
        return await self._kept.load()

    async def save(self, value: bytes) -> None:
        await self._kept.save(value)
        del self._unsaved[: self._written]


async def main(folder: Path, state: Path) -> None:
    """Tail until killed."""
    journal, unsaved = Journal(state), array("q")
    await journal.open()
    numbers = Numbers(journal, unsaved)
    tail = LogTail([str(folder / "server.log"), str(folder / "kafkaServer.out")], [PATTERN], numbers, 100)
    tail._adopt_patterns = lambda _: None  # type: ignore[method-assign, assignment]
    tail._scanners = Witness(unsaved)  # type: ignore[assignment]
    polling = Polling(tail, lambda _: told(), lambda: time.time_ns() // 1_000_000)

    def told() -> None:
        if polling.last_error or tail.failed:
            print("not read:", polling.last_error, tail.failed, file=sys.stderr, flush=True)

    await polling.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
