"""Fragments of patterns: few short texts, rare in a log, of which every line that a pattern finds holds one.

To look for four bytes that many patterns share costs less than to look for each pattern, and what stands
around them tells which pattern it may be. Which fragments are rare is learnt from chunks of the log itself:
ripgrep, too, looks for the byte of a text that is rarest in most files. They are chosen by the greedy rule
of weighted set cover (Chvatal 1979).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LENGTH = 4  # bytes of a fragment: as many as Teddy, the search for several texts at once, compares first
_LEAST = 1 << 14  # bytes of a log that tell what is rare in it
_MOST = 1 << 18  # what more of them tell is not worth its time
_COMMON = 1 << 12  # one in so many bytes of the log is too many for a closer look at each
_SHARED = 16  # branches that one fragment stands for: each is compared wherever it is met
_SEEN = 0.5  # a fragment that is met once in what was learnt costs as much as so many more fragments

Runs = Sequence[Sequence[bytes]]  # by branch, the texts that each match of it holds
Need = tuple[int, int]  # a pattern's number, and which of its branches


class Use(NamedTuple):
    """The pattern for which a fragment stands where `text` is around it, `before` bytes of it first."""

    number: int
    text: bytes
    before: int


class Lore:
    """What is known of a log in which patterns with these runs are looked for, by number.

    `common`: the fragments that were met for nothing too often."""

    def __init__(self, patterns: Mapping[int, Runs]) -> None:
        self.common: set[bytes] = set()
        self.learnt = 0  # bytes
        self._patterns = patterns
        self._uses = _uses(patterns)
        self._asked = np.sort(np.frombuffer(b"".join(self._uses), np.uint32))
        self._counts = np.zeros(len(self._asked), np.int64)
        self._letters = np.zeros(256, np.int64)

    def learn(self, chunk: bytes) -> None:
        """That the log has such lines, too, going by the chunk's beginning. What is older counts for half."""
        piece = chunk[:_MOST]
        there = np.sort(_words(piece))
        found = np.searchsorted(there, self._asked, "right") - np.searchsorted(there, self._asked, "left")
        self._counts = self._counts // 2 + found
        self._letters = self._letters // 2 + np.bincount(np.frombuffer(piece, np.uint8), minlength=256)
        self.learnt = self.learnt // 2 + len(piece)

    def tells_more(self, chunk: bytes) -> bool:
        """Whether the log is much better known by this chunk."""
        return len(chunk) >= _LEAST and min(len(chunk), _MOST) >= 4 * self.learnt

    def cover(self) -> dict[bytes, list[Use]]:
        """Fragments no two of which can overlap, with their uses: each branch of a pattern has one; none of
        a pattern with a branch of which all fragments are common, or taken up by others."""
        seen = dict(zip(self._asked.tolist(), self._counts.tolist(), strict=True))
        often = {each: seen[int.from_bytes(each, sys.byteorder)] for each in self._uses}
        rare = [each for each, n in often.items() if n * _COMMON <= self.learnt and each not in self.common]
        letters = np.log2(1 + self._letters)  # Teddy takes a closer look at many places that are alike
        costs = {each: (1 + _SEEN * often[each], float(letters[list(each)].sum())) for each in rare}
        hopeful = _whole(self._patterns, [set(self._uses[each]) for each in rare])
        gains = {each: {need for need in self._uses[each] if need[0] in hopeful} for each in rare}
        found = _cover(gains, costs)
        whole = _whole(self._patterns, found.values())
        kept = {each: sorted(need for need in needs if need[0] in whole) for each, needs in found.items()}
        return {each: [self._uses[each][need] for need in needs] for each, needs in kept.items() if needs}


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
        return -min(_SHARED, len(gains[each] & left)) / cost, second

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
            found[each] = set(sorted(gains[each] & left)[:_SHARED])
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
