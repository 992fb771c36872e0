"""window-too-long: a rule looks further back than samples are kept."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.quantities import show_duration


def window_too_long(case: Case) -> Iterator[Finding]:
    """Ranges, offsets and subqueries that reach beyond the store's window."""
    kept = case.facts.window_ms
    for each in case.written:
        needs = each.expression.window_ms
        if needs > kept:
            furthest = max(each.expression.selectors, key=lambda s: s.window_ms + s.offset_ms)
            message = (
                f"this looks {show_duration(needs)} back, and an agent keeps {show_duration(kept)} of samples"
            )
            yield each.finding(
                message, "shorten it, or leave the rule to the central Prometheus", at=furthest.selector
            )
