"""Rotated files that are known only by name: each was read, or is too old to be. There may be thousands."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence, Set
from pathlib import Path

from agent.sources.log_ends import learn_ends
from agent.sources.log_known import Known
from agent.sources.log_mark_moves import pass_all
from agent.sources.log_marks import Mark
from agent.sources.log_open import Packed, Plain
from agent.sources.log_rotated import stamp

_DAY_NS = 86_400_000_000_000
_AWAY = 10_000  # that are gone: so many are known again when they return


class Passed:
    """They need no mark, and are not opened unless they are written to again."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._files: dict[int, tuple[str, tuple[int, int]]] = {}  # by inode: the name, and the stamp
        self._away: dict[int, tuple[str, tuple[int, int]]] = {}
        self._known_ns = self._newest_ns  # a former life knew all that are older

    @property
    def _newest_ns(self) -> int:
        return max((mark.closed[1] for mark in self._known.marks.values() if mark.closed), default=0)

    def look(
        self,
        found: Sequence[tuple[os.stat_result, Path]],
        opened: Container[int],
        oldest_ns: tuple[int, int],
        *,
        all_is_history: bool,
    ) -> None:
        """Know by name what would be skipped, and was known before or is history; and what was read and is a
        day older than that, so that setting the clock makes none of it new. `oldest_ns`: before which nothing
        is read that was last written then, by the start, and by now."""
        if all_is_history:
            self._known_ns = max((stat.st_mtime_ns for stat, _ in found), default=0) - 1
        marks, long_ago_ns = self._known.marks, min(oldest_ns[1] - _DAY_NS, self._newest_ns)
        for stat, path in found:
            mark, at = marks.get(stat.st_ino), stat.st_mtime_ns
            if stat.st_ino in opened:
                continue
            away = self._away.pop(stat.st_ino, None)
            history = at < oldest_ns[0] and at <= self._known_ns and stat.st_ino not in self._files
            if mark is None and (history or (away and away[1] == stamp(stat))):
                self.put(stat, path)
            elif mark is None and away:
                self._files[stat.st_ino] = away  # it was written to meanwhile: its new lines count
            elif mark is not None and mark.closed == stamp(stat) and at < long_ago_ns:
                self.put(stat, path)
                self._known.drop(mark)

    def put(self, stat: os.stat_result, path: Path) -> None:
        """Know this one."""
        self._files[stat.st_ino] = path.name, stamp(stat)

    def __contains__(self, stat: os.stat_result) -> bool:
        """Whether it is known, and was not written to since."""
        return self._files.get(stat.st_ino, ("", (-1, 0)))[1] == stamp(stat)

    def taken(self, file: Plain, path: Path) -> Mark | None:
        """Its mark, as it was known; None where it was not, or its inode is another file's now."""
        name, (size, _) = self._files.pop(file.inode, ("", (0, 0)))
        if name != path.name or file.stat.st_size < size:
            return None
        mark = Mark(file.inode, size, file.start())
        mark.learn(file.head(mark.start))
        if isinstance(file, Packed):
            pass_all(file, mark)
        else:
            mark.cut = size > 0 and os.pread(file.fd, 1, size - 1) != b"\n"
            learn_ends(mark, file.before)
        return mark

    def forget(self, there: Set[int]) -> None:
        """Those that are gone, unless they return as they were."""
        for inode in self._files.keys() - there:
            self._away[inode] = self._files.pop(inode)
        for inode in list(self._away)[:-_AWAY]:
            del self._away[inode]
