"""Where lines are in a chunk whose last line has an end, too."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]  # a line's first byte, and behind its last one: where its end is


def ends_at(chunk: bytes, places: Iterable[int]) -> list[int]:
    """The ends of the lines that these places, which ascend, are in, each once; behind the last is none."""
    ends = []
    last, size = -1, len(chunk)
    for at in places:
        if last < at < size:
            last = chunk.find(b"\n", at)
            ends.append(last)
    return ends


def lines_to(chunk: bytes, ends: Iterable[int]) -> list[Span]:
    """The lines that have these ends."""
    rfind = chunk.rfind
    return [(rfind(b"\n", 0, end) + 1, end) for end in ends]
