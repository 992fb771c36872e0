"""counter-without-rate: a counter's value is compared, which says how long it counts and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.lints.case import Case, Facts, Finding
from agent.lints.shapes import comparisons
from agent.promql.nodes import Aggregate, Binary, Call, Negate, Node, Range, Selector, Subquery

# Undeclared metrics by their name; not every _count is a counter, those of timers and sizes are.
_COUNTER = re.compile(
    r".*_(?:total|bucket|sum|(?:ms|ns|seconds|time|timems|latency|size|bytes|persec)_count)"
)
_KEEPING = frozenset(f"{op}_over_time" for op in ("last", "first", "max", "min", "avg", "sum", "quantile"))
_VALUELESS = frozenset({"count", "group"})


def counter_without_rate(case: Case) -> Iterator[Finding]:
    """A counter compared with a number or a gauge without rate(), increase() or the like around it."""
    for each in case.written:
        told: set[str] = set()
        for node in comparisons(each.node):
            for selector in _compared(node, case.facts):
                if str(selector) not in told:
                    told.add(str(selector))
                    message = f"the counter {selector.name} only ever grows: once true, this stays true"
                    hint = "compare its rate() or increase()"
                    yield each.finding(message, hint, at=selector)


def _compared(node: Binary, facts: Facts) -> tuple[Selector, ...]:
    left, right = _raw(node.left, facts), _raw(node.right, facts)
    if {s.name for s in left} & {s.name for s in right}:
        return ()  # with itself at another time
    return left + right


def _raw(node: Node, facts: Facts) -> tuple[Selector, ...]:
    """The counters whose own value reaches the node's result."""
    match node:
        case Selector():
            return (node,) if _is_counter(node.name, facts) else ()
        case Range():
            return _raw(node.selector, facts)
        case Call():
            return tuple(each for argument in node.args for each in _through(node.function, argument, facts))
        case Aggregate() if node.op in _VALUELESS:
            return ()
        case Aggregate() | Negate() | Subquery():
            return _raw(node.expr, facts)
        case Binary(op="and" | "unless"):
            return _raw(node.left, facts)
        case Binary():
            left, right = _raw(node.left, facts), _raw(node.right, facts)
            return () if node.op == "-" and left and right else left + right
        case _:
            return ()


def _through(function: str, argument: Node, facts: Facts) -> tuple[Selector, ...]:
    if isinstance(argument, Range | Subquery) and function not in _KEEPING:
        return ()
    return () if function in ("absent", "timestamp") else _raw(argument, facts)


def _is_counter(name: str | None, facts: Facts) -> bool:
    metric = facts.metrics.get(name or "")
    return metric.type == "counter" if metric else _COUNTER.fullmatch(name or "") is not None
