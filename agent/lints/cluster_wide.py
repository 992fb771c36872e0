"""cluster-wide: an expression that looks over all brokers, judged on the samples of one."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Facts, Finding
from agent.lints.shapes import COMPARISONS, constant, selectors
from agent.promql.nodes import Aggregate, Binary, Node, Selector, children
from agent.yaml_marks import Severity

_LIKE_ONE = frozenset({"min", "max", "avg", "group"})  # of one series: that series
_POOLING = frozenset({"sum", "count", "stddev", "stdvar", "quantile"}) | _LIKE_ONE
_FEWER = frozenset({"<", "<=", "!=", "=="})  # what fewer brokers than meant make true
# One broker of all has 1, the others have 0.
_ONE_OF_ALL = frozenset({"kafka_controller_kafkacontroller_activecontrollercount"})
_HINT = "kafka_admin_ metrics tell of the whole cluster; leave others to the central Prometheus"


def cluster_wide(case: Case) -> Iterator[Finding]:
    """Aggregations of metrics that have one series on a host, and gauges that only one broker has set.

    A warning where that makes the rule fire for ever or never, else a note: it sees less than was meant.
    """
    for each in case.written:
        for at, message, severity in _judged(each.node, case.facts, None):
            yield each.finding(message, _HINT, at=at, severity=severity)


def _judged(node: Node, facts: Facts, op: str | None) -> Iterator[tuple[Selector, str, Severity]]:
    """`op` is the comparison with a number that the node's value goes into, if it does."""
    at = _alone(node, facts)
    if isinstance(node, Aggregate) and at:
        yield _aggregate(node, at, op)
        return
    if isinstance(node, Selector) and node.name in _ONE_OF_ALL and op in _FEWER:
        yield node, f"{node.name} is 1 on one broker of the cluster and 0 on all others", Severity.WARNING
    compares = isinstance(node, Binary) and node.op in COMPARISONS
    for child in children(node):
        inner = node.op if compares and isinstance(node, Binary) and constant(node) is not None else None
        yield from _judged(child, facts, inner)


def _aggregate(node: Aggregate, at: Selector, op: str | None) -> tuple[Selector, str, Severity]:
    if node.op == "count" and op in (">", ">="):
        return at, f"this counts brokers, and on a host {at.name} has one series", Severity.WARNING
    if node.op not in _LIKE_ONE and op in _FEWER:
        return at, f"this is meant for all brokers, and on a host {at.name} has one series", Severity.WARNING
    return at, f"{node.op}() has nothing to aggregate: on a host {at.name} has one series", Severity.NOTE


def _alone(node: Node, facts: Facts) -> Selector | None:
    """The first selector beneath an aggregation, where every one beneath has a single series here."""
    if not isinstance(node, Aggregate) or node.op not in _POOLING:
        return None
    found = selectors(node)
    single = all(s.name in facts.metrics and facts.metrics[s.name].single for s in found if s.name)
    return found[0] if found and single and all(s.name for s in found) else None
