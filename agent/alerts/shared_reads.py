"""What the rules of one turn read of the store, read once: many look at the same series at one instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from agent.promql import Store
from agent.promql.nodes import Matcher
from agent.promql.vectors import Newest, Samples

_MAX_CELLS = 400_000  # of windows remembered, 16 bytes each
_Key = tuple[object, ...]
_T = TypeVar("_T")


class SharedReads:
    """A store as it was when something of it was first asked for; for one turn, then thrown away.

    Not remembered are `written`, which rules of this turn record, and what is chosen among all metrics.
    """

    def __init__(self, store: Store, written: frozenset[str]) -> None:
        self._store = store
        self._written = written
        self._known: dict[_Key, object] = {}
        self._cells = 0

    def select(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Samples:
        """As the store's."""
        key = ("select", name, matchers, start, end)
        found = cast(Samples | None, self._known.get(key))
        if found is None:
            found = self._store.select(name, matchers, start, end)
            if self._may_know(name) and self._cells + found.values.size <= _MAX_CELLS:
                self._cells += found.values.size
                self._known[key] = found
        return found

    def latest(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Newest:
        """As the store's."""
        key = ("latest", name, matchers, start, end)
        return self._once(name, key, lambda: self._store.latest(name, matchers, start, end))

    def has(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        """As the store's."""
        key = ("has", name, matchers, start, end)
        return self._once(name, key, lambda: self._store.has(name, matchers, start, end))

    def _once(self, name: str | None, key: _Key, read: Callable[[], _T]) -> _T:
        if key in self._known:
            return cast(_T, self._known[key])
        found = read()
        if self._may_know(name):
            self._known[key] = found
        return found

    def _may_know(self, name: str | None) -> bool:
        return name is not None and name not in self._written
