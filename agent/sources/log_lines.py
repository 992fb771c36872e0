"""Where lines are in a chunk whose last line has an end, too.

A hole at a line's beginning is no part of the line: zeros, which a writer that does not append leaves behind
a truncation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HOLES = re.compile(rb"^\0+", re.MULTILINE)

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
    spans = [(rfind(b"\n", 0, end) + 1, end) for end in ends]
    return [(start, end) if chunk[start] else (_behind_hole(chunk, start), end) for start, end in spans]


def _behind_hole(chunk: bytes, start: int) -> int:
    hole = HOLES.match(chunk, start)
    return hole.end() if hole else start
