"""The series of log patterns: what each line adds to them, and how many there may be."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.model import Labels, LogPattern, labels_of
from agent.rulebook.log_files import MAX_SERIES
from agent.sources import MetricInfo

Series = tuple[str, Labels]  # metric name and labels

_VALUE_LIMIT = 200  # characters of a label's value
_NUMBER = re.compile(rb"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")

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
        "Lines of a pattern whose number is none, or would make a counter fall",
    ),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that a pattern found. `value`: the number that it counts or sets; None where it is not one."""

    pattern: LogPattern
    labels: Labels
    value: float | None = None


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


def hit_of(pattern: LogPattern, names: Sequence[str], groups: Sequence[bytes]) -> Hit:
    """What a line is for its pattern, by its groups."""
    values = dict(zip(names, groups, strict=True))
    number = values.pop(pattern.counts or pattern.sets, None)
    labels = labels_of({name: text.decode(errors="replace")[:_VALUE_LIMIT] for name, text in values.items()})
    return Hit(pattern, labels, None if number is None else _number(number, falls=bool(pattern.sets)))


def _number(text: bytes, *, falls: bool) -> float | None:
    """None where it is not one, or negative and must not be."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) and (falls or value >= 0) else None


@dataclass(slots=True)
class _Rule:
    """A pattern's metrics, and which of the series its lines have by their groups."""

    lines: str
    value: str | None
    sets: int = 0
    known: dict[Sequence[bytes], Series] = field(default_factory=dict)


class Counters:
    """What each series stands at. `values` may be read at any time.

    Each pattern always has its line counter without labels, so that it exists before its first hit; where a
    pattern has labels, that one counts the lines beyond its limit of series.
    """

    def __init__(self, patterns: Iterable[LogPattern], values: Mapping[Series, float]) -> None:
        self._rules: dict[str, _Rule] = {}
        for pattern in patterns:
            self._rules[pattern.name] = _Rule(pattern.lines_metric, pattern.value_metric)
        by_metric = {rule.lines: rule for rule in self._rules.values()}
        others = {rule.value for rule in self._rules.values()}
        own = {metric.name for metric in METRICS}
        self.values: dict[Series, float] = {(name, ()): 0 for name in by_metric}
        for (name, labels), value in values.items():
            if (
                name in by_metric
                or name in others
                or (name in own and dict(labels)["pattern"] in self._rules)
            ):
                self.values[name, labels] = value
            if name in by_metric and labels:
                by_metric[name].sets += 1

    def add_lines(
        self, pattern: LogPattern, names: Sequence[str], found: Sequence[Sequence[bytes] | None]
    ) -> None:
        """All that a pattern found in lines, in their order; None: it did not."""
        rule = self._rules[pattern.name]
        if rule.value is not None:
            for groups in found:
                if groups is not None:
                    self.add(hit_of(pattern, names, groups))
            return
        for groups, lines in Counter(found).items():
            if (series := rule.known.get(groups)) is not None:  # type: ignore[arg-type] # None is no key of it
                self.values[series] += lines
            elif groups is not None:
                hit = hit_of(pattern, names, groups)
                if self.add(hit, lines):
                    rule.known[groups] = (rule.lines, hit.labels)

    def add(self, hit: Hit, lines: int = 1) -> bool:
        """A line, or several that are the same for the pattern; whether its labels were kept."""
        pattern, rule = hit.pattern, self._rules[hit.pattern.name]
        labels = hit.labels
        if (rule.lines, labels) not in self.values:
            if rule.sets >= min(pattern.max_series, MAX_SERIES):
                self._own(METRICS[0].name, pattern, lines)
                labels = ()
            else:
                rule.sets += 1
        self._raise((rule.lines, labels), lines)
        kept = labels == hit.labels
        if rule.value is None:
            return kept
        if hit.value is None:
            self._own(METRICS[1].name, pattern, lines)
        elif pattern.counts:
            self._raise((rule.value, labels), hit.value * lines)
        elif kept:  # a gauge of dropped labels would be of no one
            self.values[rule.value, labels] = hit.value
        return kept

    def _own(self, name: str, pattern: LogPattern, lines: int) -> None:
        self._raise((name, (("pattern", pattern.name),)), lines)

    def _raise(self, series: Series, by: float) -> None:
        self.values[series] = self.values.get(series, 0) + by


def series_of(hit: Hit) -> Iterator[tuple[Series, float, bool]]:
    """The series that a line belongs to, with what it adds; or, where true stands behind it, what it sets."""
    yield (hit.pattern.lines_metric, hit.labels), 1.0, False
    if hit.pattern.value_metric is not None and hit.value is not None:
        yield (hit.pattern.value_metric, hit.labels), hit.value, bool(hit.pattern.sets)
