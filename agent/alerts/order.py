"""Which rules read which metrics, and in what order the due ones are judged at one instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from agent.promql import Expression


class Readers:
    """From metric names to the rules that read them, by their index: no sample makes us ask every rule."""

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for index, expression in enumerate(expressions):
            for name in expression.names:
                self._by_name[name].append(index)
        self._nameless = [index for index, each in enumerate(expressions) if each.nameless]

    def of(self, names: Iterable[str]) -> set[int]:
        """The rules that read one of these; those that choose series by patterns may read any."""
        found = {index for name in names for index in self._by_name.get(name, ())}
        return found.union(self._nameless) if names else found


class Turn:
    """The rules that are due at `now`, in the order of the files, each once.

    Those that read what a rule of this turn records join it, if they come later in the files; `left` are
    those before it, which have seen the former value, and come with the next turn.
    """

    def __init__(self, now: int, due: Iterable[int]) -> None:
        self.now = now
        self.left: set[int] = set()
        self._waiting = list(due)
        self._joined = set(self._waiting)
        heapify(self._waiting)

    def pop(self) -> int | None:
        """The next rule."""
        return heappop(self._waiting) if self._waiting else None

    def join(self, readers: Iterable[int], writer: int) -> None:
        """The writer has been judged: so its readers are to be."""
        for index in readers:
            if index <= writer:
                self.left.add(index)
            elif index not in self._joined:
                self._joined.add(index)
                heappush(self._waiting, index)
