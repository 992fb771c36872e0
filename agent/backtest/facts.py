"""What history tells of the world, and what it does not and is assumed instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from agent.backtest.grid import Grid, Matrix, matrix
from agent.daemon.origins import Origins, part
from agent.gate import World
from agent.promql import EvaluationError, Expression
from agent.promql.errors import BadExpression
from agent.promql.vectors import Flags, Times, is_stale
from agent.recording.limits import Allowance
from agent.recording.recorded import Recorded, Track
from agent.recording.world_names import FENCED, OFFLINE, REASSIGNING, SOURCE_UP, UNDER_MIN_ISR, WORLD
from agent.rulebook.compiled import compiled, readable
from agent.sources.schedule import UNREAD

SOMEBODY = -1  # a broker of which only is known that it is fenced
_WORDS: Mapping[str, str] = {
    REASSIGNING: "no partition is being reassigned",
    UNDER_MIN_ISR: "no partition is under min.insync.replicas",
    OFFLINE: "no partition is offline",
    FENCED: "no other broker is down",
}
_ALWAYS = (
    "history does not react: what an action would have changed is not in it",
    "an action that begins is done at once, its own preconditions hold and its claim is granted",
    "no stop file, no pause, and the agent has run since the history begins",
    "no peer shows the same",
)


class Facts:
    """The world at each step, and whether expressions of remedies had a result then."""

    def __init__(self, store: Recorded, grid: Grid, origins: Origins, allowance: Allowance) -> None:
        self.origins = origins
        self._store = store
        self._grid = grid
        self._allowance = allowance
        self._found: dict[str, Matrix | None] = {}
        self._newest: dict[str, Times] = {}
        self._silences = tuple(sorted(_silences(store)))

    @property
    def assumed(self) -> tuple[str, ...]:
        """What is taken for granted, a sentence each."""
        unknown = [words for name, words in _WORDS.items() if name not in self._store.tracks]
        more = (f"not in this history, so assumed: {', '.join(unknown)}",) if unknown else ()
        up = (
            ()
            if SOURCE_UP in self._store.tracks
            else (f"every source answers ({SOURCE_UP} is not recorded)",)
        )
        return (*_ALWAYS, *more, *up)

    @property
    def turns(self) -> tuple[int, ...]:
        """When a source went away or came back, ms."""
        return tuple(at for at, _, _ in self._silences)

    def down(self, at: int) -> frozenset[str]:
        """The metrics whose source does not answer."""
        silent: set[str] = set()
        for when, source, is_down in self._silences:
            if when <= at:
                (silent.add if is_down else silent.discard)(source)
        if not silent:
            return frozenset()
        unread = self.origins.named_by(frozenset(silent), self.origins.names)
        return unread | {n for n in self.origins.names if silent & self.origins.behind(n)}

    def world(self, step: int) -> World:
        """As the gate wants it. A count that is recorded but too old makes the whole view old."""
        now = self._grid.start + step * self._grid.step
        counts, at = {}, now
        for name in WORLD:
            counts[name], seen = self._count(name, now)
            at = min(at, seen)
        fenced = frozenset({SOMEBODY}) if counts[FENCED] else frozenset[int]()
        return World(at, SOMEBODY, fenced, counts[REASSIGNING], counts[UNDER_MIN_ISR], counts[OFFLINE])

    def holds(self, expr: str, step: int) -> bool:
        """Whether it had a result; what cannot be judged has none."""
        if expr not in self._found:
            try:
                self._found[expr] = matrix(compiled(expr), self._store, self._grid, self._allowance)
            except (BadExpression, EvaluationError):
                self._found[expr] = None
        found = self._found[expr]
        return found is not None and bool(found.present[:, step].any())

    def fresh(self, expr: str, after: int, step: int) -> bool:
        """Whether all that it reads has samples from after that time, of sources that answer."""
        now = self._grid.start + step * self._grid.step
        expression = readable(expr)
        if expression is None or expression.names & self.down(now):
            return False
        return all(self._newest_of(name, now) > after for name in expression.names)

    def worse(self, expr: str, after: int, step: int) -> bool:
        """Whether it had a result of nothing but what was after that time."""
        expression = readable(expr)
        later = expression is not None and self.lies_after(expression, after, step)
        return later and self.holds(expr, step)

    def lies_after(self, expression: Expression, after: int, step: int) -> bool:
        """Whether all that it looks at is from after that time."""
        now = self._grid.start + step * self._grid.step
        return self.origins.lies_after(
            expression, now - after, lambda name: self._newest_of(name, now) > after
        )

    def _newest_of(self, name: str, now: int) -> int:
        times = self._newest.get(name)
        if times is None:
            times = self._newest[name] = self._store.times_of(name, ())
        at = int(np.searchsorted(times, now, side="right")) - 1
        return int(times[at]) if at >= 0 else -1

    def _count(self, name: str, now: int) -> tuple[int, int]:
        """(how many, when that was seen); nothing at all is assumed to be none, seen now."""
        tracks = self._store.tracks.get(name)
        if not tracks:
            return 0, now
        counts, newest = 0.0, 0
        for each in tracks.values():
            at = int(np.searchsorted(each.times, now, side="right")) - 1
            if at >= 0 and not is_stale(each.values[at : at + 1])[0]:
                counts, newest = counts + float(each.values[at]), max(newest, int(each.times[at]))
        return int(counts), newest


def _silences(store: Recorded) -> Iterator[tuple[int, str, bool]]:
    """(when, source or part of one, whether it is down from then on)."""
    for labels, each in store.tracks.get(SOURCE_UP, {}).items():
        alive = _without_ends(each)
        yield from _turns(dict(labels).get("source", ""), alive.times, alive.values == 0)
    for labels, each in store.tracks.get(UNREAD, {}).items():
        what = part(dict(labels).get("source", ""), dict(labels).get("metric", ""))
        yield from _turns(what, each.times, each.values == 1)


def _turns(what: str, times: Times, down: Flags) -> Iterator[tuple[int, str, bool]]:
    for turn in [0, *(np.flatnonzero(down[1:] != down[:-1]) + 1).tolist()] if len(down) else []:
        yield int(times[turn]), what, bool(down[turn])


def _without_ends(each: Track) -> Track:
    alive = ~is_stale(each.values)
    return Track(each.times[alive], each.values[alive])
