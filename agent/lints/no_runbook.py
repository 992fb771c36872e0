"""no-runbook: who is woken by the alert finds no word on what to do."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.model import Mode
from agent.yaml_marks import Fields, Node, Scalar, Severity

_PAGES = frozenset({"page", "critical"})


_ANNOTATION = "runbook_url"


def no_runbook(case: Case) -> Iterator[Finding]:
    """Alerts without `runbook_url` that page or have a remedy; a warning where the remedy may act."""
    for rule in case.book.alerts:
        remedy = case.book.remedies.get(rule.name)
        pages = dict(rule.labels).get("severity") in _PAGES
        if not (remedy or pages) or _has_one(case.marks.node(rule.place)):
            continue
        acts = remedy is not None and remedy.mode is Mode.ACT
        why = f"{rule.name} {'has a remedy' if remedy else 'wakes somebody'} and no runbook"
        yield Finding(
            case.marks.key(rule.place, "alert"),
            why,
            f"add the annotation {_ANNOTATION}",
            len("alert"),
            Severity.WARNING if acts else Severity.NOTE,
        )


def _has_one(rule: Node | None) -> bool:
    """Also under another key than `annotations`, whose slip is told of as such. A label is none."""
    parts = [part for key, part in rule.fields.items() if key != "labels"] if isinstance(rule, Fields) else []
    given = (part.fields.get(_ANNOTATION) for part in parts if isinstance(part, Fields))
    return any(isinstance(each, Scalar) and each.text.strip() for each in given)
