"""Chunks searched for fragments of patterns by Aho and Corasick's automaton, behind Teddy's vectors.

Teddy, which is of hyperscan, compares 32 places at once with few short texts. What the processor can is
probed as it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from agent.sources.log_fragments import LENGTH, Use
from agent.sources.log_lines import ends_at
from agent.sources.log_scan_copy import MANY, TooMany

WINDOW = 1 << 19  # bytes that are searched at once: the places found in them are tuples, for a moment
_FEW = 4  # texts: for two or three of them it looks for single bytes, which are everywhere


class TextFinder:
    """Looks for all fragments in one pass, during which the interpreter runs other threads."""

    name = "aho-corasick"
    at_once = 8 << 20

    def __init__(self, cover: Mapping[bytes, Sequence[Use]]) -> None:
        self.numbers = frozenset(use.number for uses in cover.values() for use in uses)
        self.vain: Mapping[bytes, int] = {}
        self._cover = cover
        # The kind that has Teddy. It finds all that do not overlap, as these cannot.
        self._texts = (*cover, *_padding(cover))
        self._automaton = BytesAhoCorasick(self._texts, matchkind=MatchKind.LeftmostFirst)

    def find(self, chunk: bytes) -> Mapping[int, list[int]]:
        """The ends of the lines that hold a text of each pattern. TooMany: the chunk must be cut."""
        ends: dict[int, list[int]] = {}
        self.vain = vain = {}
        starts = chunk.startswith
        for (fragment, uses), places in zip(self._cover.items(), self._places(chunk), strict=False):
            if not places:
                continue
            useful = set[int]()
            for number, text, before in uses:
                # A place before the chunk counts from its end, where there is too little for the text to fit.
                mine = [at for at in places if starts(text, at - before)]
                if mine:
                    found = ends_at(chunk, mine)
                    useful.update(found)
                    ends[number] = sorted({*ends[number], *found}) if number in ends else found
            vain[fragment] = len(places) - len(useful)
        return ends

    def _places(self, chunk: bytes) -> list[list[int]]:
        """Where each fragment begins."""
        places: list[list[int]] = [[] for _ in self._texts]
        left, view = MANY, memoryview(chunk)
        for begin in range(0, len(chunk), WINDOW):
            found = self._automaton.find_matches_as_indexes(view[begin : begin + WINDOW + LENGTH - 1])
            left -= len(found)
            if left < 0 and chunk.find(b"\n") < len(chunk) - 1:
                raise TooMany
            for which, at, _ in found:
                places[which].append(begin + at)
        return places


def _padding(fragments: Collection[bytes]) -> list[bytes]:
    """Texts that are in no log, and overlap no fragment."""
    missing = _FEW - len(fragments) if len(fragments) > 1 else 0
    taken = frozenset(b"".join(fragments))
    return [bytes((byte,)) * LENGTH for byte in range(1, 256) if byte not in taken][: max(missing, 0)]
