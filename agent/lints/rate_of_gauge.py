"""rate-of-gauge: rate() takes every fall of a gauge for a restart."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.lints.shapes import ranges

_OF_COUNTERS = {"rate": "deriv", "irate": "idelta", "increase": "delta", "resets": "changes"}


def rate_of_gauge(case: Case) -> Iterator[Finding]:
    """rate(), irate(), increase() or resets() of a metric that is declared a gauge."""
    for each in case.written:
        for call, at in ranges(each.node):
            metric = case.facts.metrics.get(at.selector.name or "")
            if call.function in _OF_COUNTERS and metric and metric.type == "gauge":
                message = f"{call.function}() takes each fall of the gauge {metric.name} for a reset"
                yield each.finding(message, f"use {_OF_COUNTERS[call.function]}()", at=at.selector)
