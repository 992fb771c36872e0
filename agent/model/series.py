"""What sources see and expressions evaluate to: label sets and the values under them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Labels = tuple[tuple[str, str], ...]  # sorted by name; hashable, so a series can be a key


def labels_of(pairs: Mapping[str, str]) -> Labels:
    """The canonical form of a label set."""
    return tuple(sorted(pairs.items()))


class Sample(msgspec.Struct, frozen=True, gc=False):
    """What a source saw: one value of one series. `at` is milliseconds since the epoch.

    `gc=False`, since tens of thousands are made at once and none can hold another.
    """

    name: str
    labels: Labels
    at: int
    value: float


class Point(msgspec.Struct, frozen=True):
    """One element of an instant vector: what an expression evaluates to."""

    labels: Labels
    value: float
