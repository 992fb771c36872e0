"""nan-compare: `!=` is true of NaN, which idle timers and 0/0 give."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.lints.shapes import comparisons, selectors
from agent.promql.nodes import Binary, Call, Node, is_scalar, walk

# Averages and percentiles of nothing: Kafka's metrics give NaN while nothing happens.
_TIMER = re.compile(r".*_(?:avg|mean|max|min|p?\d{2,3}(?:th)?_?(?:percentile)?)")


def nan_compare(case: Case) -> Iterator[Finding]:
    """`!=` with a quotient, a histogram's quantile, or a timer's average, minimum, maximum or percentile."""
    for each in case.written:
        for node in comparisons(each.node):
            why = _may_be_nan(node.left) or _may_be_nan(node.right)
            if node.op == "!=" and why:
                at = next(iter(selectors(node)), None)
                message = f"`!=` is true of NaN, and so is this where {why}"
                yield each.finding(message, "use < or >, which are false of NaN", at=at)


def _may_be_nan(node: Node) -> str:
    """When the value is NaN, in words; empty where nothing says that it can be."""
    for inner in walk(node):
        if isinstance(inner, Binary) and inner.op in ("/", "%") and not is_scalar(inner.right):
            return "both sides of the division are 0"
        if isinstance(inner, Call) and inner.function == "histogram_quantile":
            return "nothing was observed"
    timers = [s.name for s in selectors(node) if s.name and _TIMER.fullmatch(s.name)]
    return f"{timers[0]} had nothing to measure" if timers else ""
