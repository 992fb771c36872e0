"""Rules evaluated as Prometheus does it, each interval from the start: what each alert is at which tick.

Where every rule reads only what rules before it write, a rule is evaluated over many ticks at once, which is
many times as fast; else tick by tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.alerts import advance, identified, recorded
from agent.model import Alert, AlertRule, Labels, Point, Rule, Sample
from agent.promql import EvaluationError, Expression, query_range
from agent.promql.labels import NAME, render, without
from agent.promql.nodes import Call, Range, Selector, Subquery, walk
from agent.promql.vectors import STALE
from agent.rehearsal.alert_series import alert_series
from agent.rehearsal.cases import GivenSeries
from agent.series import Series

ALERT_SERIES = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
_SLICE = 2_000  # ticks evaluated at once
_FOREVER = 1 << 60
_OF_THE_QUERY = frozenset({"start", "end", "step", "range"})  # functions that tell where it begins and ends


class RuleFailed(Exception):
    """A rule could not be evaluated; `at` is the tick."""

    def __init__(self, rule: Rule, at: int, why: str) -> None:
        super().__init__(why)
        self.rule = rule
        self.at = at


@dataclass(slots=True)
class State:
    """One rule, its active alerts, and the series that it wrote at the tick before."""

    rule: Rule
    expression: Expression
    active: dict[Labels, Alert] = field(default_factory=dict)
    written: frozenset[Labels] = frozenset()  # names among them


@dataclass(frozen=True, slots=True)
class Course:
    """Rules in their order, series with a value each `interval`, evenly spaced ticks."""

    rules: Sequence[tuple[Rule, Expression]]
    series: Sequence[GivenSeries]
    interval: int
    ticks: range
    external: tuple[Labels, str] = ((), "")  # what templates know as $externalLabels and $externalURL

    def run(self, watched: Sequence[int]) -> tuple[Series, Mapping[int, tuple[Alert, ...]]]:
        """All samples in the end, and the alerts at the watched ticks. Raises RuleFailed."""
        if _may_run_ahead(self):
            try:
                return _Passes(self, watched).run(_SLICE)
            except RuleFailed:
                pass  # the first rule's first failure is wanted: it is found tick by tick
        return _Passes(self, watched).run(1)


class _Passes:
    def __init__(self, course: Course, watched: Sequence[int]) -> None:
        self._course = course
        self._store = Series(_FOREVER, limit=1_000_000, longest=_FOREVER)
        self._states = [State(rule, expression) for rule, expression in course.rules]
        self._loaded = [0] * len(course.series)
        self._found: dict[int, list[Alert]] = {tick: [] for tick in watched}
        self._one_by_one = False
        self._now: dict[Labels, float] = {}  # what has a value at this tick, where ticks come one by one

    def run(self, together: int) -> tuple[Series, Mapping[int, tuple[Alert, ...]]]:
        ticks = self._course.ticks
        self._one_by_one = together == 1
        for first in range(0, len(ticks), together):
            some = ticks[first : first + together]
            self._now.clear()
            self._load(some[-1])
            for state in self._states:
                self._evaluate(state, some)
        return self._store, {tick: tuple(alerts) for tick, alerts in self._found.items()}

    def _load(self, until: int) -> None:
        """The samples up to this tick that are not there yet."""
        start, interval = self._course.ticks[0], self._course.interval
        end = (until - start) // interval + 1
        for number, series in enumerate(self._course.series):
            name, labels = dict(series.labels).get(NAME, ""), without(series.labels, {NAME})
            first = self._loaded[number]
            self._store.add(
                Sample(name, labels, start + at * interval, value)
                for at, value in enumerate(series.values[first:end], first)
                if value is not None
            )
            self._loaded[number] = max(first, end)
            if first < end <= len(series.values) and (value := series.values[end - 1]) is not None:
                self._now[series.labels] = value

    def _evaluate(self, state: State, ticks: range) -> None:
        rule, tick = state.rule, ticks[0]
        try:
            for tick, results in zip(ticks, _results(state, self._store, ticks), strict=True):
                if 0 < rule.limit < len(results):
                    raise EvaluationError(
                        f"{len(results)} results are over the group's limit of {rule.limit}"
                    )
                if isinstance(rule, AlertRule):
                    seen = identified(rule, results, *self._course.external)
                    state.active = advance(rule, state.active, seen, tick)
                    written = alert_series(rule, state.active.values())
                    if tick in self._found:
                        self._found[tick] += state.active.values()
                else:
                    written = recorded(rule, results)
                self._write(state, written, tick - rule.offset_ms)
        except EvaluationError as error:
            raise RuleFailed(rule, tick, str(error)) from None

    def _write(self, state: State, written: Mapping[Labels, float], at: int) -> None:
        """What the rule gives now; what it gave before and gives no more has ended."""
        ended = dict.fromkeys(state.written - written.keys(), STALE)
        if self._one_by_one:
            self._refuse_clashes(written, ended)
        self._store.add(
            Sample(dict(labels)[NAME], without(labels, {NAME}), at, value)
            for labels, value in (*written.items(), *ended.items())
        )
        state.written = frozenset(written)

    def _refuse_clashes(self, written: Mapping[Labels, float], ended: Mapping[Labels, float]) -> None:
        """Prometheus calls it an error where a series gets a second value, or a value after its end."""
        for labels, value in written.items():
            if self._now.setdefault(labels, value) != value:
                raise EvaluationError(f"{render(labels)} has another value at this instant already")
        self._now = {**ended, **self._now}


def _results(state: State, store: Series, ticks: range) -> list[list[Point]]:
    """What the expression gives at each tick."""
    start, end = ticks[0] - state.rule.offset_ms, ticks[-1] - state.rule.offset_ms
    found: list[list[Point]] = [[] for _ in ticks]
    for line in query_range(state.expression, store, start, end, ticks.step).lines:
        for at, value in zip(line.times.tolist(), line.values.tolist(), strict=True):
            found[(at - start) // ticks.step].append(Point(line.labels, value))
    return found


def _may_run_ahead(course: Course) -> bool:
    """Whether each series has one writer, and no rule reads what it or a later one writes, nor the future."""
    given = {dict(series.labels).get(NAME, "") for series in course.series}
    names = [rule.name for rule, _ in course.rules]
    if len(set(names)) < len(names) or given & {*names, *ALERT_SERIES}:
        return False
    later: frozenset[str] = frozenset()
    for rule, expression in reversed(course.rules):
        later |= ALERT_SERIES if isinstance(rule, AlertRule) else {rule.name}
        if later & expression.names or expression.nameless or rule.offset_ms:
            return False
        for node in walk(expression.node):
            if isinstance(node, Selector | Range | Subquery) and (node.offset_ms < 0 or node.at is not None):
                return False
            if isinstance(node, Call) and node.function in _OF_THE_QUERY:
                return False
    return True
