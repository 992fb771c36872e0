"""Where a mark is set in its file: at its beginning, behind all of it, or back to where a line begins."""

from __future__ import annotations

import os

from agent.sources.log_ends import learn_ends
from agent.sources.log_marks import LINE_LIMIT, Mark
from agent.sources.log_open import Packed, Plain
from agent.sources.log_rotated import stamp


def begun(file: Plain) -> tuple[Mark, bytes]:
    """A mark at the start of its content, and the first bytes there, which it knows."""
    start = file.start()
    mark, head = Mark(file.inode, start, start), file.head(start)
    mark.learn(head)
    return mark, head


def learn_anew(file: Plain, mark: Mark) -> None:
    """Know all of its beginning and of what was read, where but the last of each was kept."""
    if mark.digests:
        mark.digests = {}
        mark.learn(file.head(mark.start))
    if mark.ends and not isinstance(file, Packed):
        learn_ends(mark, file.before)


def pass_all(file: Plain, mark: Mark) -> None:
    """Take it as read to its end."""
    stat = file.stat
    mark.offset += file.behind(mark.offset)
    if not isinstance(file, Packed):
        learn_ends(mark, file.before)
    mark.closed = stamp(stat)
    last = b"" if isinstance(file, Packed) or not mark.offset else os.pread(file.fd, 1, mark.offset - 1)
    mark.cut = bool(last) and last != b"\n"


def read_on(file: Plain, mark: Mark) -> None:
    """It was taken for a copy while it held no more than what both begin with; the line is its own."""
    mark.copy_of = mark.closed = None
    if mark.cut and not isinstance(file, Packed):
        begin = max(mark.start, mark.offset - LINE_LIMIT)
        line = os.pread(file.fd, mark.offset - begin, begin).rfind(b"\n") + 1
        mark.offset, mark.cut = begin + line, False
        mark.ends = {at: end for at, end in mark.ends.items() if at <= mark.offset}


def limit(mark: Mark, size: int) -> None:
    """It may be shorter than what was read of its original."""
    mark.offset = min(mark.offset, size)
    mark.ends = {at: end for at, end in mark.ends.items() if at <= mark.offset}
