"""What a file holds just before some offsets: it tells two apart that begin alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from agent.sources.log_marks import HEAD, Mark, digest
from agent.sources.log_open import Packed, Plain

_GROWS_NS = 60_000_000_000  # so long after it was written to a short file may soon show whose copy it is
_LONG = 64 << 20  # bytes that take a fifth of a second to unpack
_SHORT = 64 << 10  # bytes in which two packed files that begin alike differ mostly


def learn_ends(mark: Mark, end: Callable[[int], bytes | None]) -> None:
    """Know what is before the offset that was reached; `end` gives the HEAD bytes before an offset, or None
    where that would cost too much."""
    passed = mark.offset - mark.start
    # A copy may be of the time when the original was shorter: it is compared at the last of these it has.
    steps = [mark.start + (HEAD << nth) for nth in range(1, 40) if HEAD << nth < passed]
    at = (*steps, mark.offset) if passed > HEAD else ()  # else the mark's `digests` are of all of it
    ends = {each: mark.ends.get(each) or ((text := end(each)) and digest(text)) for each in at}
    mark.ends = {each: text for each, text in ends.items() if text}


def goes_on(file: Plain, mark: Mark, *, whole: bool) -> bool | None:
    """Whether a file that begins alike holds what was read up to the mark: all of it where `whole`, else as
    far as it has come. None where that cannot be told yet. A mark of a former release is believed."""
    size = file.behind(0)
    if size < mark.offset and (whole or size < mark.start + HEAD):
        return None if not whole and abs(time.time_ns() - file.stat.st_mtime_ns) < _GROWS_NS else not whole
    at = max((at for at in mark.ends if at <= size), default=None)
    if at is None:
        return True
    if isinstance(file, Packed) and size > _LONG and size in (mark.offset, mark.closed and mark.closed[0]):
        return True  # two that are so long are not of the same length by chance
    return _holds(file, at, mark.ends[at])


def repeats(file: Plain, mark: Mark, original: Plain | None, *, whole: bool) -> bool | None:
    """The same, where the mark's own file may be open: then that is compared itself."""
    same = goes_on(file, mark, whole=whole)
    # A copy that has less than was read is of one that is there: it is being made, or that was truncated.
    shorter = not mark.gone and not isinstance(file, Packed) and file.behind(0) < mark.offset
    if original is None and (shorter or _is_unknown(mark) or _is_of_half(file, mark, whole=whole)):
        return False
    if same is False or original is None:
        return same
    size, there = file.behind(0), original.behind(0)
    at = min(size, there)
    if isinstance(original, Packed):
        if isinstance(file, Packed) and file.trailer == original.trailer:
            return True
        if at > _SHORT and _holds(file, _SHORT, digest(original.before(_SHORT))) is False:
            return False
    held = _holds(file, at, digest(original.before(at)))
    if held is None or (held and (whole or size <= there)):
        return held
    if not original.same(mark):
        return held or same
    # No copy is longer than its original, which may so far be but what each of them begins with.
    return None if held and _holds(file, size, "") is None else False


def may_go_on(stat: os.stat_result) -> bool:
    """Whether a file that is a copy so far is short and young, so that it may soon show that it is none."""
    return stat.st_size < _SHORT and abs(time.time_ns() - stat.st_mtime_ns) < _GROWS_NS


def _is_unknown(mark: Mark) -> bool:
    """Whether it is of a packed file, which is longer than that was, of which only the beginning is known."""
    was_packed = mark.closed is not None and mark.closed[0] < mark.offset
    return was_packed and not mark.ends and mark.offset - mark.start > HEAD


def _is_of_half(file: Plain, mark: Mark, *, whole: bool) -> bool:
    """Whether it is of a copy that is gone and may have been seen half made: it was passed and not read, and
    held perhaps no more than what each of them begins with."""
    return mark.copy_of is not None and (whole or file.behind(0) > mark.offset)


def _holds(file: Plain, at: int, end: str) -> bool | None:
    text = file.before(at)
    if isinstance(file, Packed) and len(text) < min(HEAD, at):
        return None
    return digest(text) == end
