"""How far each log file is read, and how a file is told from another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

LINE_LIMIT = 1 << 20  # bytes; a longer line is cut there, and the rest of it skipped
HEAD = 1024  # so many first bytes tell a file from another
# A copy may be of the time when the original was shorter: it is compared by the longest of these that it has.
HEADS = (64, 128, 256, 512, HEAD)


@dataclass
class Tally:
    """What was read, and what was dropped."""

    bytes: int = 0
    cut: int = 0  # lines over the limit
    unfinished: int = 0  # last lines of rotated files, without an end
    truncated: int = 0
    skipped: int = 0  # bytes that were older than the window when the agent started
    lost: int = 0  # entries that the kernel had thrown away before they were read
    refused: int = 0  # entries of the journal that are not what journalctl says it prints


class Mark(msgspec.Struct, omit_defaults=True):
    """How far a file is read. `digests` are of so many first bytes from `start` on."""

    inode: int
    offset: int
    start: int = 0  # of its content: a writer that does not append leaves a hole behind a truncation
    digests: dict[int, str] = {}
    ends: dict[
        int, str
    ] = {}  # of the HEAD bytes before some offsets; where it is longer than HEAD (log_ends.py)
    cut: bool = False  # the rest of the line at `offset` is to be skipped
    closed: tuple[int, int] | None = None  # size and mtime (ns) when all of a rotated file was read
    copy_of: int | None = None  # the inode of the file that it repeats: it is read only where that is lost
    place: str = ""  # where a symbolic link led
    gone: int = 0  # for so many looks it is not there any more; a copy of it may still show up
    left_ms: int = 0  # since when, where it may itself return

    @property
    def head(self) -> int:
        """How many of the first bytes are known."""
        return max(self.digests, default=0)

    def is_of(self, head: bytes) -> bool:
        """Whether this can be the mark of a file with these first bytes, which has only grown since."""
        return not self.digests or digest(head[: self.head]) == self.digests[self.head]

    def is_copied(self, head: bytes, least: int) -> bool:
        """Whether a file that begins so is a copy of this one, going by `least` bytes or more; or, where this
        one is gone, by all that either had."""
        known = max((n for n in self.digests if n <= len(head)), default=0)
        enough = known >= least or (self.gone and 0 < known == len(head) == self.head)
        return bool(enough) and digest(head[:known]) == self.digests[known]

    def repeats(self, other: Mark) -> bool:
        """Whether it is the mark of a copy of that file."""
        if self.copy_of is None or self.start != other.start:
            return False
        known = max(self.digests.keys() & other.digests.keys(), default=0)
        return known > 0 and self.digests[known] == other.digests[known]

    def learn(self, head: bytes) -> None:
        """Know more of the first bytes, as the file grows."""
        if len(head) > self.head and head[0]:  # a hole has no face
            lengths = {*(n for n in HEADS if n <= len(head)), len(head)}
            self.digests = {n: digest(head[:n]) for n in sorted(lengths)}

    def shorten(self) -> None:
        """Know no more than tells whether a file is this one, but not what a copy of it began with."""
        self.digests = {n: text for n, text in self.digests.items() if n == self.head}
        if self.closed and self.closed[0] >= self.offset:  # what a packed one holds is not soon learnt again
            self.ends = {at: text for at, text in self.ends.items() if at == max(self.ends)}

    def pass_lines(self, data: bytes, tally: Tally) -> bytes:
        """The whole lines at the start of `data`, read at `offset`, which then moves behind them.

        A line that fills all of LINE_LIMIT counts as whole. A hole at the beginning is passed over.
        """
        if self.cut:
            end = data.find(b"\n") + 1
            self.cut, self.offset = not end, self.offset + (end or len(data))
            return b""
        if data.startswith(b"\0"):
            self.pass_hole(self.offset + len(data) - len(data.lstrip(b"\0")))
            return b""
        end = data.rfind(b"\n") + 1
        if not end and len(data) == LINE_LIMIT:
            tally.cut += 1
            self.cut, end = True, len(data)
        self.offset += end
        return data[:end]

    def pass_hole(self, end: int) -> None:
        """Nothing was written up to `end`."""
        self.offset = end
        if not self.digests:
            self.start = end


def digest(data: bytes) -> str:
    """By which bytes are known again."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()
