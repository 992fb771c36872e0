"""Which file of one trail is which: by those that are open, those beside it, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from agent.sources.log_known import COPY, Known
from agent.sources.log_marks import Mark
from agent.sources.log_open import Packed, Plain, closing_log
from agent.sources.log_reading import OpenLog
from agent.sources.log_rotated import siblings


class Identities:
    """Tells files apart. `opened` are those that are open, by inode, in the order in which they are read;
    `places` are the live one's path and, where that is a link, what it leads to. Every method may block."""

    def __init__(self, path: Path, marks: Iterable[Mark], away_ms: int) -> None:
        self.known = Known(marks, self._size_of, away_ms)
        self.opened: dict[int, OpenLog] = {}
        self.places: tuple[Path, ...] = (path,)

    def mark_of(self, file: Plain, *, live: bool) -> Mark | None:
        """The mark of a file that is known by its inode."""
        with ExitStack() as opened:
            return self.known.mark_of(file, live=live, file_of=lambda mark: self._file_of(mark, opened))

    def mark_anew(self, file: Plain, *, live: bool) -> Mark | None:
        """The mark of one not seen before, or that holds something else now; None where it cannot be told yet
        whether it is a copy."""
        with ExitStack() as opened:
            return self.known.new_mark(file, live=live, file_of=lambda mark: self._file_of(mark, opened))

    def may_become_copy(self, file: Plain) -> bool:
        """Whether it has too few bytes so far to tell whether it is the copy of one that is open."""
        head = file.head(file.start())
        if len(head) >= COPY and head[0]:
            return False
        plain = (each for each in self.opened.values() if not isinstance(each.file, Packed))
        others = (each.file.head(each.mark.start) for each in plain)
        # Nothing but a hole so far: a copy is being made, or packed, of what a writer left that seeks.
        return not head or not head[0] or any(other.startswith(head) for other in others)

    def _file_of(self, mark: Mark, opened: ExitStack) -> Plain | None:
        """Not by the inode alone, which may be another file's by now: of a packed one nothing tells later."""
        if mark.gone:
            return None
        if mark.inode in self.opened:
            return self.opened[mark.inode].file
        file: Plain | None = None
        there = (path for stat, path in siblings(self.places) if stat.st_ino == mark.inode)
        with suppress(OSError):
            file = opened.enter_context(closing_log(next(there, self.places[0])))
        if file is None or file.inode != mark.inode:
            return None
        return None if isinstance(file, Packed) and not mark.is_of(file.head(mark.start)) else file

    def _size_of(self, mark: Mark) -> int | None:
        with ExitStack() as opened:
            file = self._file_of(mark, opened)
            return None if file is None else file.behind(0)
