"""Short texts of patterns that are rare in a log: to look for them costs half of looking for the patterns.

Every line that a pattern finds holds one text of each of its branches. Which of them are rare is learnt from
pieces of the log itself. As in ripgrep, which looks for the byte of a text that is rarest in most files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

WINDOW = 8  # bytes, the last ones of a text, by which hyperscan finds it before it compares the rest
SHORTEST = 4  # of a text that is worth it
LONGEST = 24  # what lies before the window spares false alarms, up to some length
_LEARNT = 1 << 16  # bytes of a piece
_SLOTS = 1 << 16
_MOST = 255  # a count that is common whatever was learnt
_COMMON = 1 << 12  # one in so many bytes of the log is too many for a closer look at each
_ALIKE = 1 << 15  # what is as rare as one in so many bytes is rare alike

Runs = Sequence[Sequence[bytes]]  # by branch, the texts that each match of it holds


class Lore:
    """What is known of a log: how often three bytes follow each other, some of which share a slot.

    `common`: the numbers of patterns whose texts were found in vain too often."""

    def __init__(self) -> None:
        self.common: set[int] = set()
        self._counts = np.zeros(_SLOTS, np.uint8)  # up to _MOST: one is kept for each log
        self._size = 0

    def learn(self, piece: bytes) -> None:
        """That the log has such lines, too, going by the beginning of the piece."""
        piece = piece[:_LEARNT]
        data = np.frombuffer(piece, np.uint8).astype(np.int64)
        counts = self._counts + np.bincount(_slots(data), minlength=_SLOTS)
        self._counts = np.minimum(counts, _MOST).astype(np.uint8)
        self._size += len(piece)

    def fragments(self, patterns: Mapping[int, Runs]) -> dict[int, tuple[bytes, ...]]:
        """Of each branch of a pattern a text that ends where it is rarest, if it can be one that no other
        pattern has; no pattern with a branch of which all texts are common, or are no texts worth it."""
        found: dict[int, tuple[bytes, ...]] = {}
        taken = set[bytes]()
        for number, runs in patterns.items():
            rarest = [self._rarest(texts, taken) for texts in runs] if number not in self.common else []
            if rarest and all(rarest):
                found[number] = tuple(rarest)
                taken.update(rarest)
        return found

    def _rarest(self, texts: Sequence[bytes], taken: set[bytes]) -> bytes:
        best, least = b"", (float("inf"), True, 0)
        for text in texts:
            for end in range(min(WINDOW, len(text)), len(text) + 1):
                window, whole = text[max(0, end - WINDOW) : end], text[max(0, end - LONGEST) : end]
                if len(window) < SHORTEST or _repeats(window):
                    continue
                counts = self._counts[_slots(np.frombuffer(window, np.uint8).astype(np.int64))]
                rank = (float(counts.mean() * _ALIKE // (self._size + 1)), whole in taken, -len(window))
                if counts.min() <= self._size // _COMMON and rank < least:
                    best, least = whole, rank
        return best


def _repeats(window: bytes) -> bool:
    """Whether it may be found more than once in SHORTEST bytes."""
    return any(window[by:] == window[:-by] for by in range(1, SHORTEST))


def _slots(data: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    slots: npt.NDArray[Any] = (data[:-2] * 31 ^ data[1:-1] << 6 ^ data[2:] << 11) & (_SLOTS - 1)
    return slots
