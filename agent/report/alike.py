"""Which names look like one that is none: among thousands, since every name of the journal is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from heapq import nlargest

COMPARED = 20  # letter by letter: each takes up to a third of a millisecond, and the event loop waits
LONGEST = 160  # characters


def alike(subject: str, names: Iterable[str]) -> list[str]:
    """At most three, the likeliest first. Only those are compared that begin and end as the subject does, for
    as long as any: what has slips in several places may find nothing."""
    short = (name for name in names if len(name) <= LONGEST)
    near = nlargest(COMPARED, short, key=lambda name: (_ends(subject, name), name))
    return get_close_matches(subject[:LONGEST], near, n=3)


def _ends(one: str, other: str) -> int:
    """How many characters they have in common at both ends."""
    most = min(len(one), len(other))
    first = _longest(most, lambda n: one[:n] == other[:n])
    return min(most, first + _longest(most, lambda n: one[len(one) - n :] == other[len(other) - n :]))


def _longest(most: int, same: Callable[[int], bool]) -> int:
    """The greatest number up to `most` for which it is so; it is for all smaller ones."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if same(middle) else (least, middle - 1)
    return least
