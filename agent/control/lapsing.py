"""Memories whose entries lapse, with what is asked of them for each record: looking at thousands of entries
anew each time is most of what it costs. As in open_claims.py, none is changed once it is made, what was found
out about one goes on to the next that is made of it, and whoever asks an older one has it found out anew."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Generic, Self, TypeVar

from agent.control.state import Began, Closed

K = TypeVar("K", bound=int | str)
V = TypeVar("V")
_OUTDATED = 64  # so many ends, and as many as there are entries, may be of entries that last longer now


class Lapsing(dict[K, V], Generic[K, V]):
    """Entries, each until an instant of the virtual clock."""

    __slots__ = ("_ends",)

    def __init__(self, entries: Mapping[K, V]) -> None:
        super().__init__(entries)
        self._ends: list[tuple[int, K]] | None = None  # a heap

    def end(self, value: V) -> int:
        """When an entry with this value lapses."""
        raise NotImplementedError

    def having(self, key: K, value: V, clock: int) -> Self:
        """With this entry, and without those that lapsed."""
        ends, self._ends = self._ends or self._all_ends(), None
        made = type(self)(self)
        while ends and ends[0][0] <= clock:
            until, lapsed = heappop(ends)
            if lapsed in made and self.end(made[lapsed]) == until:
                del made[lapsed]
        if made.get(key) != value:
            made[key] = value
            heappush(ends, (self.end(value), key))
        if len(ends) <= 2 * len(made) + _OUTDATED:
            made._ends = ends  # noqa: SLF001  of its own class
        return made

    def _all_ends(self) -> list[tuple[int, K]]:
        ends = [(self.end(value), key) for key, value in self.items()]
        heapify(ends)
        return ends


class HandledProblems(Lapsing[str, int]):
    """Problem → until when it is remembered."""

    __slots__ = ()

    def end(self, value: int) -> int:
        return value


class ClosedClaims(Lapsing[int, Closed]):
    """By id."""

    __slots__ = ("_stamped",)

    def __init__(self, entries: Mapping[int, Closed]) -> None:
        super().__init__(entries)
        self._stamped: dict[int, int] | None = None  # stamp → when the last with it lapses

    def end(self, value: Closed) -> int:
        return value.until

    def having(self, key: int, value: Closed, clock: int) -> Self:
        stamped, self._stamped = self._stamped, None
        made = super().having(key, value, clock)
        if stamped is not None and key not in self and len(stamped) <= 2 * len(made) + _OUTDATED:
            _see_stamp(stamped, value)
            made._stamped = stamped  # noqa: SLF001  of its own class
        return made

    def has_stamp(self, stamp: int, clock: int) -> bool:
        """Whether one with this stamp is remembered."""
        if self._stamped is None:
            self._stamped = {}
            for one in self.values():
                _see_stamp(self._stamped, one)
        return self._stamped.get(stamp, 0) > clock


def _see_stamp(stamped: dict[int, int], one: Closed) -> None:
    stamped[one.stamp] = max(one.until, stamped.get(one.stamp, 0))


class Beginnings(tuple[Began, ...]):
    """What became dirty, oldest first."""

    _by_name: dict[str, list[int]] | None = None

    def having(self, one: Began | None, since: int) -> Beginnings:
        """With this one, and without those that were not after `since`."""
        by_name, self._by_name = self._by_name or _by_name(self), None
        lapsed = bisect_right(self, since, key=_at)
        for gone in self[:lapsed]:
            for name in gone.names:
                del by_name[name][0]
        made = Beginnings((*self[lapsed:], one) if one else self[lapsed:])
        if one:
            for name in one.names:
                by_name.setdefault(name, []).append(one.at)
        made._by_name = {name: at for name, at in by_name.items() if at} if lapsed else by_name
        return made

    def without(self, place: int | None) -> Beginnings:
        """All but the one there."""
        return self if place is None else Beginnings((*self[:place], *self[place + 1 :]))

    @property
    def names(self) -> Collection[str]:
        """All of theirs."""
        return self._index().keys()

    def of(self, name: str, since: int) -> Sequence[int]:
        """When those with this name began, of the ones after `since`."""
        found = self._index().get(name, [])
        return found[bisect_right(found, since) :]

    def _index(self) -> Mapping[str, list[int]]:
        if self._by_name is None:
            self._by_name = _by_name(self)
        return self._by_name


def _at(one: Began) -> int:
    return one.at


def _by_name(began: Iterable[Began]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in began:
        for name in one.names:
            found.setdefault(name, []).append(one.at)
    return found


def handled_problems(known: Mapping[str, int]) -> HandledProblems:
    """The same, where they came from a snapshot or a test as they are."""
    return known if isinstance(known, HandledProblems) else HandledProblems(known)


def closed_claims(known: Mapping[int, Closed]) -> ClosedClaims:
    """The same, where they came from a snapshot or a test as they are."""
    return known if isinstance(known, ClosedClaims) else ClosedClaims(known)


def beginnings(known: tuple[Began, ...]) -> Beginnings:
    """The same, where they came from a snapshot or a test as they are."""
    return known if isinstance(known, Beginnings) else Beginnings(known)
