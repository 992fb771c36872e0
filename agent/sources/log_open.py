"""Log files that are open for reading: plain ones, and rotated ones that were packed with gzip."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any

from agent.sources.log_marks import HEAD, LINE_LIMIT, Mark, digest

PACKED = ".gz"
_AT_ONCE = 8 * LINE_LIMIT  # bytes: the more lines are counted together, the less each costs
_NEAR = 64  # this part of LINE_LIMIT is long enough for most lines to have an end in it
_STEP = 32 << 20  # bytes unpacked at a time on the way to an offset
_TRAILER = 8
_BAD = (EOFError, gzip.BadGzipFile, zlib.error)  # it is still being packed, or is no such file


class Plain:
    """A file as it is. Every method may block."""

    def __init__(self, fd: int, stat: os.stat_result) -> None:
        self.fd = fd
        self.inode = stat.st_ino
        self.device = stat.st_dev
        self.is_kept = False

    @property
    def stat(self) -> os.stat_result:
        """As it is now."""
        return os.fstat(self.fd)

    def start(self, at: int = 0) -> int:
        """Where its content begins, at or behind `at`: after the hole of a writer that does not append."""
        while self.head(at).startswith(b"\0") and (data := self.read(at)) is not None:
            at = max(at + len(data) - len(data.lstrip(b"\0")), self.next_data(at))
        return at

    def head(self, start: int) -> bytes:
        """The first bytes of the content that begins at `start`."""
        return os.pread(self.fd, HEAD, start)

    def before(self, offset: int) -> bytes:
        """The last bytes before an offset, as many as a head has."""
        return os.pread(self.fd, min(HEAD, offset), max(0, offset - HEAD))

    def read(self, offset: int) -> bytes | None:
        """Whole lines, none over LINE_LIMIT; or LINE_LIMIT bytes from there, fewer at the end of the file.
        None: ask again."""
        # To read no more than whole lines spares the copy of them that is without the rest.
        just = LINE_LIMIT // _NEAR
        for size in (_AT_ONCE, LINE_LIMIT):
            if end := os.pread(self.fd, just, offset + size - just).rfind(b"\n") + 1:
                return _short_lines(os.pread(self.fd, size - just + end, offset))
        return os.pread(self.fd, LINE_LIMIT, offset)

    def next_data(self, offset: int) -> int:
        """Where the hole at `offset` ends: a writer that does not append may leave gigabytes."""
        try:
            return os.lseek(self.fd, offset, os.SEEK_DATA)
        except OSError:  # nothing but a hole up to the end, or a file system that knows none
            return offset

    def behind(self, offset: int) -> int:
        """How many bytes follow."""
        return max(0, self.stat.st_size - offset)

    def same(self, mark: Mark) -> bool:
        """Whether this is still what was read up to the mark, and not written anew."""
        if self.stat.st_size < mark.offset:
            return False
        if mark.ends and digest(self.before(at := max(mark.ends))) != mark.ends[at]:
            return False  # another one that begins alike, as of a program that tells its options first
        if mark.digests or not mark.start:
            return mark.is_of(self.head(mark.start))
        return self.head(0).startswith(b"\0")  # up to there was nothing but a hole

    def kept(self) -> Plain:
        """Itself: it stays open."""
        self.is_kept = True
        return self

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)


class Packed(Plain):
    """A file packed with gzip, as if it were not: offsets are those of what was packed."""

    def __init__(self, fd: int, stat: os.stat_result) -> None:
        super().__init__(fd, stat)
        self._stream, self._at = _unpacked(fd), 0

    def head(self, start: int) -> bytes:
        """The first bytes; none where it is not packed so far."""
        try:
            with _unpacked(self.fd) as stream:
                stream.seek(start)
                return stream.read(HEAD)
        except _BAD:
            return b""

    def before(self, offset: int) -> bytes:
        """Unpacks all before it; fewer bytes, perhaps none, where it is not packed so far."""
        try:
            self._stream.seek(max(0, offset - HEAD))
            data = self._stream.read(min(HEAD, offset))
        except _BAD:
            data = b""
        self._stream, self._at = (
            (self._stream, offset) if len(data) == min(HEAD, offset) else (_unpacked(self.fd), 0)
        )
        return data

    def read(self, offset: int) -> bytes | None:
        """Unpacks what lies before `offset` too, once, and a piece at a time."""
        try:
            if offset < self._at:
                self._at = self._stream.seek(0)
            if offset > self._at:
                before, self._at = self._at, self._stream.seek(min(offset, self._at + _STEP))
                return (
                    None if self._at > before else b""
                )  # it may be shorter than what was read of its original
            data = self._stream.read(LINE_LIMIT)
        except _BAD:
            self._stream, self._at = _unpacked(self.fd), 0
            return b""
        self._at += len(data)
        return data

    def next_data(self, offset: int) -> int:
        """Packed files have no holes."""
        return offset

    @property
    def trailer(self) -> bytes:
        """The checksum and the length of what was packed; whatever is last where it is not packed so far."""
        length = self.stat.st_size
        return os.pread(self.fd, _TRAILER, length - _TRAILER) if length > _TRAILER else b""

    def behind(self, offset: int) -> int:
        """As gzip's trailer says, which counts to 4 GiB."""
        return max(0, int.from_bytes(self.trailer[4:], "little") - offset)

    def same(self, mark: Mark) -> bool:  # noqa: ARG002 of any mark
        """A packed file does not change."""
        return True


@contextmanager
def closing_log(path: Path) -> Iterator[Plain | None]:
    """The file at `path`, closed afterwards unless `kept`; None where there is none, or no file.
    OSError where it may not be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not blocked by a named pipe
    except FileNotFoundError:
        yield None
        return
    stat = os.fstat(fd)
    if not S_ISREG(stat.st_mode):
        os.close(fd)
        yield None
        return
    file = (Packed if path.suffix == PACKED else Plain)(fd, stat)
    try:
        yield file
    finally:
        if not file.is_kept:
            file.close()


def _short_lines(data: bytes) -> bytes:
    """The lines before the first that is over LINE_LIMIT, or of that one so much."""
    at = 0
    while len(data) - at > LINE_LIMIT:
        end = data.rfind(b"\n", at, at + LINE_LIMIT)
        if end < 0:
            return data[: at or LINE_LIMIT]
        at = end + 1
    return data


class _Bytes(io.RawIOBase):
    """A file's bytes with a place of their own: several may read one descriptor."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd, self._at = fd, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        assert whence == os.SEEK_SET  # gzip knows no other
        self._at = offset
        return offset

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._fd, len(memoryview(buffer)), self._at)
        memoryview(buffer)[: len(data)] = data
        self._at += len(data)
        return len(data)


def _unpacked(fd: int) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=io.BufferedReader(_Bytes(fd)))
