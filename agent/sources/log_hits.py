"""What a line is for the pattern that finds it: by its groups, labels and perhaps a number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import msgspec

from agent.model import Labels, LogPattern, labels_of

Groups = tuple[bytes, ...]
Series = tuple[str, Labels]  # metric name and labels

_REMEMBERED = 100  # labels of a pattern, by the short groups that made them
_SHORT = 256  # bytes of a line's groups together that are worth remembering: they may be a MiB
_VALUE_LIMIT = 200  # characters of a label's value, each of up to four bytes
_NUMBER = re.compile(rb"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")


class Hit(msgspec.Struct, frozen=True):
    """A line that a pattern found. `value`: the number that it counts or sets; None where it is not one."""

    pattern: LogPattern
    labels: Labels
    value: float | None = None


class Columns:
    """How the groups of a pattern with these `names` are read: at most one is a number, the others labels."""

    def __init__(self, pattern: LogPattern, names: Sequence[str]) -> None:
        number = pattern.counts or pattern.sets
        self.pattern = pattern
        self.metrics = (pattern.lines_metric, pattern.value_metric)
        self.number = names.index(number) if number else None  # which of the groups it is
        self._names = tuple(name for name in names if name != number)
        self._known: dict[Groups, Labels] = {}

    def hit(self, groups: Groups) -> Hit:
        """The line with these groups."""
        return Hit(self.pattern, self.labels(groups), self.value(groups))

    def others(self, groups: Groups) -> Groups:
        """All but the number."""
        at = self.number
        return groups if at is None else (*groups[:at], *groups[at + 1 :])

    def labels(self, groups: Groups) -> Labels:
        """What is no UTF-8 is replaced."""
        return self.labels_of(groups if self.number is None else self.others(groups))

    def labels_of(self, others: Groups) -> Labels:
        """The labels where the number is left out already."""
        labels = self._known.get(others)
        if labels is None:
            labels = _labels(self._names, others)
            if len(self._known) < _REMEMBERED and is_short(others):
                self._known[others] = labels
        return labels

    def value(self, groups: Groups) -> float | None:
        """The number; None where it is none, or negative and must not be."""
        return None if self.number is None else self.numbers([groups[self.number]])[0]

    def numbers(self, texts: Sequence[bytes]) -> list[float | None]:
        """The number that each text is."""
        falls = bool(self.pattern.sets)
        return [float(text) if text.isdigit() and len(text) <= 30 else _number(text, falls) for text in texts]


def is_short(groups: Groups) -> bool:
    """Whether they may be remembered: what is bounded by number is bounded in bytes then, too."""
    return sum(map(len, groups)) <= _SHORT


def _labels(names: tuple[str, ...], groups: Groups) -> Labels:
    texts = (text[: 4 * _VALUE_LIMIT].decode(errors="replace")[:_VALUE_LIMIT] for text in groups)
    return labels_of(dict(zip(names, texts, strict=True)))


def _number(text: bytes, falls: bool) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) and (falls or value >= 0) else None


def series_of(hit: Hit) -> Iterator[tuple[Series, float, bool]]:
    """The series that a line belongs to, with what it adds; or, where true stands behind it, what it sets."""
    yield (hit.pattern.lines_metric, hit.labels), 1.0, False
    if hit.pattern.value_metric is not None and hit.value is not None:
        yield (hit.pattern.value_metric, hit.labels), hit.value, bool(hit.pattern.sets)
