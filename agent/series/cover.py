"""Which metrics the store keeps, how long, and from when on what it has of them is complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct


class Held(Struct, frozen=True):
    """Of a store: when its newest sample is from, since when they are complete, how long they are kept, and
    of which metric series were dropped, and when, or samples before their time."""

    newest: int
    first_at: int | None
    later: Mapping[str, int]
    wanted: Mapping[str, int] | None  # None: all metrics
    dropped_at: Mapping[str, int] = {}
    shortened_until: Mapping[str, int] = {}


class Cover:
    """`wanted`: as the store's. It has no clock either: `newest` is from where ages are counted."""

    def __init__(self, window_ms: int, wanted: Mapping[str, int] | None) -> None:
        self.wanted = wanted
        self.first_at: int | None = None  # when the first sample came, whatever time it has
        self.later: Mapping[str, int] = {}  # metrics that have been kept only since, or only back to then
        self._window_ms = window_ms
        self._dropped_at: dict[str, int] = {}

    def window(self, name: str) -> int:
        """How long samples of this metric are kept."""
        wanted = self._window_ms if self.wanted is None else self.wanted.get(name, self._window_ms)
        return min(wanted, self._window_ms)

    def want(self, wanted: Mapping[str, int], newest: int) -> None:
        """Keep these from now on. What was not kept, or not for so long, is there only from the newest sample
        on, or from where its former window began."""
        before, self.wanted = self.wanted, wanted
        if self.first_at is not None and before is not None:
            fewer = [name for name in wanted if name not in before or before[name] < self.window(name)]
            began = {name: self._began(name, before.get(name, 0), newest) for name in fewer}
            self.later = {n: at for n, at in self.later.items() if n in wanted} | began

    def incomplete(self, newest: int) -> frozenset[str]:
        """The metrics of which series were dropped within the time that they are kept."""
        return frozenset(n for n, at in self._dropped_at.items() if newest - at <= self.window(n))

    def drop(self, name: str, newest: int) -> None:
        """A series of this metric was dropped, or could not begin."""
        self._dropped_at[name] = newest

    def begin_anew(self, names: Iterable[str], newest: int) -> None:
        """Of these metrics there is nothing from before."""
        if self.first_at is not None:
            self.later = {**self.later, **dict.fromkeys(names, newest)}

    def held(self, newest: int, shortened: Mapping[str, int]) -> Held:
        """What is known of the samples as a whole, for a snapshot."""
        wanted = None if self.wanted is None else {name: self.window(name) for name in self.wanted}
        return Held(newest, self.first_at, dict(self.later), wanted, dict(self._dropped_at), shortened)

    def resume(self, held: Held) -> None:
        """Go on where another store ended."""
        self.first_at, self.later = held.first_at, held.later
        self.wanted, self._dropped_at = held.wanted, dict(held.dropped_at)

    def empty(self) -> None:
        """There is nothing."""
        self.first_at, self.later, self._dropped_at = None, {}, {}

    def _began(self, name: str, back: int, newest: int) -> int:
        """From when on a metric's samples are there that was kept for `back` until now."""
        return max(self.later.get(name, 0), newest - min(back, self._window_ms))
