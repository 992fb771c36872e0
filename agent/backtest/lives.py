"""The alerts of one rule over the whole history: the live machine, called where anything can change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace

from agent.backtest.grid import Grid, Matrix
from agent.backtest.health import Stretch
from agent.backtest.live import advance, deadlines, identified
from agent.model import Alert, AlertRule, AlertState, Labels, Point, RuleHealth
from agent.promql import EvaluationError
from agent.promql.vectors import Flags, Indices

_OK = (RuleHealth.OK, "")


@dataclass(slots=True)
class Life:
    """One alert, from its first result to its end; ms, None where that never came within the history.

    `value` is the one that it fired with, or began with.
    """

    labels: Labels
    pending_at: int
    value: float
    fired_at: int | None = None
    ended_at: int | None = None


@dataclass(slots=True)
class Lives:
    """What became of one rule: its alerts, when which were active, and when it could not be judged."""

    rule: AlertRule
    grid: Grid
    matrix: Matrix
    lives: list[Life] = field(default_factory=list)
    moments: list[tuple[int, Mapping[Labels, Alert]]] = field(
        default_factory=list
    )  # (step, active from it on)
    health: list[tuple[RuleHealth, str]] = field(default_factory=list)  # at each step
    _rows: dict[Labels, list[int]] = field(default_factory=dict)

    def at(self, step: int) -> Mapping[Labels, Alert]:
        """The active alerts after the step was judged, with the values that they then had."""
        found = bisect_right(self.moments, step, key=lambda moment: moment[0])
        active = self.moments[found - 1][1] if found else {}
        return {labels: replace(alert, value=self._value(alert, step)) for labels, alert in active.items()}

    def _value(self, alert: Alert, step: int) -> float:
        """Of its newest result; a machine that is called seldom knows only that of its last call."""
        if is_templated(self.rule):
            return alert.value  # the machine was called at every result
        if not self._rows:
            for row, labels in enumerate(self.matrix.labels):
                (identity,) = identified(self.rule, [Point(labels, 0.0)])
                self._rows.setdefault(identity, []).append(row)
        seen = [(self._newest(row, step), row) for row in self._rows.get(alert.labels, ())]
        last, row = max(seen, default=(-1, 0))
        return alert.value if last < 0 else float(self.matrix.values[row, last])

    def _newest(self, row: int, step: int) -> int:
        """The last step up to this one that was judged and has a result in the row; -1 for none."""
        if self.matrix.present[row, step] and self.health[step] == _OK:
            return step
        steps = np.flatnonzero(self.matrix.present[row, : step + 1])
        return next((int(at) for at in steps[::-1] if self.health[at] == _OK), -1)

    def stretches(self) -> Iterator[Stretch]:
        """When it was not OK."""
        times, first = self.grid.times.tolist(), 0
        for step in range(1, len(times) + 1):
            if step < len(times) and self.health[step][0] is self.health[first][0]:
                continue
            if self.health[first][0] is not RuleHealth.OK:
                end = times[step] if step < len(times) else self.grid.end
                yield Stretch(times[first], end, *self.health[first])
            first = step


class Machine:
    """One rule's way through the grid. A step is visited where the results differ from the step before, and
    where `for` or `keep_firing_for` ends; steps at which the rule cannot be judged change nothing."""

    def __init__(
        self, rule: AlertRule, grid: Grid, matrix: Matrix, health: list[tuple[RuleHealth, str]]
    ) -> None:
        self.found = Lives(rule, grid, matrix, health=health)
        self._active: dict[Labels, Alert] = {}
        self._open: dict[Labels, Life] = {}
        deny(health, matrix, rule.limit)

    def run(self) -> Lives:
        """All of it."""
        judged = np.array([step for step, each in enumerate(self.found.health) if each == _OK], np.intp)
        times = self.found.grid.times[judged]
        turns = self._turns(judged)
        position = int(turns[0]) if len(turns) else len(judged)
        while position < len(judged):
            at = int(times[position])
            following = (
                int(turns[at_turn]) if (at_turn := _after(turns, position)) < len(turns) else len(judged)
            )
            why = self._visit(int(judged[position]), at)
            if why:
                for step in judged[position:following].tolist():
                    self.found.health[step] = (RuleHealth.FAILING, why)
                position = following
                continue
            due = min((end for end in deadlines(self.found.rule, self._active) if end > at), default=None)
            position = following if due is None else min(following, int(np.searchsorted(times, due)))
        return self.found

    def _turns(self, judged: Indices) -> Indices:
        """Positions among the judged steps whose results differ from those of the one before."""
        present = self.found.matrix.present[:, judged]
        changed: Flags = np.zeros(len(judged), bool)
        if len(judged):
            changed[0] = present[:, 0].any()
            changed[1:] = (present[:, 1:] != present[:, :-1]).any(axis=0)
        if is_templated(self.found.rule):
            changed |= present.any(axis=0)
        return np.flatnonzero(changed)

    def _visit(self, step: int, now: int) -> str:
        """One step of the machine; why it failed, or nothing."""
        rule, values = self.found.rule, self.found.matrix.values[:, step]
        rows, labels = np.flatnonzero(self.found.matrix.present[:, step]).tolist(), self.found.matrix.labels
        try:
            results = identified(rule, [Point(labels[row], float(values[row])) for row in rows])
        except EvaluationError as error:
            return str(error)
        before, self._active = self._active, advance(rule, self._active, results, now)
        for key in before.keys() - self._active.keys():
            self._open.pop(key).ended_at = now
        for key, alert in self._active.items():
            life = self._open.get(key)
            if life is None:
                life = self._open[key] = Life(key, alert.active_at, alert.value)
                self.found.lives.append(life)
            if life.fired_at is None and alert.state is AlertState.FIRING:
                life.fired_at, life.value = now, alert.value
        self.found.moments.append((step, self._active))
        return ""


def is_templated(rule: AlertRule) -> bool:
    """Whether an alert's labels may depend on its value."""
    return any("{{" in text for _, text in rule.labels)


def deny(health: list[tuple[RuleHealth, str]], matrix: Matrix, limit: int) -> None:
    """Where the expression errs, or gives more than the limit (0: none), the rule is not judged either."""
    wrong = {step: (RuleHealth.FAILING, why) for step, why in matrix.errors.items()}
    counts = matrix.present.sum(axis=0)
    for step in np.flatnonzero(counts > limit).tolist() if limit else ():
        why = f"it has {counts[step]} results at once, and its group's limit is {limit}"
        wrong[step] = (RuleHealth.STORM, why)
    for step, what in wrong.items():
        if health[step] == _OK:
            health[step] = what


def _after(turns: Indices, position: int) -> int:
    return int(np.searchsorted(turns, position, side="right"))
