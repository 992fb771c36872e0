"""The open files of one trail: read in turn, read anew when truncated, closed when they are quiet."""

from __future__ import annotations

from collections.abc import Callable

from agent.sources.log_ends import learn_ends
from agent.sources.log_identities import Identities
from agent.sources.log_marks import HEAD, LINE_LIMIT, Mark, Tally
from agent.sources.log_open import Packed, Plain
from agent.sources.log_reading import OpenLog
from agent.sources.log_rotated import stamp

# A writer that was not told of a rotation goes on in the old file; then its last line is given up.
_LINGER_MS = 60_000
MOST = 64  # files of one trail that are open at once


class OpenLogs:
    """Reads what is open of `identities`. `look_again` is called where another file may hold what was lost,
    or a mark may go. Every method may block."""

    def __init__(self, identities: Identities, tally: Tally, look_again: Callable[[], None]) -> None:
        self.live: int | None = None  # the inode of the file at the path
        self._identities = identities
        self._known = identities.known
        self._files = identities.opened
        self._tally = tally
        self._look_again = look_again

    def take(self) -> bytes | None:
        """The next whole lines, some MiB at most, perhaps none; None where there is no more now."""
        for each in list(self._files.values()):
            lines = self._take(each)
            if lines is not None:
                return lines
        return None

    def behind(self) -> int:
        """Bytes not yet read."""
        return sum(each.file.behind(each.mark.offset) for each in self._files.values())

    def close(self) -> None:
        """Close the files; the marks stay."""
        while self._files:
            self._files.popitem()[1].file.close()

    def add(self, file: Plain, mark: Mark) -> OpenLog:
        """Read this one, too."""
        each = self._files[mark.inode] = OpenLog(file, mark)
        if not mark.ends and not isinstance(file, Packed) and file.same(mark):
            learn_ends(mark, file.before)  # a former release knew none
        return each

    def put_live_last(self, now: int) -> None:
        """It is read last, as it is the newest; the others are given up in a while."""
        if self.live is not None:
            self._files[self.live] = self._files.pop(self.live)
        for inode, each in self._files.items():
            each.until = None if inode == self.live else each.until or now + _LINGER_MS

    def check_truncated(self, each: OpenLog) -> None:
        """Read it anew where it is no more what was read of it."""
        lost, file = each.mark, each.file
        if file.same(lost):
            # Else its packed copy would not be known as one.
            if not lost.digests and lost.offset == lost.start:
                lost.pass_hole(file.start(lost.start))
            if lost.head < HEAD:
                self._known.learn(lost, file.head(lost.start))
            return
        self._tally.truncated += 1
        self._look_again()  # what was not read of it is perhaps in a copy
        self._known.lose(lost)
        # Where it cannot be told yet of a rotated one, it is no copy: to wait is for files that are not open.
        mark = self._identities.mark_anew(file, live=file.inode == self.live) or self._known.unlike(file)
        each.mark = mark
        self._known.put(mark)
        for inode in [n for n, other in self._files.items() if other.mark.copy_of is not None]:
            self._files.pop(inode).file.close()

    def close_quiet(self, now: int) -> None:
        """Close rotated files that were read to their end and have had time to grow."""
        surplus = len(self._files) - MOST // 2
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

    def _take(self, each: OpenLog) -> bytes | None:
        self.check_truncated(each)
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
