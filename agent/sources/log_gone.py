"""Marks of files that are gone: what they were packed to may show up, or they themselves return."""

from __future__ import annotations

from collections.abc import Iterable

from agent.sources.log_faces import Faces
from agent.sources.log_marks import Mark

_LOOKS = 4  # in which a copy of it may show up
MOST = 100  # beyond these, that may return


class Gone:
    """They are found among `faces` as long as a copy may show up. Those that left, and whose inode no other
    file was seen to have, may return for `away_ms`, as where a disk is unmounted for a while."""

    def __init__(self, marks: Iterable[Mark], faces: Faces, away_ms: int) -> None:
        self.all = list(marks)
        self.too_many = False  # some were forgotten that might have returned
        self._faces = faces
        self._away_ms = away_ms
        for mark in self.all:
            if mark.gone <= _LOOKS:
                faces.put(mark)

    def add(self, mark: Mark, left_ms: int) -> None:
        """Its file left then; 0: it is there, and holds something else."""
        mark.gone, mark.left_ms = 1, left_ms
        self.all.append(mark)

    def drop(self, mark: Mark) -> None:
        """Know nothing of it."""
        self.all.remove(mark)
        self._faces.drop(mark)

    def away(self, inode: int) -> Mark | None:
        """What a file with this inode may be that was away."""
        return next((mark for mark in self.all if mark.inode == inode and mark.left_ms), None)

    def may_return(self, now: int) -> bool:
        """Whether any of them may."""
        return any(self._is_away(mark, now) for mark in self.all)

    def take(self, mark: Mark) -> None:
        """Its file returned."""
        self.drop(mark)
        mark.gone = mark.left_ms = 0

    def replace(self, mark: Mark) -> None:
        """Its inode is another file's."""
        mark.left_ms = 0
        if mark.gone > _LOOKS:
            self.all.remove(mark)

    def age(self, now: int) -> None:
        """One look more without them."""
        for mark in self.all:
            mark.gone = min(mark.gone + 1, _LOOKS + 1)
            mark.left_ms = min(mark.left_ms, now)  # the clock may have been set back
        old = [mark for mark in self.all if mark.gone > _LOOKS]
        for mark in old:
            self._faces.drop(mark)
            if len(mark.digests) > 1:
                mark.shorten()  # a hundred of each log are saved each time that a line was read
        away = [mark for mark in old if self._is_away(mark, now)]
        self.too_many |= len(away) > MOST
        kept = {id(mark) for mark in sorted(away, key=lambda mark: mark.left_ms)[-MOST:]}
        self.all = [mark for mark in self.all if mark.gone <= _LOOKS or id(mark) in kept]

    def _is_away(self, mark: Mark, now: int) -> bool:
        return bool(mark.left_ms) and now - mark.left_ms < self._away_ms
