"""Chunks searched for texts, one after another: for patterns that are too many for one automaton."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from agent.sources.log_lines import ends_at
from agent.sources.log_scan_copy import MANY, SHORT, ScanCopy, TooMany


class LiteralFinder:
    """Looks for each text that a pattern's lines hold."""

    name = "literals"
    at_once = SHORT
    vain: Mapping[bytes, int] = MappingProxyType({})

    def __init__(self, copies: Mapping[int, ScanCopy]) -> None:
        self.numbers = frozenset(copies)
        self._texts = {number: copy.literals for number, copy in copies.items()}

    def find(self, chunk: bytes) -> Mapping[int, Sequence[int]]:
        """The ends of the lines that the texts are in. TooMany: the chunk must be cut."""
        ends: dict[int, Sequence[int]] = {}
        left = MANY
        for number, texts in self._texts.items():
            places = sorted(at for text in texts for at in islice(_places(chunk, text), left + 1))
            left -= len(places)
            if left < 0:
                raise TooMany
            if places:
                ends[number] = ends_at(chunk, places)
        return ends


def _places(chunk: bytes, text: bytes) -> Iterator[int]:
    at = chunk.find(text)
    while at >= 0:
        yield at
        end = chunk.find(b"\n", at)
        at = chunk.find(text, end) if end >= 0 else -1
