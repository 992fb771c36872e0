"""label-lost: a text names a label that the expression does not keep."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.model import AlertRule, Labels
from agent.rulebook.labels import labels_with
from agent.yaml_marks import closest

_REFERENCE = re.compile(r"(?:\$labels|\.Labels)\.([A-Za-z_][A-Za-z0-9_]*)")


def label_lost(case: Case) -> Iterator[Finding]:
    """Templates with `$labels.x` where an aggregation or absent() has dropped x: they show an empty text."""
    for each in case.written:
        rule = each.rule
        if not isinstance(rule, AlertRule):
            continue
        kept = labels_with(each.node, rule)
        if kept is None:
            continue
        for key, pairs in (("annotations", rule.annotations), ("labels", rule.labels)):
            yield from _lost(case, rule, key, pairs, kept)


def _lost(case: Case, rule: AlertRule, key: str, pairs: Labels, kept: frozenset[str]) -> Iterator[Finding]:
    for name, text in pairs:
        scalar = case.marks.scalar(rule.place, key, name)
        for match in _REFERENCE.finditer(text):
            if match[1] in kept or scalar is None:
                continue
            message = f"{rule.name} never has a label {match[1]!r}: this shows an empty text"
            hint = closest(match[1], kept) or f"its labels: {', '.join(sorted(kept))}"
            yield Finding(scalar.place_of(match.start()), message, hint, len(match[0]))
