"""One rule as plain data, put together from the rules, what is known of the host, and its policy."""

from __future__ import annotations

from typing import Any

from agent.explain.reads import needs, reads
from agent.explain.refusals import refusals
from agent.explain.remedy import limits, remedy_of, steps
from agent.lints.case import Case, Written
from agent.model import AlertRule, Policy, Remedy

Plain = dict[str, Any]


def explain(case: Case, name: str, policy: Policy) -> list[Plain]:
    """Every rule with this name, alerting or recording; none where there is no such rule.

    Each has rule, kind, place, group, expr, labels, annotations, reads, needs, fires and remedy (None where
    there is none; else owner, mode, place, target, unless, worse_if, steps, limits, refusals). Durations are
    milliseconds.
    """
    return [
        _one(case, each, policy)
        for each in case.written
        if not isinstance(each.rule, Remedy) and each.rule.name == name
    ]


def _one(case: Case, each: Written, policy: Policy) -> Plain:
    rule = each.rule
    assert not isinstance(rule, Remedy)
    alert = rule if isinstance(rule, AlertRule) else None
    remedy = remedy_of(case, alert) if alert else None
    return {
        "rule": rule.name,
        "kind": "alert" if alert else "record",
        "place": str(rule.place),
        "group": rule.group,
        "expr": rule.expr.strip(),
        "labels": dict(rule.labels),
        "annotations": dict(alert.annotations) if alert else {},
        "reads": reads(case, each),
        "needs": needs(case, each),
        "fires": _fires(alert) if alert else None,
        "remedy": _remedy(case, each, remedy, policy) if remedy else None,
    }


def _fires(rule: AlertRule) -> Plain:
    return {"for_ms": rule.for_ms, "keep_firing_for_ms": rule.keep_firing_for_ms, "limit": rule.limit}


def _remedy(case: Case, each: Written, remedy: Remedy, policy: Policy) -> Plain:
    return {
        "owner": remedy.owner,
        "mode": remedy.mode.value,
        "place": str(remedy.place),
        "target": remedy.target,
        "unless": list(remedy.unless),
        "worse_if": remedy.worse_if,
        "steps": steps(case, remedy),
        "limits": limits(case, remedy, policy),
        "refusals": refusals(case, each, remedy, policy),
    }
