"""Bytes with some of them cut, doubled, exchanged or put in."""

from __future__ import annotations

import random
from collections.abc import Sequence


def damaged(data: bytes, dice: random.Random, pieces: Sequence[bytes]) -> bytes:
    """At one to five places; what is put in is of `pieces`."""
    for _ in range(dice.randrange(1, 6)):
        at, end = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
        match dice.randrange(4):
            case 0:
                data = data[:at] + data[min(end, at + 20) :]
            case 1:
                data = data[:at] + dice.choice(pieces) + data[at:]
            case 2:
                data = data[:end] + data[at : min(end, at + 40)] + data[end:]
            case _:
                data = data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
    return data
