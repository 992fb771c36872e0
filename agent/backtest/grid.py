"""The instants at which rules are judged, and an expression's results at all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from agent.model import Labels
from agent.promql import EvaluationError, Expression, Limits, Store, query_range
from agent.promql.nodes import END, START, Range, Selector, Subquery, walk
from agent.promql.vectors import Flags, Floats, Times
from agent.recording.limits import Allowance

_SAMPLES = 20_000_000  # touched at once: some hundred MB; beyond, fewer steps are taken at a time


@dataclass(frozen=True, slots=True)
class Grid:
    """`start`, then each `step` up to `end`; ms."""

    start: int
    end: int
    step: int

    @property
    def times(self) -> Times:
        """All of them."""
        return np.arange(self.start, self.end + 1, self.step, dtype=np.int64)

    def __len__(self) -> int:
        return max(0, (self.end - self.start) // self.step + 1)


@dataclass(frozen=True, slots=True)
class Matrix:
    """An expression's results: `values` and `present` are [row, step]. `errors`: why a step has none."""

    labels: tuple[Labels, ...]
    values: Floats
    present: Flags
    errors: dict[int, str]


@dataclass(slots=True)
class _Filling:
    """Results as they come, a piece of the grid at a time."""

    expression: Expression
    store: Store
    allowance: Allowance
    times: Times
    lines: list[tuple[Labels, Times, Floats]] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)

    def fill(self, low: int, high: int, *, singly: bool = False) -> None:
        """The steps from `low` on, before `high`; halved where they fail, down to those that do."""
        if singly:
            for step in range(low, high):
                self.fill(step, step + 1)
            return
        step_ms = int(self.times[1] - self.times[0]) if len(self.times) > 1 else 1
        limits = Limits(samples=_SAMPLES, expired=self.allowance.expired)
        try:
            found = query_range(
                self.expression, self.store, int(self.times[low]), int(self.times[high - 1]), step_ms, limits
            )
        except EvaluationError as error:
            self.allowance.take(f"evaluating {self.expression.text}")
            if high - low == 1:
                self.errors[low] = str(error)
                return
            middle = (low + high) // 2
            self.fill(low, middle)
            self.fill(middle, high)
        else:
            self.lines += [(line.labels, line.times, line.values) for line in found.lines]


def matrix(expression: Expression, store: Store, grid: Grid, allowance: Allowance, shift: int = 0) -> Matrix:
    """What the expression gives at each step, on samples up to `shift` ms before it. Raises BadHistory."""
    times = grid.times - shift
    filling = _Filling(expression, store, allowance, times)
    filling.fill(0, len(times), singly=_is_of_its_query(expression))
    rows: dict[Labels, int] = {}
    for labels, _, _ in filling.lines:
        rows.setdefault(labels, len(rows))
    values = np.full((len(rows), len(times)), np.nan)
    present = np.zeros(values.shape, bool)
    for labels, its_times, its_values in filling.lines:
        steps = (its_times - times[0]) // grid.step
        values[rows[labels], steps] = its_values
        present[rows[labels], steps] = True
    return Matrix(tuple(rows), values, present, filling.errors)


def _is_of_its_query(expression: Expression) -> bool:
    """Whether it looks at the query's own start or end: then each step is a query."""
    return any(
        isinstance(node, Selector | Range | Subquery) and node.at in (START, END)
        for node in walk(expression.node)
    )
