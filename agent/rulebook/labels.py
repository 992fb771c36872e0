"""Which labels an alert can have, as far as its expression tells."""

from __future__ import annotations

from collections.abc import Sequence

from agent.model import AlertRule
from agent.promql.nodes import Aggregate, Binary, Call, Negate, Node, Number, Range, Selector
from agent.rulebook.compiled import compiled

MayHave = frozenset[str] | None  # None: any, the series decide
_KEEPING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})  # these choose elements as they are
_MAKING = frozenset({"label_replace", "label_join"})
_ABSENCE = frozenset({"absent", "absent_over_time"})


def alert_labels(rule: AlertRule) -> MayHave:
    """The labels of the rule's alerts: the expression's, the rule's own and alertname."""
    return labels_with(compiled(rule.expr).node, rule)


def labels_with(node: Node, rule: AlertRule) -> MayHave:
    """The same, of a rule whose expression is compiled already."""
    labels = _labels(node)
    return None if labels is None else labels | {name for name, _ in rule.labels} | {"alertname"}


def _labels(node: Node) -> MayHave:
    match node:
        case Number():
            return frozenset()
        case Negate():
            return _labels(node.expr)
        case Aggregate():
            if node.op in _KEEPING:
                return _labels(node.expr)
            inner = _labels(node.expr)
            if node.without:
                return None if inner is None else inner - node.labels
            return node.labels
        case Call() if node.function in _ABSENCE:
            return _of_absence(node.args[0])
        case Call() if node.function not in _MAKING:
            return any_labels([_labels(argument) for argument in node.args])
        case Binary():
            return _of_binary(node)
        case _:
            return None


def _of_binary(node: Binary) -> MayHave:
    left, right = _labels(node.left), _labels(node.right)
    if isinstance(node.left, Number) or node.op == "or":
        return any_labels([left, right])
    if node.op in ("and", "unless") or isinstance(node.right, Number):
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
