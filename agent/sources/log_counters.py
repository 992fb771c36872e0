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

_REMEMBERED = (
    10_000  # groups beyond a pattern's series, so that a storm of them costs no more than one within
)
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
    text = values.pop(pattern.counts or pattern.sets, None)
    number = None if text is None else _number(text, bool(pattern.sets))
    return Hit(pattern, labels_in(tuple(values), tuple(values.values())), number)


def labels_in(names: Sequence[str], groups: Sequence[bytes]) -> Labels:
    """The labels that groups make; what is no UTF-8 is replaced."""
    texts = (text.decode(errors="replace")[:_VALUE_LIMIT] for text in groups)
    return labels_of(dict(zip(names, texts, strict=True)))


def _number(text: bytes, falls: bool) -> float | None:
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
    beyond: set[Sequence[bytes]] = field(default_factory=set)  # groups whose labels are dropped


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
            self._add_numbers(pattern, names, [groups for groups in found if groups is not None])
            return
        over = 0
        for groups, lines in Counter(found).items():
            if groups in rule.beyond:
                over += lines
            elif (series := rule.known.get(groups)) is not None:  # type: ignore[arg-type] # None is no key of it
                self.values[series] += lines
            elif groups is not None:
                labels = labels_in(names, groups)
                if self._add(pattern, labels, lines) == labels:
                    rule.known[groups] = (rule.lines, labels)
                elif len(rule.beyond) < _REMEMBERED:
                    rule.beyond.add(groups)
        if over:
            self._own(METRICS[0].name, pattern, over)
            self._raise((rule.lines, ()), over)

    def add(self, hit: Hit) -> bool:
        """A line; whether its labels were kept."""
        kept = self._add(hit.pattern, hit.labels, 1)
        if hit.pattern.value_metric is not None:
            self._add_values(hit.pattern, hit.labels, kept, [hit.value])
        return kept == hit.labels

    def _add_numbers(
        self, pattern: LogPattern, names: Sequence[str], found: Sequence[Sequence[bytes]]
    ) -> None:
        at = names.index(pattern.counts or pattern.sets)
        numbers: dict[Sequence[bytes], list[bytes]] = {}
        for groups in found:
            numbers.setdefault((*groups[:at], *groups[at + 1 :]), []).append(groups[at])
        for groups, texts in numbers.items():
            labels = labels_in((*names[:at], *names[at + 1 :]), groups)
            kept = self._add(pattern, labels, len(texts))
            self._add_values(pattern, labels, kept, [_number(text, bool(pattern.sets)) for text in texts])

    def _add(self, pattern: LogPattern, labels: Labels, lines: int) -> Labels:
        """Count lines with these labels, or without any where there are too many; the labels that remain."""
        rule = self._rules[pattern.name]
        if (rule.lines, labels) not in self.values:
            if rule.sets >= min(pattern.max_series, MAX_SERIES):
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
        if len(numbers) < len(values):
            self._own(METRICS[1].name, pattern, len(values) - len(numbers))
        name = pattern.value_metric
        if name is None or not numbers:
            return
        if pattern.counts:
            for number in numbers:  # one by one: the same sum, to the last bit, wherever a file is cut
                self._raise((name, kept), number)
        elif kept == labels:  # a gauge of dropped labels would be of no one
            self.values[name, labels] = numbers[-1]

    def _own(self, name: str, pattern: LogPattern, lines: int) -> None:
        self._raise((name, (("pattern", pattern.name),)), lines)

    def _raise(self, series: Series, by: float) -> None:
        self.values[series] = self.values.get(series, 0) + by


def series_of(hit: Hit) -> Iterator[tuple[Series, float, bool]]:
    """The series that a line belongs to, with what it adds; or, where true stands behind it, what it sets."""
    yield (hit.pattern.lines_metric, hit.labels), 1.0, False
    if hit.pattern.value_metric is not None and hit.value is not None:
        yield (hit.pattern.value_metric, hit.labels), hit.value, bool(hit.pattern.sets)
