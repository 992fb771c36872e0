"""Chunks searched by RE2: for all patterns at once, or for each by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import re2

from agent.sources.log_lines import HOLES, ends_at
from agent.sources.log_scan_copy import MANY, SHORT, ScanCopy, TooMany

AUTOMATON_BYTES = (
    64 << 20
)  # 40 patterns in one automaton; below that re2 falls back to something ten times slower
_TEXT_ENDS = re.compile(r"\\[Az]|\(\?[a-zA-Z]*-")  # also flags that are taken back, as in (?-m)


class Re2Finder:
    """One pass of all patterns together. Raises re2.error: together they are too big."""

    name = "re2"
    at_once = SHORT
    vain: Mapping[bytes, int] = MappingProxyType({})

    def __init__(self, copies: Mapping[int, ScanCopy], memory: int = AUTOMATON_BYTES) -> None:
        self.numbers = frozenset(copies)
        texts = [copy.scan for copy in copies.values() if copy.scan is not None]
        self._any = _compiled(b"(?m)" + b"|".join(b"(?:" + text + b")" for text in texts), memory, latin=True)
        self._one = [(copy.literals[0], number) for number, copy in copies.items() if len(copy.literals) == 1]
        self._others = [(copy.literals, number) for number, copy in copies.items() if len(copy.literals) != 1]

    def find(self, chunk: bytes) -> Mapping[int, list[int]]:
        """The ends of lines that some pattern finds, for those patterns of which the line holds a text.
        TooMany: the chunk must be cut."""
        ends: dict[int, list[int]] = {}
        at, left = 0, MANY
        while (found := self._any.search(chunk, at)) is not None and found.start() < len(chunk):
            start = chunk.rfind(b"\n", 0, found.start()) + 1
            end = chunk.find(b"\n", found.start())
            at = end + 1
            line = chunk[start:at]
            numbers = [number for text, number in self._one if text in line]
            numbers += [n for texts, n in self._others if not texts or any(text in line for text in texts)]
            for number in numbers:
                ends.setdefault(number, []).append(end)
            left -= len(numbers)
            if left < 0:
                raise TooMany
        return ends


class SeparateFinder:
    """Each pattern as it was written, by itself: for what can be searched in no other way."""

    name = "re2, each by itself"
    at_once = SHORT
    vain: Mapping[bytes, int] = MappingProxyType({})

    def __init__(self, regexes: Mapping[int, str]) -> None:
        self.numbers = frozenset(regexes)
        self._each = {number: _compiled("(?m)" + _in_chunk(regex)) for number, regex in regexes.items()}

    def find(self, chunk: bytes) -> Mapping[int, list[int]]:
        """The ends of the lines in which matches begin, and of those that begin with a hole. TooMany: the
        chunk must be cut."""
        holed = ends_at(chunk, [hole.start() for hole in HOLES.finditer(chunk)]) if b"\0" in chunk else []
        most = MANY // len(self._each)
        if len(holed) > most:
            raise TooMany
        each = {number: _ends(regex, chunk, most) for number, regex in self._each.items()}
        return {n: sorted({*ends, *holed}) if holed else ends for n, ends in each.items() if ends or holed}


def _ends(regex: Any, chunk: bytes, most: int) -> list[int]:
    ends: list[int] = []
    at = 0
    # What is found at the very end lies behind the last line.
    while (found := regex.search(chunk, at)) is not None and found.start() < len(chunk):
        ends += ends_at(chunk, [found.start()])
        at = ends[-1] + 1
        if len(ends) > most:
            raise TooMany
    return ends


def _in_chunk(regex: str) -> str:
    """What finds every line in a chunk that `regex` finds, and perhaps more. `^` and `$` are made to mean a
    line's ends there, but what insists on the text's own ends has to look at each line."""
    return "" if _TEXT_ENDS.search(regex) else regex


def _compiled(regex: str | bytes, memory: int = AUTOMATON_BYTES, *, latin: bool = False) -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors = memory, False
    if latin:
        options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(regex, options)
