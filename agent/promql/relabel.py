"""Functions that change or sort by labels: label_replace, label_join, sort_by_label."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import re2
from msgspec.structs import replace

from agent.model import Labels
from agent.promql.errors import BadExpression, EvaluationError
from agent.promql.labels import NAME, replaced, value_of
from agent.promql.vectors import Rows, Vector

_QUIET = re2.Options()
_QUIET.log_errors = False  # else RE2 writes to stderr what the exception says already
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)  # Go's Expand
_DIGITS = re.compile(r"(\d+)")


def pattern(text: str) -> re2.Pattern:
    """An anchored RE2 pattern, `.` matching newlines too. BadExpression where it is none."""
    try:
        return re2.compile(f"(?s:{text})", _QUIET)
    except re2.error as e:
        raise BadExpression(f"bad pattern {text!r}: {e}") from None


def label_replace(elements: Vector, texts: Sequence[str]) -> Vector:
    """label_replace(v, dst, replacement, src, regex): where the pattern matches, dst is the replacement."""
    dst, replacement, src, regex = texts
    compiled = pattern(regex)

    def change(labels: Labels) -> Labels:
        match = compiled.fullmatch(value_of(labels, src))
        return labels if match is None else replaced(labels, dst, _expanded(replacement, match))

    return _changed(elements, ("label_replace", *texts), dst, change)


def label_join(elements: Vector, texts: Sequence[str]) -> Vector:
    """label_join(v, dst, separator, src...): dst is the values of the others, joined."""
    dst, separator, *sources = texts

    def change(labels: Labels) -> Labels:
        return replaced(labels, dst, separator.join(value_of(labels, each) for each in sources))

    return _changed(elements, ("label_join", *texts), dst, change)


def sorted_by_label(elements: Vector, texts: Sequence[str], *, descending: bool) -> Vector:
    """Rows in natural order of these labels' values ("a2" before "a10"), then of all labels."""

    def key(row: int) -> tuple[object, ...]:
        labels = elements.rows.labels[row]
        return (*(_natural(value_of(labels, each)) for each in texts), labels)

    order = sorted(range(len(elements.rows)), key=key, reverse=descending)
    return replace(elements, order=np.array(order, np.intp))


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = _DIGITS.split(text)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part)


def _changed(elements: Vector, key: tuple[str, ...], dst: str, change: Callable[[Labels], Labels]) -> Vector:
    old = elements.rows
    rows = old.derived(key, lambda: Rows([change(labels) for labels in old.labels]))
    unnamed = elements.unnamed
    if dst == NAME:
        pairs = zip(old.labels, rows.labels, strict=True)
        unnamed = unnamed & np.array([before is after for before, after in pairs], bool)
    result = replace(elements, rows=rows, unnamed=unnamed)
    if len(set(rows.labels)) < len(rows):
        refuse_twins(result)
    return result


def refuse_twins(elements: Vector) -> None:
    """EvaluationError where two rows with the same labels are present at one step."""
    seen: dict[Labels, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]] = {}
    for labels, present in zip(elements.rows.labels, elements.present, strict=True):
        if labels in seen and (seen[labels] & present).any():
            raise EvaluationError("vector cannot contain metrics with the same labelset")
        seen[labels] = seen[labels] | present if labels in seen else present


def _expanded(template: str, match: re2.Match) -> str:
    """The replacement with $1, ${1} and ${name} filled in; what the pattern has no group for is empty."""

    def group(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError, re2.error):
            return ""

    return _REFERENCE.sub(group, template)
