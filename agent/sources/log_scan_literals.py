"""Chunks searched for texts, one after another: for patterns that are too many for one automaton."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from agent.sources.log_lines import ends_at
from agent.sources.log_scan_copy import ScanCopy


class LiteralFinder:
    """Looks for each text that a pattern's lines hold."""

    name = "literals"
    vain: Mapping[bytes, int] = MappingProxyType({})

    def __init__(self, copies: Mapping[int, ScanCopy]) -> None:
        self.numbers = frozenset(copies)
        self._texts = {number: copy.literals for number, copy in copies.items()}

    def find(self, chunk: bytes) -> Mapping[int, list[int]]:
        """The ends of the lines that the texts are in."""
        places = {
            n: sorted(at for text in texts for at in _places(chunk, text)) for n, texts in self._texts.items()
        }
        return {number: ends_at(chunk, where) for number, where in places.items() if where}


def _places(chunk: bytes, text: bytes) -> Iterator[int]:
    at = chunk.find(text)
    while at >= 0:
        yield at
        end = chunk.find(b"\n", at)
        at = chunk.find(text, end) if end >= 0 else -1
