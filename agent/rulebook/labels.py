"""Which labels an alert can have, as far as its expression tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.model import AlertRule
from agent.promql.nodes import (
    Aggregate,
    Binary,
    Call,
    Negate,
    Node,
    Number,
    Range,
    Selector,
    String,
    Subquery,
    is_scalar,
)
from agent.rulebook.compiled import compiled

MayHave = frozenset[str] | None  # None: any, the series decide
OfSeries = Callable[[str], MayHave]  # which labels the series of this name have
_KEEPING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})  # these choose elements as they are
_MAKING = frozenset({"label_replace", "label_join"})
_ABSENCE = frozenset({"absent", "absent_over_time"})


def alert_labels(rule: AlertRule) -> MayHave:
    """The labels of the rule's alerts: the expression's, the rule's own and alertname."""
    return labels_with(compiled(rule.expr).node, rule)


def labels_with(node: Node, rule: AlertRule) -> MayHave:
    """The same, of a rule whose expression is compiled already."""
    labels = labels_of(node, _any)
    return None if labels is None else labels | {name for name, _ in rule.labels} | {"alertname"}


def _any(_: str) -> MayHave:
    return None


def labels_of(node: Node, series: OfSeries) -> MayHave:
    """The labels that a result may have."""
    match node:
        case Number() | String():
            return frozenset()
        case Negate() | Subquery():
            return labels_of(node.expr, series)
        case Range():
            return labels_of(node.selector, series)
        case Selector():
            known = None if node.name is None else series(node.name)
            return None if known is None else known | {matcher.name for matcher in node.matchers}
        case Aggregate():
            return _of_groups(node, series)
        case Call() if node.function in _ABSENCE:
            return _of_absence(node.args[0])
        case Call() if node.function not in _MAKING:
            return any_labels([labels_of(argument, series) for argument in node.args])
        case Binary():
            return _of_binary(node, series)
        case _:
            return None


def _of_groups(node: Aggregate, series: OfSeries) -> MayHave:
    made = {node.param.value} if node.op == "count_values" and isinstance(node.param, String) else set[str]()
    inner = labels_of(node.expr, series) if node.without or node.op in _KEEPING else node.labels
    if inner is None or node.op in _KEEPING:
        return inner
    return (inner - node.labels if node.without else inner) | made


def _of_binary(node: Binary, series: OfSeries) -> MayHave:
    left, right = labels_of(node.left, series), labels_of(node.right, series)
    if is_scalar(node.left) or node.op == "or":
        return any_labels([left, right])
    if node.op in ("and", "unless") or is_scalar(node.right):
        return left
    if node.matching.many:
        many = left if node.matching.many == "left" else right
        return None if many is None else many | set(node.matching.include)
    if node.matching.on:
        return node.matching.labels
    return left


def _of_absence(node: Node) -> MayHave:
    """What is not there has labels that are matched by `=`, as in Prometheus."""
    selector = node.selector if isinstance(node, Range) else node
    if not isinstance(selector, Selector):
        return frozenset()
    return frozenset(matcher.name for matcher in selector.matchers if matcher.op == "=")


def any_labels(sets: Sequence[MayHave]) -> MayHave:
    """What one of several may have."""
    known = [labels for labels in sets if labels is not None]
    return frozenset[str]().union(*known) if len(known) == len(sets) else None
