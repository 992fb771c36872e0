"""no-runbook: who is woken by the alert finds no word on what to do."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.model import Mode
from agent.yaml_marks import Severity

_PAGES = frozenset({"page", "critical"})


def no_runbook(case: Case) -> Iterator[Finding]:
    """Alerts without `runbook_url` that page or have a remedy; a warning where the remedy may act."""
    for rule in case.book.alerts:
        remedy = case.book.remedies.get(rule.name)
        if "runbook_url" in dict(rule.annotations) or not (
            remedy or dict(rule.labels).get("severity") in _PAGES
        ):
            continue
        acts = remedy is not None and remedy.mode is Mode.ACT
        why = f"{rule.name} {'has a remedy' if remedy else 'wakes somebody'} and no runbook"
        yield Finding(
            case.marks.key(rule.place, "alert"),
            why,
            "add the annotation runbook_url",
            len("alert"),
            Severity.WARNING if acts else Severity.NOTE,
        )
