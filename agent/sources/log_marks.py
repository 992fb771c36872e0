"""How far each log file is read, and how a file is told from another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

LINE_LIMIT = 1 << 20  # bytes; a longer line is cut there, and the rest of it skipped


@dataclass
class Tally:
    """What was read, and what was dropped."""

    bytes: int = 0
    cut: int = 0  # lines over the limit
    unfinished: int = 0  # last lines of rotated files, without an end
    truncated: int = 0


class Mark(msgspec.Struct):
    """How far a file is read. `head` is how many of its first bytes `digest` covers."""

    inode: int
    offset: int
    head: int = 0
    digest: str = ""
    cut: bool = False  # the rest of the line at `offset` is to be skipped
    closed: tuple[int, int] | None = None  # size and mtime (ns) when all of a rotated file was read

    def is_of(self, head: bytes, size: int) -> bool:
        """Whether this can be the mark of a file with this size and these first bytes."""
        return size >= self.offset and (not self.head or _digest(head[: self.head]) == self.digest)

    def learn(self, head: bytes) -> None:
        """Cover more of the first bytes, as the file grows."""
        if len(head) > self.head:
            self.head, self.digest = len(head), _digest(head)

    def pass_lines(self, data: bytes, tally: Tally) -> bytes:
        """The whole lines at the start of `data`, read at `offset`, which then moves behind them.

        A line that fills all of LINE_LIMIT counts as whole.
        """
        if self.cut:
            end = data.find(b"\n") + 1
            self.cut, self.offset = not end, self.offset + (end or len(data))
            return b""
        end = data.rfind(b"\n") + 1
        if not end and len(data) == LINE_LIMIT:
            tally.cut += 1
            self.cut, end = True, len(data)
        self.offset += end
        return data[:end]


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
