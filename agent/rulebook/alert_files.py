"""Prometheus rule files: groups of alerting rules, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from agent.model import AlertRule, Labels, labels_of
from agent.rulebook.expressions import promql
from agent.yaml_marks import Complaints, Fields, Form, Node, Wrong
from agent.yaml_marks.readers import duration, integer, pairs, text

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def read_alerts(trees: Iterable[Node], complaints: Complaints) -> tuple[AlertRule, ...]:
    """Every alert of these files. A name may stand once: it is the key of remedies, journal and status."""
    alerts: dict[str, AlertRule] = {}
    for tree in trees:
        file = Form(tree, "a rule file", complaints)
        groups: set[str] = set()
        for group in file.forms("groups", "a group"):
            for rule in _group(group, groups):
                first = alerts.setdefault(rule.name, rule)
                if first is not rule and rule.name:
                    complaints.add(
                        rule.place, f"duplicate alert {rule.name!r}: the first is at {first.place}"
                    )
        file.close()
    return tuple(alerts.values())


def _group(group: Form, seen: set[str]) -> Iterator[AlertRule]:
    name = group.get("name", text, "", required=True)
    if name and name in seen:
        group.complain(f"duplicate group {name!r} in this file", key="name")
    seen.add(name)
    # Rules are judged when what they read arrives, so an interval has nothing to say; a limit would.
    group.get("interval", duration, None)
    group.get("limit", _no_limit, None)
    group.get("query_offset", _no_offset, None)
    labels = group.get("labels", label_set, ())
    for rule in group.forms("rules", "a rule"):
        yield _rule(rule, name, labels)
    group.close()


def _rule(rule: Form, group: str, labels: Labels) -> AlertRule:
    record = rule.get("record", text, "")
    if record:
        rule.complain(
            "recording rules are not supported yet", "write its expression into the alert", "record"
        )
    alert = AlertRule(
        name=rule.get("alert", text, "", required=not record),
        expr=rule.get("expr", promql, "", required=True),
        for_ms=rule.get("for", duration, 0),
        keep_firing_for_ms=rule.get("keep_firing_for", duration, 0),
        labels=labels_of({**dict(labels), **dict(rule.get("labels", label_set, ()))}),
        annotations=rule.get("annotations", pairs, ()),
        group=group,
        place=rule.place,
    )
    rule.close()
    return alert


def _no_limit(node: Node) -> int:
    if limit := integer(node):
        raise Wrong(f"a limit of {limit} alerts is not supported yet", "use limits.max_targets in the remedy")
    return 0


def _no_offset(node: Node) -> int:
    if duration(node):
        raise Wrong("not supported: the agent reads its own samples, which are never late", "leave it out")
    return 0


def label_set(node: Node) -> Labels:
    """Labels as a rule may add them."""
    labels = pairs(node)
    for name, place in node.keys.items() if isinstance(node, Fields) else ():
        if not LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise Wrong(f"{name!r} is no label name", "letters, digits and _ only", place)
        if name == "alertname":
            raise Wrong("alertname is set by the alert's own name", "leave it out", place)
    return labels
