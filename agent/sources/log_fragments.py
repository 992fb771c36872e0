"""Short texts of patterns that are rare in a log: to look for them costs half of looking for the patterns.

Every line that a pattern finds holds one text of each of its branches. Which of them are rare is learnt from
pieces of the log itself. As in ripgrep, which looks for the byte of a text that is rarest in most files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

WINDOW = 8  # bytes, the last ones of a text, by which hyperscan finds it before it compares the rest
SHORTEST = 4  # of a text that is worth it
LONGEST = 24  # what lies before the window spares false alarms, up to some length
_LEARNT = 1 << 16  # bytes of a piece
_SLOTS = 1 << 16
_COMMON = 1 << 12  # one in so many bytes of the log is too many for a closer look at each

Runs = Sequence[Sequence[bytes]]  # by branch, the texts that each match of it holds


class Lore:
    """What is known of a log: how often three bytes follow each other, some of which share a slot."""

    def __init__(self) -> None:
        self._counts = np.zeros(_SLOTS, np.int64)
        self._size = 0

    def learn(self, piece: bytes) -> None:
        """That the log has such lines, too, going by the beginning of the piece."""
        piece = piece[:_LEARNT]
        data = np.frombuffer(piece, np.uint8).astype(np.int64)
        self._counts += np.bincount(_slots(data), minlength=_SLOTS)
        self._size += len(piece)

    def fragments(self, runs: Runs) -> tuple[bytes, ...]:
        """Of each branch a text that ends where it is rarest; none at all where one of them is common."""
        rarest = [self._rarest(texts) for texts in runs]
        return tuple(text for text in rarest if text) if all(rarest) else ()

    def _rarest(self, texts: Sequence[bytes]) -> bytes:
        best, least = b"", (float("inf"), 0)
        for text in texts:
            for end in range(min(WINDOW, len(text)), len(text) + 1):
                window = text[max(0, end - WINDOW) : end]
                if len(window) < SHORTEST or _repeats(window):
                    continue
                counts = self._counts[_slots(np.frombuffer(window, np.uint8).astype(np.int64))]
                rank = (float(counts.mean()), -len(window))
                if counts.min() <= self._size // _COMMON and rank < least:
                    best, least = text[max(0, end - LONGEST) : end], rank
        return best


def _repeats(window: bytes) -> bool:
    """Whether it may be found more than once in SHORTEST bytes."""
    return any(window[by:] == window[:-by] for by in range(1, SHORTEST))


def _slots(data: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    slots: npt.NDArray[Any] = (data[:-2] * 31 ^ data[1:-1] << 6 ^ data[2:] << 11) & (_SLOTS - 1)
    return slots
