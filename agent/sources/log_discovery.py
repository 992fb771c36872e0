"""The files at one path and beside it are found, and opened where they hold anything unread."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from agent.sources.log_ends import learn_ends, may_go_on
from agent.sources.log_globs import is_text
from agent.sources.log_identities import Identities
from agent.sources.log_mark_moves import pass_all
from agent.sources.log_marks import Mark, Tally
from agent.sources.log_open import Packed, Plain, closing_log
from agent.sources.log_opened import MOST, OpenLogs
from agent.sources.log_passed import Passed
from agent.sources.log_reading import OpenLog
from agent.sources.log_rotated import moved_links, siblings, stamp
from agent.sources.log_times import since


class Discovery:
    """Opens them among `opened`. `from_end`: all that is found now counts as read; `window_ms` is a Trail's.
    Every method may block."""

    def __init__(
        self, identities: Identities, opened: OpenLogs, tally: Tally, window_ms: int | None, *, from_end: bool
    ) -> None:
        self.from_end = from_end
        self.undecided = False  # a file may be a copy that has just begun
        self._identities = identities
        self._opened = opened
        self._known = identities.known
        self._files = identities.opened
        self._passed = Passed(identities.known)
        self._tally = tally
        self._window_ms = window_ms
        self._oldest_ns: int | None = None
        self._limit_ns = 0  # the same, as it would be of a start now

    @property
    def has_begun(self) -> bool:
        """Whether there was a look."""
        return self._oldest_ns is not None

    def begin(self, now: int) -> None:
        """A look, at this time."""
        limit_ns = 0 if self._window_ms is None else (now - self._window_ms) * 1_000_000
        self._limit_ns = limit_ns
        # Less where the clock was set back: what is written then is no older than the start.
        self._oldest_ns = limit_ns if self._oldest_ns is None else min(self._oldest_ns, limit_ns)

    def find(self, path: Path) -> set[int]:
        """Open what is new at the path and beside it. Returns the inodes of all that are beside it."""
        self.undecided = False
        live = self._open(path, live=True)
        self._opened.live = live.mark.inode if live else None
        if live:
            led = str(self._identities.places[-1]) if len(self._identities.places) > 1 else ""
            live.mark.place = led if is_text(led) else ""  # it could not be saved
            self._opened.check_truncated(live)
        there = self.open_rotated()
        self._passed.forget(there)
        return there

    def _open(self, path: Path, *, live: bool = False) -> OpenLog | None:
        with closing_log(path) as file:
            if file is None:
                return None
            if file.inode in self._files:
                return self._files[file.inode]
            mark = self._identities.mark_of(file, live=live) or self._new_mark(file, path, live=live)
            if mark is None:
                return None
            self._known.put(mark)
            if not live and mark.closed == stamp(file.stat):
                return None
            return self._add(file.kept(), mark)

    def open_rotated(self) -> set[int]:
        """Open the rotated files that hold anything unread. Returns the inodes of all that are there."""
        left = [Path(mark.place) for mark in self._known.marks.values() if mark.place]
        found = [*siblings(self._identities.places), *moved_links(left, self._known.marks)]
        oldest_ns = self._oldest_ns or 0, self._limit_ns
        self._passed.look(found, self._files, oldest_ns, all_is_history=self.from_end)
        for each in list(self._files.values()):
            # So that what is listed finds its original as it was then, or newer.
            self._opened.check_truncated(each)
        marks, changed = self._known.marks, [one for one in found if self._is_changed(one[0])]
        for _, path in [one for one in changed if self._known.may_be(one[0].st_ino)]:
            # First of all: an inode that was used again must not hide what its former file tells of others.
            with suppress(PermissionError), closing_log(path) as file:
                if file is not None:
                    self._identities.mark_of(file, live=file.inode == self._opened.live)
        for stat, path in found:
            if not self._is_changed(stat):
                mark = marks.get(stat.st_ino)
                if mark and mark.copy_of is not None and may_go_on(stat):
                    self.undecided = True  # nothing else tells when it goes on, and shows to be no copy
                continue
            if len(self._files) >= MOST:
                self.undecided = True
            else:
                self._open_if_allowed(stat, path)
        return {stat.st_ino for stat, _ in found}

    def _open_if_allowed(self, stat: os.stat_result, path: Path) -> None:
        try:
            self._open(path)
        except PermissionError:  # what we may not read now, we may not have read before
            if self.from_end:
                self._passed.put(stat, path)  # when it can be read it is history all the same

    def _is_changed(self, stat: os.stat_result) -> bool:
        mark = self._known.marks.get(stat.st_ino)
        return (
            stat.st_ino not in self._files
            and (mark is None or mark.closed != stamp(stat))
            and stat not in self._passed
        )

    def _add(self, file: Plain, mark: Mark) -> OpenLog:
        each = self._opened.add(file, mark)
        if file.stat.st_mtime_ns < (self._oldest_ns or 0):
            self._tally.skipped += file.behind(mark.offset)
            pass_all(file, mark)
            mark.closed = None  # it is open, and may grow
        elif self._oldest_ns and not isinstance(file, Packed) and not mark.cut and file.behind(mark.offset):
            begin = since(file, mark.offset, self._oldest_ns // 1_000_000)
            self._tally.skipped += begin - mark.offset
            mark.offset = begin
            learn_ends(mark, file.before)
        return each

    def _new_mark(self, file: Plain, path: Path, *, live: bool) -> Mark | None:
        """None where it cannot be told yet whether it is a copy that is just being made."""
        if not live and not self.from_end and self._identities.may_become_copy(file):
            self.undecided = True
            return None
        mark = self._identities.mark_anew(file, live=live)
        if mark is None:
            self.undecided = True
            return None
        if not live and mark.copy_of is None and mark.offset == mark.start:
            mark = self._passed.taken(file, path) or mark
        if self.from_end:
            pass_all(file, mark)
        if live:
            mark.copy_of = mark.closed = None
        return mark
