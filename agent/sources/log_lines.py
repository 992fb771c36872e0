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


def lines_to(chunk: bytes, ends: Iterable[int]) -> tuple[list[Span], list[bytes]]:
    """The lines that have these ends: where they are, and each with its end."""
    rfind = chunk.rfind
    spans = [(rfind(b"\n", 0, end) + 1, end) for end in ends]
    lines = [chunk[start : end + 1] for start, end in spans]
    if 0 in [line[0] for line in lines]:
        holes = [len(line) - len(line.lstrip(b"\0")) for line in lines]
        spans = [(start + hole, end) for (start, end), hole in zip(spans, holes, strict=True)]
        lines = [line[hole:] for line, hole in zip(lines, holes, strict=True)]
    return spans, lines
