"""What is known of the log files beyond those that are watched: they may be written to later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing, suppress

from agent.sources.log_marks import Mark, Tally
from agent.sources.log_trail import AWAY_MS, Trail

_log = logging.getLogger(__name__)

_NAMES = 2_000  # of files that are forgotten: so many are saved at most
Marks = list[Mark] | None  # None: up to where it was read is forgotten


class LeftOut:
    """Up to where each was read, of as many as are watched at `most`; the others are forgotten."""

    def __init__(self, most: int, tally: Tally, window_ms: int | None) -> None:
        self.count = 0  # of those that are written to
        self.unsaved: frozenset[str] = frozenset()  # which files name forgotten ones, too many to be saved
        self._most = most
        self._tally = tally
        self._window_ms = window_ms
        self._marks: dict[str, Marks] = {}
        self._away: dict[str, int] = {}  # since when those are not there that may return (ms)

    def __contains__(self, path: str) -> bool:
        """Whether this is known to be left out."""
        return path in self._marks

    @property
    def saved(self) -> Mapping[str, Marks]:
        """What is to be kept."""
        return {path: marks for path, marks in self._marks.items() if marks is not None or not self.unsaved}

    def pop(self, path: str, marks: Marks) -> Marks:
        """What is known of one that is left out no more; `marks` where it was not."""
        return self._marks.pop(path, marks)

    def add(self, new: Mapping[str, Marks], now: int) -> None:
        """Know up to where each was read, or else where the last ones end."""
        self._marks |= new
        for path in list(new)[-self._most :]:
            if new[path] is None:
                at_end = Trail(path, None, self._tally, self._window_ms)
                with closing(at_end), suppress(OSError):  # which is told when it is watched
                    at_end.look(now)
                    self.retire(at_end, path)

    def retire(self, trail: Trail, path: str) -> None:
        """Watch it no more, and know up to where it was read."""
        trail.close()
        self._marks[path] = trail.kept

    def shorten(
        self, there: Callable[[str], bool], soon: Set[str], left: Mapping[str, str], now: int
    ) -> None:
        """Know nothing of what is not `there` for long, and little of too many that are not watched `soon`.
        `left`: by path, which file names each that is left out."""
        since = {path: min(self._away.get(path, now), now) for path in self._marks if not there(path)}
        long_ms = AWAY_MS + (self._window_ms or 0)
        self._away = {path: at for path, at in since.items() if self._marks[path] and now - at < long_ms}
        for path in since.keys() - self._away.keys():
            del self._marks[path]
        known = [path for path, marks in self._marks.items() if marks is not None and path not in soon]
        known.sort(key=lambda path: path not in self._away)  # these are the first to be forgotten
        self._marks |= dict.fromkeys(known[: -self._most])
        forgot = [path for path in left if self._marks.get(path, []) is None]
        self.unsaved = frozenset(left[path] for path in forgot) if len(forgot) > _NAMES else frozenset()

    def tell(self, written_to: Sequence[str]) -> None:
        """Count them, and log it where there were none before."""
        if written_to and not self.count:
            words = (
                "%d log files are written to beyond the %d that are watched at most, and left out, first %s"
            )
            _log.warning(words, len(written_to), self._most, written_to[0])
        self.count = len(written_to)
