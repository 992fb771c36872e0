"""All files of one trail that are known: which is which, which is another's copy, and what is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agent.sources.log_ends import goes_on, repeats
from agent.sources.log_faces import Faces
from agent.sources.log_gone import Gone
from agent.sources.log_mark_moves import begun, learn_anew, limit, pass_all, read_on
from agent.sources.log_marks import Mark
from agent.sources.log_open import Packed, Plain
from agent.sources.log_rotated import stamp

COPY = 64  # so many equal first bytes make one file the copy of another
_PACKED_COPY = 16  # of a packed one, which cannot be the next file that happens to begin alike
_NOBODY = 0  # in place of an inode: the file that a copy repeats is gone, and read


class Known:
    """Marks by inode, and those of files that are gone: what they were packed to may show up later, or they
    themselves return within `away_ms`.

    A copy is read only where its original was lost before it was read to its end. `size_of` tells how much
    the file of a mark holds now; None where it is not there.
    """

    def __init__(self, marks: Iterable[Mark], size_of: Callable[[Mark], int | None], away_ms: int) -> None:
        every = list(marks)
        self._size_of = size_of
        self.marks = {mark.inode: mark for mark in every if not mark.gone}
        self._absent: set[int] = set()
        self._faces = Faces(self.marks.values())
        self._gone = Gone([mark for mark in every if mark.gone], self._faces, away_ms)

    def all(self) -> list[Mark]:
        """What is to be kept."""
        return [*self.marks.values(), *self._gone.all]

    @property
    def too_many(self) -> bool:
        """Whether some are forgotten that are gone, and might have returned."""
        return self._gone.too_many

    def may_return(self, now: int) -> bool:
        """Whether any file that is gone may."""
        return self._gone.may_return(now)

    def may_be(self, inode: int) -> bool:
        """Whether a file with this inode may be known."""
        return inode in self.marks or self._gone.away(inode) is not None

    def put(self, mark: Mark) -> None:
        """The mark of a file that is there."""
        self.marks[mark.inode] = mark
        self._faces.put(mark)

    def drop(self, mark: Mark) -> None:
        """Know nothing of it."""
        del self.marks[mark.inode]
        self._faces.drop(mark)

    def learn(self, mark: Mark, head: bytes) -> None:
        """Know more of how its file begins."""
        mark.learn(head)
        self._faces.put(mark)

    def mark_of(self, file: Plain, *, live: bool, file_of: Callable[[Mark], Plain | None]) -> Mark | None:
        """The mark of a file that is known by its inode; a mark that is another file's is lost. `file_of`
        opens the file of another mark, where that is there."""
        mark = self.marks.get(file.inode) or self._returned(file)
        if mark is None:
            return None
        if not mark.digests and mark.offset == mark.start:
            return None  # it was empty: it may be anything
        if not _is_of(file, mark) and (mark.closed is not None or not live):
            self.lose(mark)
            return None
        if live:
            mark.copy_of = mark.closed = None
        elif mark.copy_of is not None:
            self.learn(mark, file.head(mark.start))
            original = self.marks.get(mark.copy_of)
            if original and repeats(file, original, file_of(original), whole=False) is False:
                return self._unlike_original(file, mark, file_of)
            pass_all(file, mark)
        return mark

    def _unlike_original(self, file: Plain, mark: Mark, file_of: Callable[[Mark], Plain | None]) -> Mark:
        """The mark of what was taken for the copy of one file, and may be another's."""
        anew = self.new_mark(file, live=False, file_of=file_of)
        if anew is not None and (anew.copy_of is not None or anew.offset > anew.start):
            self._faces.drop(mark)
            self.put(anew)
            return anew
        read_on(file, mark)
        return mark

    def new_mark(self, file: Plain, *, live: bool, file_of: Callable[[Mark], Plain | None]) -> Mark | None:
        """The mark of a file not seen before: read from its start, unless it is a copy; None where that
        cannot be told yet. `file_of` as of mark_of."""
        (mark, head), twin = begun(file), None
        for each in self._alike(mark, head, _PACKED_COPY if isinstance(file, Packed) else COPY):
            same = repeats(file, each, file_of(each), whole=live)
            if same is None:
                return None
            if same:
                twin = each
                break
        if twin is None:
            return mark
        if live or _has_unread(file, twin, file_of(twin)):
            mark.offset, mark.cut, mark.ends = twin.offset, twin.cut, twin.ends
            if not isinstance(file, Packed):
                limit(mark, file.stat.st_size)
            if twin.gone:
                self._gone.drop(twin)
            else:  # its copy was seen before the live file, which was truncated and copied meanwhile
                twin.copy_of, twin.closed = mark.inode, (0, 0)
        else:
            mark.copy_of, mark.ends = _NOBODY if twin.gone else twin.inode, twin.ends
            pass_all(file, mark)
        return mark

    def unlike(self, file: Plain) -> Mark:
        """The mark of a file that is read from its start, whatever it is like."""
        mark, _ = begun(file)
        return mark

    def _alike(self, mark: Mark, head: bytes, least: int) -> list[Mark]:
        """Those of other files that begin as one with this head, the originals before the copies. What was in
        the file itself is no longer there: had it only been away, it would have its mark again."""
        alike = self._faces.alike(mark.start, head, least)
        others = (each for each in alike if each.inode != mark.inode)
        return sorted(others, key=lambda each: each.copy_of is not None)

    def _returned(self, file: Plain) -> Mark | None:
        """The mark of a file that was away; another one has its inode for good."""
        mark = self._gone.away(file.inode)
        if mark is None:
            return None
        known = mark.closed == stamp(file.stat) or (bool(mark.digests) and file.behind(0) >= mark.offset)
        if not known or not _is_of(file, mark):
            self._gone.replace(mark)
            return None
        self._gone.take(mark)
        learn_anew(file, mark)
        self.put(mark)
        return mark

    def lose(self, mark: Mark, left_ms: int = 0) -> bool:
        """Its file left then, or is another (0): what was not read of it is read of its copy.
        Whether there is one already."""
        if self.marks.get(mark.inode) is mark:
            del self.marks[mark.inode]
        copies = [each for each in self.marks.values() if each.copy_of == mark.inode]
        copy = next((each for each in copies if self._has_more(each, mark)), None)
        for each in copies:
            # Not of the next file with this inode: it may be the same one, written anew.
            each.copy_of = _NOBODY if copy is None else copy.inode
            if each.offset < mark.offset and self._size_of(each) is None:
                self.drop(each)  # it was seen half made, perhaps but what the next one begins with, too
        if copy is not None:
            copy.offset, copy.cut, copy.ends = mark.offset, mark.cut, mark.ends
            size = self._size_of(copy)
            if size is not None:  # when it was looked at last it was perhaps half made
                limit(copy, size)
            copy.closed = copy.copy_of = None
            self._faces.drop(mark)
            return True
        self._gone.add(mark, left_ms)
        return False

    def _has_more(self, copy: Mark, mark: Mark) -> bool:
        """Whether what was not read of a file can be in this copy, which may have been made earlier."""
        size = self._size_of(copy) if mark.closed is None and copy.repeats(mark) else None
        return size is not None and size >= mark.offset

    def forget(self, there: set[int], now: int, *, complete: bool) -> bool:
        """Lose what is not there; whether that left a copy to be read. `complete`: any copy that there is
        was seen."""
        # Twice absent: a name may be missed while the files are being renamed.
        absent = self.marks.keys() - there
        gone = [self.marks[inode] for inode in absent & self._absent]
        left = [self.lose(mark, now) for mark in gone if mark.inode in self.marks]
        self._absent = absent
        if complete:
            self._gone.age(now)
        return any(left)


def _has_unread(file: Plain, mark: Mark, original: Plain | None) -> bool:
    """Whether the copy of a file that is not there holds what was not read of that: it was written to since,
    or both but begin alike."""
    if mark.closed is None:
        return mark.gone > 0  # else it is read when its original is seen to be gone
    return original is None and file.behind(0) > max(mark.offset, mark.closed[0])


def _is_of(file: Plain, mark: Mark) -> bool:
    if not mark.is_of(file.head(mark.start)):
        return False
    if isinstance(file, Packed) and not mark.ends:
        return mark.closed is None or file.behind(0) == mark.offset
    whole = mark.copy_of is None and not isinstance(file, Packed)
    return goes_on(file, mark, whole=whole) is not False
