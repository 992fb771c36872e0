"""When rules must be judged though no sample wakes them; many rules that wait cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush


class Timers:
    """One instant a rule. To set it later costs nothing until the former one comes."""

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._queued: dict[int, int] = {}  # a rule's entry in the heap, never later than its instant
        self._heap: list[tuple[int, int]] = []

    def set(self, rule: int, at: int | None) -> None:
        """Its one instant from now on; None: it waits for nothing."""
        if at is None:
            self._at.pop(rule, None)
            return
        self._at[rule] = at
        queued = self._queued.get(rule)
        if queued is None or at < queued:
            self._queued[rule] = at
            heappush(self._heap, (at, rule))

    def due(self, now: int) -> Iterator[int]:
        """The rules whose instant has come; it is over with that."""
        while (first := self.next()) is not None and first <= now:
            _, rule = heappop(self._heap)
            del self._queued[rule], self._at[rule]
            yield rule

    def next(self) -> int | None:
        """The earliest instant."""
        while self._heap:
            at, rule = self._heap[0]
            if self._queued.get(rule) == at and self._at.get(rule) == at:
                return at
            heappop(self._heap)
            if self._queued.get(rule) == at:  # it was set later meanwhile, or taken back
                del self._queued[rule]
                self.set(rule, self._at.get(rule))
        return None
