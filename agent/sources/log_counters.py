"""The series of log patterns: what each line adds to them, and how many there may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from math import isfinite

from agent.model import Labels, LogPattern
from agent.rulebook.log_files import MAX_SERIES, groups_of
from agent.sources import MetricInfo
from agent.sources.log_hits import Columns, Groups, Hit, Series, is_short

_FEW = 12  # lines that cost less one by one than to be counted by their groups
_REMEMBERED = 10_000  # groups within a pattern's series, and as many beyond: a storm of either costs the same
_MEMORY = 8 << 20  # bytes for those of all patterns together

METRICS = (
    MetricInfo(
        "ottla_log_overflow_lines_total",
        "counter",
        "",
        "Lines of a pattern whose labels were dropped, as it has all the series that it may have",
    ),
    MetricInfo(
        "ottla_log_value_errors_total",
        "counter",
        "",
        "Lines of a pattern whose number is none, or would make a counter fall or overflow",
    ),
)


def metrics_of(pattern: LogPattern) -> tuple[MetricInfo, ...]:
    """The metrics that a pattern makes, the lines first."""
    shown = pattern.help or f"Lines that /{pattern.regex}/ finds"
    lines = MetricInfo(pattern.lines_metric, "counter", "", shown)
    if pattern.value_metric is None:
        return (lines,)
    if pattern.counts:
        return lines, MetricInfo(
            pattern.value_metric, "counter", "", f"{shown}: the sum of their {pattern.counts}"
        )
    return lines, MetricInfo(
        pattern.value_metric, "gauge", "", f"{shown}: the {pattern.sets} of the last one"
    )


@dataclass(slots=True)
class _Rule:
    """A pattern's metrics, and which of the series its lines have by their groups."""

    pattern: LogPattern
    lines: str
    value: str | None
    most: int  # label sets
    sets: int = 0
    known: dict[Groups, Series] = field(default_factory=dict)
    beyond: set[Groups] = field(default_factory=set)  # groups whose labels are dropped
    names: frozenset[str] | None = None  # of its labels

    def may_have(self, labels: Labels) -> bool:
        """Whether the pattern gives such labels."""
        if not labels:
            return True
        if self.names is None:
            self.names = groups_of(self.pattern.regex) - {self.pattern.counts, self.pattern.sets}
        return {name for name, _ in labels} == self.names

    def remember(self, groups: Groups, series: Series | None) -> int:
        """That these groups are of this series, or beyond all; but not for ever more of them: many may
        become one label. The bytes that it takes."""
        if not is_short(groups) or len(self.beyond if series is None else self.known) >= _REMEMBERED:
            return 0
        if series is None:
            self.beyond.add(groups)
        else:
            self.known[groups] = series
        return 100 + sum(60 + len(group) for group in groups)

    def forget(self) -> None:
        """Which groups there were."""
        self.known.clear()
        self.beyond.clear()


