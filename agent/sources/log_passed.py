"""Rotated files that are known only by name: each was read, or is too old to be. There may be thousands."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path

from agent.sources.log_ends import learn_ends
from agent.sources.log_known import pass_all
from agent.sources.log_marks import Mark
from agent.sources.log_open import Packed, Plain
from agent.sources.log_rotated import stamp


class Passed:
    """They need no mark, and are not opened unless they are written to again."""

    def __init__(self) -> None:
        self._files: dict[int, tuple[str, tuple[int, int]]] = {}  # by inode: the name, and the stamp

    def put(self, stat: os.stat_result, path: Path) -> None:
        """Know this one."""
        self._files[stat.st_ino] = path.name, stamp(stat)

    def __contains__(self, stat: os.stat_result) -> bool:
        """Whether it is known, and was not written to since."""
        return self._files.get(stat.st_ino, ("", (-1, 0)))[1] == stamp(stat)

    def knows(self, stat: os.stat_result) -> bool:
        """Whether there was one with this inode."""
        return stat.st_ino in self._files

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
        """Those that are gone."""
        for inode in self._files.keys() - there:
            del self._files[inode]
