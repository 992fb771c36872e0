"""One log file through its life: growth, rotation by rename or copy, packing, truncation, vanishing, return.

A file is known by its inode and by digests of its first bytes and the last ones read, since inodes are used
again. Each file ever seen beside the path has a mark of what was read of it; what has no mark is new and is
read from its start. A file that begins and goes on as another one is its copy, and is not read again.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from copy import copy
from pathlib import Path
from stat import S_IFREG, S_ISDIR, S_ISREG

from agent.sources.log_discovery import Discovery
from agent.sources.log_gone import MOST
from agent.sources.log_identities import Identities
from agent.sources.log_marks import Mark, Tally
from agent.sources.log_open import Plain
from agent.sources.log_opened import OpenLogs
from agent.sources.log_rotated import places

_log = logging.getLogger(__name__)

_TICK_NS = 20_000_000
AWAY_MS = 86_400_000  # so much longer than the window files may be away, and are known when they return


class Trail:
    """Reads the file at `path` and those that it was renamed or copied to. Every method may block.

    `marks` is what is known from before; None: nothing, and then all that exists now counts as read. What was
    written more than `window_ms` before the first look is skipped and counted: files by their time, and in
    plain ones the lines, where they begin with theirs.
    """

    def __init__(
        self, path: str, marks: list[Mark] | None, tally: Tally, window_ms: int | None = None
    ) -> None:
        self._path = Path(path)
        self._identities = Identities(self._path, marks or (), AWAY_MS + (window_ms or 0))
        self._known = self._identities.known
        self._opened = OpenLogs(self._identities, tally, self._look_again)
        self._discovery = Discovery(self._identities, self._opened, tally, window_ms, from_end=marks is None)
        self._seen: tuple[int, ...] | None = None  # the live inode, and when the folders changed
        self._settled = False  # the last scan found all
        self._now = 0  # at the last look
        self._told = False  # that too many are gone

    def look(self, now: int) -> None:
        """Notice what happened to the file. OSError where it cannot be read, or is a folder or the like."""
        self._now = now
        self._discovery.begin(now)
        self._identities.places = places(self._path)
        inode, mode, changed = 0, S_IFREG, [0]
        with suppress(FileNotFoundError):
            changed = [place.parent.stat().st_mtime_ns for place in self._identities.places]
            stat = self._path.stat()
            inode, mode = stat.st_ino, stat.st_mode
        seen = (inode, *changed)
        if seen != self._seen or not self._settled:
            # Once more after each change, since a name may be missed while files are being renamed; and until
            # the change is older than the clock's tick, within which there may be another of the same time;
            # or is of a time to come, as where the clock was set back, at which there is no other one now.
            clock_ns = time.time_ns()
            settled = seen == self._seen and all(abs(clock_ns - each) > _TICK_NS for each in changed)
            self._seen, self._settled = seen, settled
            self._scan(now)
        self._opened.close_quiet(now)
        if not S_ISREG(mode):
            raise OSError("it is a folder" if S_ISDIR(mode) else "it is no regular file")

    @property
    def alive(self) -> bool:
        """Whether there is, or may still be, anything of it."""
        return self.is_there or not self._settled

    @property
    def may_return(self) -> bool:
        """Whether there was anything of it not long ago, as where a disk is unmounted for a while."""
        return self._known.may_return(self._now)

    @property
    def is_there(self) -> bool:
        """Whether there is the file, or anything that it was renamed or copied to."""
        return self._opened.live is not None or bool(self._known.marks)

    @property
    def kept(self) -> list[Mark] | None:
        """What a Trail takes to go on from here: None where nothing could be read yet."""
        return None if self._discovery.from_end else [copy(mark) for mark in self.marks]

    @property
    def settled(self) -> bool:
        """Whether all is known that came or went."""
        return self._settled

    @property
    def restless(self) -> bool:
        """Whether names may just be changing."""
        return not self._settled and not self._discovery.undecided and self._discovery.has_begun

    @property
    def marks(self) -> list[Mark]:
        """What must be kept with what was counted."""
        return self._known.all()

    @property
    def files(self) -> tuple[Plain, ...]:
        """Those that are open."""
        return tuple(each.file for each in self._identities.opened.values())

    @property
    def folders(self) -> frozenset[str]:
        """Where files may come and go."""
        return frozenset(str(place.parent) for place in self._identities.places)

    def take(self) -> bytes | None:
        """The next whole lines, some MiB at most, perhaps none; None where there is no more now."""
        return self._opened.take()

    def behind(self) -> int:
        """Bytes not yet read."""
        return self._opened.behind()

    def close(self) -> None:
        """Close the files; the marks stay."""
        self._opened.close()

    def _look_again(self) -> None:
        self._seen, self._settled = None, False

    def _scan(self, now: int) -> None:
        """Open what is new at the path and beside it, and forget what is gone."""
        was_settled, self._settled = self._settled, False  # unless all of this succeeds
        there = self._discovery.find(self._path)
        complete = not self._discovery.undecided and self._path.parent.exists()  # no copy shows up without it
        if self._known.forget(there | self._identities.opened.keys(), now, complete=complete):
            self._look_again()
            self._discovery.open_rotated()  # what was a copy is to be read
        self._tell()
        self._opened.put_live_last(now)
        self._discovery.from_end = False
        self._settled = was_settled and not self._discovery.undecided and self._seen is not None

    def _tell(self) -> None:
        if self._known.too_many and not self._told:
            words = "%s: more than %d files of it are gone: one that is forgotten would be read again"
            _log.warning(words, self._path, MOST)
            self._told = True
