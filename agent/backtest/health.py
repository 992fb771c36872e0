"""When a rule could not have been judged: asked of the live code, but only where the answer may change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from agent.backtest.grid import Grid
from agent.backtest.live import obstacle
from agent.model import RuleHealth
from agent.promql import Expression, Reach
from agent.promql.vectors import Flags, Times
from agent.recording.recorded import Recorded

Down = Callable[[int], frozenset[str]]  # the names whose source is down at a time


@dataclass(frozen=True, slots=True)
class Stretch:
    """A rule's health from `start` until `end` (ms), and why it is no better."""

    start: int
    end: int
    health: RuleHealth
    why: str


@dataclass(frozen=True, slots=True)
class Obstacles:
    """Tells when an expression could not be judged on a history, whose first sample is at `since`."""

    store: Recorded
    grid: Grid
    since: int | None
    down: Down
    turns: tuple[int, ...]  # when `down` changes, ms

    def of(self, expression: Expression, shift: int = 0) -> Iterator[tuple[int, RuleHealth, str]]:
        """(first step, health, why) for each stretch of steps."""
        times = self.grid.times - shift
        for step in sorted({0, *self._changes(expression, times)}):
            if step < len(times):
                yield step, *self._at(expression, int(times[step]), shift)

    def _at(self, expression: Expression, at: int, shift: int) -> tuple[RuleHealth, str]:
        since = self.since if self.since is not None and self.since <= at + shift else None
        return obstacle(expression, self.store, at, since, self.down(at + shift))

    def _changes(self, expression: Expression, times: Times) -> Iterator[int]:
        for reach in expression.selectors:
            found = _found(reach, self.store, times)
            yield from (np.flatnonzero(found[1:] != found[:-1]) + 1).tolist()
        yield from np.searchsorted(times, list(self._ages(expression))).tolist()
        yield from np.searchsorted(self.grid.times, [*self.turns, self.since or 0]).tolist()

    def _ages(self, expression: Expression) -> Iterable[int]:
        """When the history becomes old enough for something."""
        if self.since is None:
            return []
        needs = [each.window_ms + each.offset_ms for each in expression.selectors]
        return [self.since, self.since + expression.history_ms, *(self.since + need for need in needs)]


def _found(reach: Reach, store: Recorded, times: Times) -> Flags:
    """At which times the selector finds anything: as `finds` says, for all of them at once."""
    selector = reach.selector
    ends = (np.full(len(times), selector.at) if isinstance(selector.at, int) else times) - reach.offset_ms
    there = store.times_of(selector.name, selector.matchers)
    newest = np.searchsorted(there, ends, side="right") - 1
    if not len(there):
        return np.zeros(len(times), bool)
    found: Flags = (newest >= 0) & (there[np.maximum(newest, 0)] > ends - reach.window_ms)
    return found
