"""blind-here: a selector that matches nothing on this host."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from agent.lints.case import Case, Finding, Written
from agent.model import AlertRule
from agent.yaml_marks import Severity

_NEAR = 0.9  # below that every name of Kafka's looks like another
_THEN = {
    "expr": "the alert will stay blind",
    "record": "it will record nothing",
    "unless": "this objection will never be raised",
    "verify": "no action will ever be found to have helped",
    "worse_if": "nothing will ever be found to be worse",
}


def blind_here(case: Case) -> Iterator[Finding]:
    """Metrics that no source collects and no rule records; where an agent was asked, what it has nothing of.

    A note where the rule does nothing anyway: the file may be meant for a central Prometheus as well.
    """
    known = case.facts.metrics.keys() | {rule.name for rule in case.book.records}
    near: dict[str, str | None] = {}
    for each in case.written:
        for selector in (reach.selector for reach in each.expression.selectors):
            name = selector.name
            if name is not None and name not in known:
                if name not in near:
                    near[name] = _near(name, known)
                severity = Severity.WARNING if near[name] or _acts(each, case) else Severity.NOTE
                message = f"nothing here collects {name!r}: {_THEN[each.role]}"
                yield each.finding(message, near[name], at=selector, severity=severity)
            elif str(selector) in case.facts.missing:
                message = f"the agent has no series for {selector}: {_THEN[each.role]}"
                yield each.finding(message, "see the labels that it has: /api/v1/series", at=selector)


def _near(name: str, known: Collection[str]) -> str | None:
    near = get_close_matches(name[:200], known, n=1, cutoff=_NEAR)
    return f"did you mean {near[0]!r}?" if near else None


def _acts(each: Written, case: Case) -> bool:
    return each.role not in ("expr", "record") or (
        isinstance(each.rule, AlertRule) and each.rule.name in case.book.remedies
    )
