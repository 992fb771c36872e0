"""Marks by how their files begin: of thousands of rotated files the originals of one are found at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from agent.sources.log_marks import HEADS, Mark, digest

_Key = tuple[
    int, int, str, bool
]  # where it starts, how many bytes, their digest, and whether that is all known


class Faces:
    """A mark must be put again when it has learnt more."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        self._by: dict[_Key, dict[int, Mark]] = {}  # and by id
        self._of: dict[int, tuple[_Key, ...]] = {}
        self._lengths: Counter[int] = Counter()
        for mark in marks:
            self.put(mark)

    def put(self, mark: Mark) -> None:
        """Find it from now on."""
        self.drop(mark)
        keys = tuple((mark.start, n, text, n == mark.head) for n, text in mark.digests.items())
        for key in keys:
            self._by.setdefault(key, {})[id(mark)] = mark
        self._of[id(mark)] = keys
        self._lengths[mark.head] += 1

    def drop(self, mark: Mark) -> None:
        """Find it no more."""
        for key in self._of.pop(id(mark), ()):
            del self._by[key][id(mark)]
            if not self._by[key]:
                del self._by[key]
            self._lengths[key[1]] -= key[3]

    def alike(self, start: int, head: bytes, least: int) -> list[Mark]:
        """The marks of files that begin so, or that `head` may become, going by `least` bytes or more."""
        found = {id(mark): mark for key in self._keys(start, head) for mark in self._by.get(key, {}).values()}
        return [mark for mark in found.values() if mark.is_copied(head, least)]

    def _keys(self, start: int, head: bytes) -> Iterator[_Key]:
        for n, many in self._lengths.items():
            if many and n <= len(head):
                yield start, n, digest(head[:n]), True
        if len(head) < HEADS[-1]:  # there may be longer ones
            for n in HEADS:
                if n <= len(head):
                    yield start, n, digest(head[:n]), False