class Counters:
    """What each series stands at. `values` may be read at any time.

    Each pattern always has its line counter without labels, so that it exists before its first hit; where a
    pattern has labels, that one counts the lines beyond its limit of series. Of the `values` that were saved
    those go on whose labels are the pattern's: its regex may have been another.
    """

    def __init__(self, patterns: Iterable[LogPattern], values: Mapping[Series, float]) -> None:
        self._rules: dict[str, _Rule] = {}
        self._remembered = 0  # bytes
        by_metric: dict[str, _Rule] = {}
        for pattern in patterns:
            most = min(pattern.max_series, MAX_SERIES)
            rule = _Rule(pattern, pattern.lines_metric, pattern.value_metric, most)
            self._rules[pattern.name] = rule
            by_metric |= {metric.name: rule for metric in metrics_of(pattern)}
        self.values: dict[Series, float] = {(rule.lines, ()): 0 for rule in self._rules.values()}
        own = {metric.name for metric in METRICS}
        for (name, labels), value in values.items():
            if name in by_metric and by_metric[name].may_have(labels):
                self.values[name, labels] = value
                by_metric[name].sets += name == by_metric[name].lines and labels != ()
            elif name in own and dict(labels)["pattern"] in self._rules:
                self.values[name, labels] = value

    def add_lines(self, columns: Columns, found: Sequence[Groups | None]) -> None:
        """All that a pattern found in lines, in their order; None: it did not."""
        rule, values = self._rules[columns.pattern.name], self.values
        if rule.value is not None:
            self._add_numbers(columns, found)
            return
        known, over = rule.known, 0
        for groups, lines in Counter(found).items() if len(found) > _FEW else zip(found, repeat(1)):
            if (series := known.get(groups)) is not None:  # type: ignore[arg-type] # None is no key of it
                values[series] += lines
            elif groups in rule.beyond:
                over += lines
            elif groups is not None:
                labels = columns.labels(groups)
                kept = self._add(columns.pattern, labels, lines)
                self._remembered += rule.remember(groups, (rule.lines, labels) if kept == labels else None)
        if self._remembered > _MEMORY:
            self._forget()
        if over:
            self._own(METRICS[0].name, columns.pattern, over)
            self._raise((rule.lines, ()), over)

    def make_room(self, is_over: Callable[[Series], bool]) -> None:
        """Of patterns with all the label sets they may have, end those that are over. Not while lines are
        added."""
        full = {rule.lines: rule for rule in self._rules.values() if rule.sets >= rule.most}
        if not full:
            return  # as mostly: nothing is looked through
        over = [series for series in self.values if series[0] in full and series[1] and is_over(series)]
        for name, labels in over:
            rule = full[name]
            del self.values[name, labels]
            if rule.value is not None:
                self.values.pop((rule.value, labels), None)
            rule.sets -= 1
            rule.forget()

    def add(self, hit: Hit) -> bool:
        """A line; whether its labels were kept."""
        kept = self._add(hit.pattern, hit.labels, 1)
        if hit.pattern.value_metric is not None:
            self._add_values(hit.pattern, hit.labels, kept, [hit.value])
        return kept == hit.labels

    def _add_numbers(self, columns: Columns, found: Sequence[Groups | None]) -> None:
        at, pattern = columns.number, columns.pattern
        assert at is not None
        same: dict[Groups, list[bytes]] = {}
        for groups in found:
            if groups is not None:
                same.setdefault(columns.others(groups), []).append(groups[at])
        for others, texts in same.items():
            labels = columns.labels_of(others)
            kept = self._add(pattern, labels, len(texts))
            self._add_values(pattern, labels, kept, columns.numbers(texts))

    def _add(self, pattern: LogPattern, labels: Labels, lines: int) -> Labels:
        """Count lines with these labels, or without any where there are too many; the labels that remain."""
        rule = self._rules[pattern.name]
        if (rule.lines, labels) not in self.values:
            if rule.sets >= rule.most:
                self._own(METRICS[0].name, pattern, lines)
                labels = ()
            else:
                rule.sets += 1
        self._raise((rule.lines, labels), lines)
        return labels

    def _add_values(
        self, pattern: LogPattern, labels: Labels, kept: Labels, values: Sequence[float | None]
    ) -> None:
        numbers = [value for value in values if value is not None]
        name, refused = pattern.value_metric, len(values) - len(numbers)
        if name is not None and numbers and pattern.counts:
            total = self.values.get((name, kept), 0)
            for number in numbers:  # one by one: the same sum, to the last bit, wherever a file is cut
                if isfinite(total + number):
                    total += number
                else:  # it could not be saved, nor rise any more
                    refused += 1
            self.values[name, kept] = total
        elif name is not None and numbers and kept == labels:  # a gauge of dropped labels would be of no one
            self.values[name, labels] = numbers[-1]
        if refused:
            self._own(METRICS[1].name, pattern, refused)

    def _forget(self) -> None:
        """Begin anew: what still comes is soon known again."""
        for rule in self._rules.values():
            rule.forget()
        self._remembered = 0

    def _own(self, name: str, pattern: LogPattern, lines: int) -> None:
        self._raise((name, (("pattern", pattern.name),)), lines)

    def _raise(self, series: Series, by: float) -> None:
        self.values[series] = self.values.get(series, 0) + by
