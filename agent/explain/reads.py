"""What an expression reads: series, where they come from and what they mean."""

from __future__ import annotations

from typing import Any

from agent.lints.case import Case, Written


def reads(case: Case, each: Written) -> list[dict[str, Any]]:
    """Each metric once, in the order of the text: metric, selectors, and source, type, unit and help as
    declared (None where nothing here collects it), or `recorded_as`, the expression of a recording rule."""
    found: dict[str, list[str]] = {}
    for reach in each.expression.selectors:
        name = reach.selector.name or str(reach.selector)
        shown = found.setdefault(name, [])
        if str(reach) not in shown:
            shown.append(str(reach))
    return [{"metric": name, "selectors": shown, **_known(case, name)} for name, shown in found.items()]


def needs(case: Case, each: Written) -> dict[str, int]:
    """window_ms: how far back it looks; history_ms: how long it must have looked; kept_ms: what is kept."""
    expression = each.expression
    return {
        "window_ms": expression.window_ms,
        "history_ms": expression.history_ms,
        "kept_ms": case.facts.window_ms,
    }


def _known(case: Case, name: str) -> dict[str, Any]:
    metric = case.facts.metrics.get(name)
    if metric:
        return {"source": metric.source, "type": metric.type, "unit": metric.unit, "help": metric.help}
    recorded = next((rule.expr for rule in case.book.records if rule.name == name), None)
    return {"recorded_as": recorded.strip()} if recorded else {"source": None}
