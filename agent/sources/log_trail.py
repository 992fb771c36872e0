"""One log file through its life: growth, rotation by rename or copy, packing, truncation, vanishing, return.

A file is known by its inode and by digests of its first bytes and the last ones read, since inodes are used
again. Each file ever seen beside the path has a mark of what was read of it; what has no mark is new and is
read from its start. A file that begins and goes on as another one is its copy, and is not read again.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack, suppress
from copy import copy
from pathlib import Path
from stat import S_IFREG, S_ISDIR, S_ISREG

from agent.sources.log_ends import learn_ends, may_go_on
from agent.sources.log_globs import is_text
from agent.sources.log_gone import MOST
from agent.sources.log_known import COPY, Known, pass_all
from agent.sources.log_marks import HEAD, LINE_LIMIT, Mark, Tally
from agent.sources.log_open import Packed, Plain, closing_log
from agent.sources.log_passed import Passed
from agent.sources.log_reading import OpenLog
from agent.sources.log_rotated import moved_links, places, siblings, stamp
from agent.sources.log_times import since

_log = logging.getLogger(__name__)

# A writer that was not told of a rotation goes on in the old file; then its last line is given up.
_LINGER_MS = 60_000
_TICK_NS = 20_000_000
_MOST = 64  # files of one trail that are open at once
_AWAY_MS = 86_400_000  # so much longer than the window files may be away, and are known when they return


class Trail:
    """Reads the file at `path` and those that it was renamed or copied to. Every method may block.

    `marks` is what is known from before; None: nothing, and then all that exists now counts as read. What was
    written more than `window_ms` before the first look is skipped and counted: files by their time, and in
    plain ones the lines, where they begin with theirs.
    """

    def __init__(
        self, path: str, marks: list[Mark] | None, tally: Tally, window_ms: int | None = None
    ) -> None:
        self._known = Known(marks or (), self._size_of, _AWAY_MS + (window_ms or 0))
        self._path = Path(path)
        self._from_end = marks is None
        self._tally = tally
        self._window_ms = window_ms
        self._oldest_ns: int | None = None
        self._limit_ns = 0  # the same, as it would be of a start now
        self._passed = Passed(self._known)
        self._files: dict[int, OpenLog] = {}  # by inode, in the order in which they are read
        self._live: int | None = None
        self._places: tuple[Path, ...] = (self._path,)
        self._seen: tuple[int, ...] | None = None  # the live inode, and when the folders changed
        self._settled = False  # the last scan found all
        self._undecided = False  # a file may be a copy that has just begun
        self._now = 0  # at the last look
        self._told = False  # that too many are gone

    def look(self, now: int) -> None:
        """Notice what happened to the file. OSError where it cannot be read, or is a folder or the like."""
        self._now = now
        limit_ns = 0 if self._window_ms is None else (now - self._window_ms) * 1_000_000
        self._limit_ns = limit_ns
        # Less where the clock was set back: what is written then is no older than the start.
        self._oldest_ns = limit_ns if self._oldest_ns is None else min(self._oldest_ns, limit_ns)
        self._places = places(self._path)
        inode, mode, changed = 0, S_IFREG, [0]
        with suppress(FileNotFoundError):
            changed = [place.parent.stat().st_mtime_ns for place in self._places]
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
        self._close_quiet(now)
        if not S_ISREG(mode):
            raise OSError("it is a folder" if S_ISDIR(mode) else "it is no regular file")

    def take(self) -> bytes | None:
        """The next whole lines, some MiB at most, perhaps none; None where there is no more now."""
        for each in list(self._files.values()):
            lines = self._take(each)
            if lines is not None:
                return lines
        return None

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
        return self._live is not None or bool(self._known.marks)

    @property
    def kept(self) -> list[Mark] | None:
        """What a Trail takes to go on from here: None where nothing could be read yet."""
        return None if self._from_end else [copy(mark) for mark in self.marks]

    @property
    def settled(self) -> bool:
        """Whether all is known that came or went."""
        return self._settled

    @property
    def restless(self) -> bool:
        """Whether names may just be changing."""
        return not self._settled and not self._undecided and self._oldest_ns is not None

    @property
    def marks(self) -> list[Mark]:
        """What must be kept with what was counted."""
        return self._known.all()

    @property
    def files(self) -> tuple[Plain, ...]:
        """Those that are open."""
        return tuple(each.file for each in self._files.values())

    @property
    def folders(self) -> frozenset[str]:
        """Where files may come and go."""
        return frozenset(str(place.parent) for place in self._places)

    def behind(self) -> int:
        """Bytes not yet read."""
        return sum(each.file.behind(each.mark.offset) for each in self._files.values())

    def close(self) -> None:
        """Close the files; the marks stay."""
        while self._files:
            self._files.popitem()[1].file.close()

    def _take(self, each: OpenLog) -> bytes | None:
        self._check_truncated(each)
        file, mark = each.file, each.mark
        if mark.copy_of is not None:
            # It turned out to be a copy, and is closed; or soon will be, and keeps no other from being read.
            return None if mark.inode in self._files else b""
        before = mark.offset
        data = file.read(before)
        if not data:
            return b"" if data is None else None
        nameless = not mark.digests and data[0]  # there was nothing when its face was looked at
        if nameless or not file.same(mark):
            return b""  # truncated just now: what was read may be the new content in the place of the old
        if data.startswith(b"\0") and not mark.cut and file.next_data(before) > before:
            mark.pass_hole(file.next_data(before))
            return b""
        lines = mark.pass_lines(data, self._tally)
        each.learn_ends(data, before)
        self._tally.bytes += mark.offset - before
        return lines if mark.offset > before else None

    def _look_again(self) -> None:
        self._seen, self._settled = None, False

    def _scan(self, now: int) -> None:
        """Open what is new at the path and beside it, and forget what is gone."""
        self._undecided = False
        was_settled, self._settled = self._settled, False  # unless all of this succeeds
        live = self._open(self._path, live=True)
        self._live = live.mark.inode if live else None
        if live:
            led = str(self._places[-1]) if len(self._places) > 1 else ""
            live.mark.place = led if is_text(led) else ""  # it could not be saved
            self._check_truncated(live)
        there = self._open_rotated()
        self._passed.forget(there)
        complete = not self._undecided and self._path.parent.exists()  # no copy shows up without the folder
        if self._known.forget(there | self._files.keys(), now, complete=complete):
            self._look_again()
            self._open_rotated()  # what was a copy is to be read
        self._tell()
        if live:
            self._files[live.mark.inode] = self._files.pop(live.mark.inode)  # read last, as it is the newest
        for inode, each in self._files.items():
            each.until = None if inode == self._live else each.until or now + _LINGER_MS
        self._from_end = False
        self._settled = was_settled and not self._undecided and self._seen is not None

    def _tell(self) -> None:
        if self._known.too_many and not self._told:
            words = "%s: more than %d files of it are gone: one that is forgotten would be read again"
            _log.warning(words, self._path, MOST)
            self._told = True

    def _open_rotated(self) -> set[int]:
        """Open the rotated files that hold anything unread. Returns the inodes of all that are there."""
        left = [Path(mark.place) for mark in self._known.marks.values() if mark.place]
        found = [*siblings(self._places), *moved_links(left, self._known.marks)]
        oldest_ns = self._oldest_ns or 0, self._limit_ns
        self._passed.look(found, self._files, oldest_ns, all_is_history=self._from_end)
        for each in list(self._files.values()):
            self._check_truncated(each)  # so that what is listed finds its original as it was then, or newer
        marks, known = self._known.marks, (one for one in found if self._known.may_be(one[0].st_ino))
        for _, path in [one for one in known if self._is_changed(one[0])]:
            # First of all: an inode that was used again must not hide what its former file tells of others.
            with suppress(PermissionError), closing_log(path) as file:
                if file is not None:
                    self._mark_of(file, live=file.inode == self._live)
        for stat, path in found:
            if not self._is_changed(stat):
                mark = marks.get(stat.st_ino)
                if mark and mark.copy_of is not None and may_go_on(stat):
                    self._undecided = True  # nothing else tells when it goes on, and shows to be no copy
                continue
            if len(self._files) >= _MOST:
                self._undecided = True
            else:
                self._open_if_allowed(stat, path)
        return {stat.st_ino for stat, _ in found}

    def _open_if_allowed(self, stat: os.stat_result, path: Path) -> None:
        try:
            self._open(path)
        except PermissionError:  # what we may not read now, we may not have read before
            if self._from_end:
                self._passed.put(stat, path)  # when it can be read it is history all the same

    def _is_changed(self, stat: os.stat_result) -> bool:
        mark = self._known.marks.get(stat.st_ino)
        return (
            stat.st_ino not in self._files
            and (mark is None or mark.closed != stamp(stat))
            and stat not in self._passed
        )

    def _open(self, path: Path, *, live: bool = False) -> OpenLog | None:
        with closing_log(path) as file:
            if file is None:
                return None
            if file.inode in self._files:
                return self._files[file.inode]
            mark = self._mark_of(file, live=live) or self._new_mark(file, path, live=live)
            if mark is None:
                return None
            self._known.put(mark)
            if not live and mark.closed == stamp(file.stat):
                return None
            return self._add(file.kept(), mark)

    def _add(self, file: Plain, mark: Mark) -> OpenLog:
        each = self._files[mark.inode] = OpenLog(file, mark)
        if not mark.ends and not isinstance(file, Packed) and file.same(mark):
            learn_ends(mark, file.before)  # a former release knew none
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
        if not live and not self._from_end and self._may_become_copy(file):
            self._undecided = True
            return None
        mark = self._mark_anew(file, live=live)
        if mark is None:
            self._undecided = True
            return None
        if not live and mark.copy_of is None and mark.offset == mark.start:
            mark = self._passed.taken(file, path) or mark
        if self._from_end:
            pass_all(file, mark)
        if live:
            mark.copy_of = mark.closed = None
        return mark

    def _mark_of(self, file: Plain, *, live: bool) -> Mark | None:
        with ExitStack() as opened:
            return self._known.mark_of(file, live=live, file_of=lambda mark: self._file_of(mark, opened))

    def _mark_anew(self, file: Plain, *, live: bool) -> Mark | None:
        with ExitStack() as opened:
            return self._known.new_mark(file, live=live, file_of=lambda mark: self._file_of(mark, opened))

    def _file_of(self, mark: Mark, opened: ExitStack) -> Plain | None:
        """Not by the inode alone, which may be another file's by now: of a packed one nothing tells later."""
        if mark.gone:
            return None
        if mark.inode in self._files:
            return self._files[mark.inode].file
        file: Plain | None = None
        there = (path for stat, path in siblings(self._places) if stat.st_ino == mark.inode)
        with suppress(OSError):
            file = opened.enter_context(closing_log(next(there, self._path)))
        if file is None or file.inode != mark.inode:
            return None
        return None if isinstance(file, Packed) and not mark.is_of(file.head(mark.start)) else file

    def _size_of(self, mark: Mark) -> int | None:
        with ExitStack() as opened:
            file = self._file_of(mark, opened)
            return None if file is None else file.behind(0)

    def _may_become_copy(self, file: Plain) -> bool:
        head = file.head(file.start())
        if len(head) >= COPY and head[0]:
            return False
        plain = (each for each in self._files.values() if not isinstance(each.file, Packed))
        others = (each.file.head(each.mark.start) for each in plain)
        # Nothing but a hole so far: a copy is being made, or packed, of what a writer left that seeks.
        return not head or not head[0] or any(other.startswith(head) for other in others)

    def _check_truncated(self, each: OpenLog) -> None:
        lost, file = each.mark, each.file
        if file.same(lost):
            if (
                not lost.digests and lost.offset == lost.start
            ):  # else its packed copy would not be known as one
                lost.pass_hole(file.start(lost.start))
            if lost.head < HEAD:
                self._known.learn(lost, file.head(lost.start))
            return
        self._tally.truncated += 1
        self._look_again()  # what was not read of it is perhaps in a copy
        self._known.lose(lost)
        # Where it cannot be told yet of a rotated one, it is no copy: to wait is for files that are not open.
        mark = self._mark_anew(file, live=file.inode == self._live) or self._known.unlike(file)
        each.mark = mark
        self._known.put(mark)
        for inode in [n for n, other in self._files.items() if other.mark.copy_of is not None]:
            self._files.pop(inode).file.close()

    def _close_quiet(self, now: int) -> None:
        """Close rotated files that were read to their end and have had time to grow."""
        surplus = len(self._files) - _MOST // 2
        for nth, (inode, each) in enumerate(list(self._files.items())):
            if each.until is None:
                continue
            each.until = min(each.until, now + _LINGER_MS)  # the clock may have been set back
            if now < each.until and nth >= surplus:
                continue
            stat, rest = each.file.stat, each.file.read(each.mark.offset)
            quiet = rest is not None and b"\n" not in rest and len(rest) < LINE_LIMIT
            if quiet and each.file.same(each.mark):
                self._tally.unfinished += bool(rest) and not each.mark.cut
                each.mark.closed = stamp(stat)
                self._files.pop(inode).file.close()
                self._look_again()  # its mark goes when it is seen that the file is gone, or is packed
