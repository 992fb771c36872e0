"""template-unsupported: a template that the agent cannot expand, and shows as it is written."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.templates import Unsupported, parse


def template_unsupported(case: Case) -> Iterator[Finding]:
    """In labels, where it becomes part of the alert's identity, and in annotations."""
    for rule in case.book.alerts:
        for key, pairs in (("labels", rule.labels), ("annotations", rule.annotations)):
            for name, text in pairs:
                scalar = case.marks.scalar(rule.place, key, name)
                parsed = parse(text) if scalar and "{{" in text else None
                if scalar and isinstance(parsed, Unsupported):
                    place = scalar.place_of(parsed.column - 1)
                    yield Finding(place, f"{parsed.message}: the text stays as it is")
