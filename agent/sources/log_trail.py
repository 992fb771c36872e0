"""One log file through its life: growth, rotation by rename or copy, truncation, vanishing and return.

A file is known by its inode and a digest of its first bytes, since inodes are used again. Each file ever seen
beside the path has a mark of what was read of it; what has no mark is new and is read from its start.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from agent.sources.log_marks import LINE_LIMIT, Mark, Tally

_HEAD = 1024
_COPY_HEAD = 64  # so many equal first bytes make one file the copy of another
# A writer that was not told of a rotation goes on in the old file; then its last line is given up.
_LINGER_MS = 60_000
_TICK_NS = 20_000_000
_COMPRESSED = frozenset({".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip"})


class _Open:
    """An open file and its mark."""

    def __init__(self, fd: int, mark: Mark) -> None:
        self.fd = fd
        self.mark = mark
        self.until: int | None = None  # when to give up waiting for more, ms; None while it is the live one

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    @property
    def head(self) -> bytes:
        return os.pread(self.fd, _HEAD, 0)


class Trail:
    """Reads the file at `path` and those that it was renamed or copied to. Every method may block.

    `marks` is what is known from before; None: nothing, and then all that exists now counts as read.
    """

    def __init__(self, path: str, marks: list[Mark] | None, tally: Tally) -> None:
        self.marks = {mark.inode: mark for mark in marks or ()}
        self._path = Path(path)
        self._from_end = marks is None
        self._tally = tally
        self._files: dict[int, _Open] = {}  # by inode, in the order in which they are read
        self._live: int | None = None
        self._seen: tuple[int, int] | None = None  # the live inode, and when its folder changed
        self._settled = False  # the last scan found all
        self._absent: set[int] = set()

    def look(self, now: int) -> None:
        """Notice what happened to the file. OSError where it cannot be read."""
        inode = changed = 0
        with suppress(FileNotFoundError):
            changed = self._path.parent.stat().st_mtime_ns
            inode = self._path.stat().st_ino
        seen = (inode, changed)
        if seen != self._seen or not self._settled:
            # Once more after each change, since a name may be missed while files are being renamed; and until
            # the change is older than the clock's tick, within which there may be another of the same time.
            settled = seen == self._seen and time.time_ns() - changed > _TICK_NS
            self._seen, self._settled = seen, False
            self._scan(now)
            self._settled = settled
        self._close_quiet(now)

    def take(self) -> bytes | None:
        """The next whole lines, at most LINE_LIMIT bytes; None where there are none now."""
        for file in list(self._files.values()):
            self._check_truncated(file)
            mark, size = file.mark, file.size
            while mark.offset < size:
                before = mark.offset
                lines = mark.pass_lines(os.pread(file.fd, LINE_LIMIT, before), self._tally)
                self._tally.bytes += mark.offset - before
                if lines:
                    return lines
                if mark.offset == before:
                    break
        return None

    @property
    def alive(self) -> bool:
        """Whether there is, or may still be, anything of it."""
        return self._live is not None or bool(self.marks) or not self._settled

    def behind(self) -> int:
        """Bytes not yet read."""
        return sum(max(0, file.size - file.mark.offset) for file in self._files.values())

    def close(self) -> None:
        """Close the files; the marks stay."""
        while self._files:
            os.close(self._files.popitem()[1].fd)

    def _scan(self, now: int) -> None:
        """Open what is new at the path and beside it, and forget what is gone."""
        live = self._open(self._path, live=True)
        self._live = live.mark.inode if live else None
        if live:
            self._check_truncated(live)
        present = self._open_siblings(None)
        if live:
            self._files[live.mark.inode] = self._files.pop(live.mark.inode)  # read last, as it is the newest
        for inode, file in self._files.items():
            file.until = None if inode == self._live else file.until or now + _LINGER_MS
        # Twice absent: a name may be missed while the files are being renamed.
        absent = self.marks.keys() - present - self._files.keys()
        for inode in absent & self._absent:
            del self.marks[inode]
        self._absent = absent
        self._from_end = False

    def _open_siblings(self, lost: Mark | None) -> set[int]:
        """Open the files that the path was renamed or copied to and that hold anything unread, oldest first.
        Returns the inodes of all that are there."""
        names = (self._path.name + ".", self._path.name + "-")
        found = []
        with suppress(FileNotFoundError), os.scandir(self._path.parent) as entries:
            for entry in entries:
                if entry.name.startswith(names) and Path(entry.name).suffix not in _COMPRESSED:
                    with suppress(FileNotFoundError):
                        found.append((entry.stat(), Path(entry.path)))
        for stat, path in sorted(found, key=lambda pair: (pair[0].st_mtime_ns, pair[1])):
            mark = self.marks.get(stat.st_ino)
            if mark is None or mark.closed != (stat.st_size, stat.st_mtime_ns):
                with suppress(PermissionError):  # what we may not read now, we may not have read before
                    self._open(path, lost=lost)
        return {stat.st_ino for stat, _ in found}

    def _open(self, path: Path, *, live: bool = False, lost: Mark | None = None) -> _Open | None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not blocked by a named pipe
        except FileNotFoundError:
            return None
        stat = os.fstat(fd)
        known = self._files.get(stat.st_ino)
        if known or not S_ISREG(stat.st_mode):
            os.close(fd)
            return known
        mark = self.marks.get(stat.st_ino) or self._new_mark(fd, stat, lost)
        self.marks[mark.inode] = mark
        if not live and mark.closed == (stat.st_size, stat.st_mtime_ns):
            os.close(fd)
            return None
        file = self._files[mark.inode] = _Open(fd, mark)
        return file

    def _new_mark(self, fd: int, stat: os.stat_result, lost: Mark | None) -> Mark:
        """The mark of a file not seen before: read from its start, unless it is a copy or was there first."""
        head = os.pread(fd, _HEAD, 0)
        mark = Mark(stat.st_ino, 0)
        mark.learn(head)
        if lost is not None and lost.is_of(head, stat.st_size):
            mark.offset, mark.cut = lost.offset, lost.cut  # copytruncate: the copy has what was not yet read
        elif self._from_end or any(
            m.head >= _COPY_HEAD and m.is_of(head, stat.st_size) for m in self.marks.values()
        ):
            mark.offset, mark.closed = stat.st_size, (stat.st_size, stat.st_mtime_ns)
            mark.cut = stat.st_size > 0 and os.pread(fd, 1, stat.st_size - 1) != b"\n"
        return mark

    def _check_truncated(self, file: _Open) -> None:
        head, lost = file.head, file.mark
        if lost.is_of(head, file.size):
            lost.learn(head)
            return
        self._tally.truncated += 1
        self._seen = None
        self._open_siblings(lost)
        file.mark = self.marks[lost.inode] = Mark(lost.inode, 0)
        file.mark.learn(head)

    def _close_quiet(self, now: int) -> None:
        """Close rotated files that were read to their end and have had time to grow."""
        for inode, file in list(self._files.items()):
            if file.until is None or now < file.until:
                continue
            stat = os.fstat(file.fd)
            rest = os.pread(file.fd, LINE_LIMIT, file.mark.offset)
            if b"\n" not in rest and len(rest) < LINE_LIMIT:
                self._tally.unfinished += bool(rest) and not file.mark.cut
                file.mark.closed = (stat.st_size, stat.st_mtime_ns)
                os.close(self._files.pop(inode).fd)
                if not stat.st_nlink:
                    del self.marks[inode]
