"""The journal: entries in SQLite, synced to disk by a thread of their own before `append` returns."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from agent.lone_thread import LoneThread
from agent.model import Entry
from agent.wire import BadEntry, decode, encode

MAX_PAGES = 65_536  # of 4 KiB: 256 MiB, so that a runaway cannot fill the volume that must record it
FILE = "journal.db"
READ_S = 60.0
AT_ONCE = 10_000  # entries: all of a full journal take 600 MiB of memory
WRITE_S = 10.0  # of a disk that takes longer nobody knows whether it ever answers

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, line BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""
_Answer = TypeVar("_Answer")


class JournalFailed(RuntimeError):
    """The journal could not be written or read: nothing new may be begun."""


class JournalLocked(JournalFailed):
    """Another process holds this journal."""


class Journal:
    """One writer: the folder's lock is held from `open` to `close`, or until the process dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = LoneThread("the journal")
        self._db: sqlite3.Connection | None = None
        self._lock = -1

    @property
    def hangs(self) -> bool:
        """Whether its disk has not answered what it was last asked, or not yet."""
        return self._thread.busy

    async def open(self) -> None:
        """Take the lock. Raises JournalLocked, JournalFailed."""
        await self._run(self._open, READ_S)

    async def entries(self, after: int = 0) -> tuple[Entry, ...]:
        """Those that follow the first `after`, oldest first, so many at once; none where there are no more.
        Raises JournalFailed."""
        return await self._run(lambda: self._entries(after), READ_S)

    async def append(self, *entries: Entry) -> None:
        """Durable when this returns, all or none. Raises JournalFailed; what hangs may be written later."""
        lines = [(entry.at, encode(entry)) for entry in entries]
        await self._run(lambda: self._insert(lines), WRITE_S)

    async def load(self, name: str) -> bytes | None:
        """A small value kept beside the entries (a source's positions, say), or None."""
        return await self._run(lambda: self._load(name), WRITE_S)

    async def save(self, name: str, value: bytes) -> None:
        """Keep a value; it replaces the former one in one transaction."""
        await self._run(lambda: self._save(name, value), WRITE_S)

    async def close(self, deadline: float = WRITE_S) -> None:
        """Give the lock back. Raises JournalFailed where the disk hangs: it goes with the process then."""
        await self._run(self._close, deadline)

    async def _run(self, work: Callable[[], _Answer], deadline: float) -> _Answer:
        try:
            return await self._thread.run(work, deadline)
        except TimeoutError:  # its words tell how long the last call may take, and not the one that hangs
            raise JournalFailed(f"journal {self._folder / FILE}: its disk does not answer") from None
        except (sqlite3.Error, OSError, BadEntry) as error:
            raise JournalFailed(f"journal {self._folder / FILE}: {error}") from error

    def _open(self) -> None:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._lock = _lock(self._folder / "lock")
        # check_same_thread: one call at a time, but a thread that idles is ended, and another one follows
        self._db = sqlite3.connect(self._folder / FILE, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"max_page_count={MAX_PAGES}"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)

    def _entries(self, after: int) -> tuple[Entry, ...]:
        assert self._db is not None, "the journal is not open"
        return tuple(_entries(self._db, after, AT_ONCE))

    def _insert(self, lines: Sequence[tuple[int, bytes]]) -> None:
        assert self._db is not None, "the journal is not open"
        with self._db as db:
            db.executemany("INSERT INTO entries (at, line) VALUES (?, ?)", lines)

    def _load(self, name: str) -> bytes | None:
        assert self._db is not None, "the journal is not open"
        row = self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _save(self, name: str, value: bytes) -> None:
        assert self._db is not None, "the journal is not open"
        with self._db as db:
            db.execute("INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)", (name, value))

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        if self._lock >= 0:
            os.close(self._lock)  # closing gives the flock back
        self._db, self._lock = None, -1


def read(folder: Path) -> tuple[Entry, ...]:
    """Every entry, without the lock: for the commands that work while the daemon lives or is dead.

    Raises JournalFailed, also where there is no journal yet.
    """
    file = folder / FILE
    if not file.exists():
        raise JournalFailed(f"no journal at {file}: has the agent ever run with this state folder?")
    try:
        db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return tuple(_entries(db))
        finally:
            db.close()
    except (sqlite3.Error, OSError, BadEntry) as error:
        raise JournalFailed(f"journal {file}: {error}") from error


def _entries(db: sqlite3.Connection, after: int = 0, most: int = -1) -> Iterator[Entry]:
    """None was ever deleted, so that their numbers have no gap."""
    asked = "SELECT line FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
    for (line,) in db.execute(asked, (after, most)):
        yield decode(line)


def _lock(path: Path) -> int:
    """The file descriptor that holds the lock; it goes with the process, however that ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JournalLocked(f"{path} is held by another agent: stop it first (ottla stop)") from None
    return descriptor
