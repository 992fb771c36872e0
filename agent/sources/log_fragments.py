"""Fragments of patterns: few short texts, rare in a log, of which every line that a pattern finds holds one.

To look for four bytes that many patterns share costs less than to look for each pattern, and what stands
around them tells which pattern it may be. Which fragments are rare is learnt from pieces of the log itself:
ripgrep, too, looks for the byte of a text that is rarest in most files. They are chosen by the greedy rule
of weighted set cover (Chvatal 1979).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LENGTH = 4  # bytes of a fragment: as many as Teddy, the search for several texts at once, compares first
_PIECES = 4  # of the log, that are kept to learn from
_LEARNT = 1 << 14  # bytes of a piece
_COMMON = 1 << 12  # one in so many bytes of the log is too many for a closer look at each
_SEEN = 2.0  # a fragment that is met once in the pieces costs as much as so many more fragments

Runs = Sequence[Sequence[bytes]]  # by branch, the texts that each match of it holds
Need = tuple[int, int]  # a pattern's number, and which of its branches


class Use(NamedTuple):
    """The pattern for which a fragment stands where `text` is around it, `before` bytes of it first."""

    number: int
    text: bytes
    before: int


class Lore:
    """What is known of a log: some pieces of it, and `common`: the fragments met for nothing too often."""

    def __init__(self) -> None:
        self.common: set[bytes] = set()
        self._pieces = deque[bytes](maxlen=_PIECES)
        self._letters = np.zeros(256)  # how often each is in them, as a logarithm

    def learn(self, piece: bytes) -> None:
        """That the log has such lines, too, going by the beginning of the piece."""
        self._pieces.append(piece[:_LEARNT])
        bytes_ = np.frombuffer(b"".join(self._pieces), np.uint8)
        self._letters = np.log2(1 + np.bincount(bytes_, minlength=256))

    def cover(self, patterns: Mapping[int, Runs]) -> dict[bytes, list[Use]]:
        """Fragments no two of which can overlap, with their uses: each branch of a pattern has one; none of
        a pattern with a branch of which all fragments are common, or taken up by others."""
        uses = _uses(patterns)
        seen = self._seen(list(uses))
        rare = [each for each in uses if seen[each] * _COMMON <= self._size and each not in self.common]
        gains = {each: set(uses[each]) for each in rare}
        hopeful = _whole(patterns, gains.values())
        hoped = {each: {need for need in needs if need[0] in hopeful} for each, needs in gains.items()}
        found = _cover(hoped, {each: (1 + _SEEN * seen[each], self._likely(each)) for each in rare})
        whole = _whole(patterns, found.values())
        kept = {
            each: [uses[each][need] for need in sorted(needs) if need[0] in whole]
            for each, needs in found.items()
        }
        return {each: those for each, those in kept.items() if those}

    @property
    def _size(self) -> int:
        return sum(map(len, self._pieces))

    def _seen(self, fragments: Sequence[bytes]) -> dict[bytes, int]:
        """How often each is in the pieces."""
        there = np.sort(np.concatenate([np.zeros(0, np.uint32), *map(_words, self._pieces)]))
        asked = np.frombuffer(b"".join(fragments), np.uint32)
        counts = np.searchsorted(there, asked, "right") - np.searchsorted(there, asked, "left")
        return dict(zip(fragments, counts.tolist(), strict=True))

    def _likely(self, fragment: bytes) -> float:
        """How often its bytes are in the pieces, wherever: Teddy takes a closer look at many like it."""
        return float(self._letters[list(fragment)].sum())


def fragments_of(runs: Runs) -> set[bytes]:
    """All that may stand for a pattern."""
    return {each for texts in runs for text in texts for each, _ in _each(text)}


def _uses(patterns: Mapping[int, Runs]) -> dict[bytes, dict[Need, Use]]:
    """Each fragment with what it may stand for, in the longest text of the branch that has it."""
    found: dict[bytes, dict[Need, Use]] = defaultdict(dict)
    for number, runs in patterns.items():
        for branch, texts in enumerate(runs):
            for text in sorted(texts, key=len):
                for each, before in _each(text):
                    found[each][number, branch] = Use(number, text, before)
    return found


def _whole(patterns: Mapping[int, Runs], covered: Iterable[set[Need]]) -> set[int]:
    """The patterns of which each branch has a fragment."""
    needs = set[Need]().union(*covered)
    return {n for n, runs in patterns.items() if runs and all((n, at) in needs for at in range(len(runs)))}


def _each(text: bytes) -> Iterator[tuple[bytes, int]]:
    for at in range(len(text) - LENGTH + 1):
        each = text[at : at + LENGTH]
        if b"\n" not in each and not _overlap(each, each):
            yield each, at


def _cover(
    gains: Mapping[bytes, set[Need]], costs: Mapping[bytes, tuple[float, float]]
) -> dict[bytes, set[Need]]:
    """Which fragment is taken for which needs: again and again the one that gives most for its first cost;
    of those that give the same, the one with the least second cost."""

    def rank(each: bytes) -> tuple[float, float]:
        cost, second = costs[each]
        return -len(gains[each] & left) / cost, second

    left = set[Need]().union(*gains.values())
    found: dict[bytes, set[Need]] = {}
    queue = [(*rank(each), each) for each in gains]
    heapify(queue)
    while queue and left:
        before, each = queue[0][0], queue[0][-1]
        now = rank(each)
        if not now[0] or _overlaps_any(each, found):
            heappop(queue)
        elif now[0] > before:  # what it gives has become less
            heapreplace(queue, (*now, each))
        else:
            found[each] = gains[each] & left
            left -= found[each]
            heappop(queue)
    return found


def _overlaps_any(each: bytes, others: Iterable[bytes]) -> bool:
    return any(_overlap(each, other) or _overlap(other, each) for other in others)


def _overlap(first: bytes, second: bytes) -> bool:
    """Whether the second may begin within the first, and end behind it."""
    return any(first[by:] == second[:-by] for by in range(1, LENGTH))


def _words(piece: bytes) -> npt.NDArray[np.uint32]:
    """Each four bytes that follow each other, as one number."""
    shifted = [piece[at : at + (len(piece) - at) // LENGTH * LENGTH] for at in range(LENGTH)]
    return np.concatenate([np.frombuffer(each, np.uint32) for each in shifted])
