"""Prometheus rule files: groups of alerting and recording rules, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from agent.model import AlertRule, Labels, RecordRule, Rule, labels_of
from agent.rulebook.expressions import promql_of_rule
from agent.yaml_marks import Complaints, Fields, Form, Node, Wrong, shape_of, shaped
from agent.yaml_marks.readers import choice, duration, integer, pairs, text

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
LONGEST_NAME = 200  # characters of an alert's: agents tell each other what fires
METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class _Group(Struct, frozen=True):
    name: str
    labels: Labels
    limit: int
    offset_ms: int


def read_rules(trees: Iterable[Node], complaints: Complaints) -> tuple[Rule, ...]:
    """Every rule of these files, in their order: that is the order in which a pass judges them."""
    rules: list[Rule] = []
    for tree in trees:
        file = Form(tree, "a rule file", complaints)
        if isinstance(tree, Fields) and "apiVersion" in tree.fields:
            rules += read_kubernetes(file)
        else:
            rules += read_groups(file)
    return tuple(rules)


def read_groups(file: Form, *, thanos: bool = False) -> Iterator[Rule]:
    """The rules of one rule file."""
    seen: set[str] = set()
    for group in file.forms("groups", "a group"):
        if thanos:  # the operator's rules may be meant for Thanos as well
            group.get("partial_response_strategy", text, "")
        yield from _group(group, seen)
    file.close()


def read_kubernetes(file: Form) -> Iterator[Rule]:
    """A PrometheusRule of the Prometheus operator has a rule file as its `spec`."""
    file.get("apiVersion", text, "")
    file.get("metadata", lambda _: None, None)
    file.get("kind", choice({"PrometheusRule": True}), True, required=True)
    spec = file.form("spec", "`spec`", required=True)
    file.close()
    if spec is not None:
        yield from read_groups(spec, thanos=True)


def _group(form: Form, seen: set[str]) -> Iterator[Rule]:
    name = form.get("name", text, "", required=True)
    if name and name in seen:
        form.complain(f"duplicate group {name!r} in this file", key="name")
    seen.add(name)
    # Rules are judged when what they read arrives: an interval has nothing to say.
    form.get("interval", duration, None)
    group = _Group(
        name,
        form.get("labels", label_set, ()),
        form.get("limit", integer, 0),
        form.get("query_offset", duration, 0),
    )
    for rule in form.forms("rules", "a rule"):
        records = rule.get("record", lambda _: True, False)
        yield _record(rule, group) if records else _alert(rule, group)
        rule.close()
    form.close()


def _alert(rule: Form, group: _Group) -> AlertRule:
    return AlertRule(
        name=rule.get("alert", alert_name, "", required=True),
        expr=rule.get("expr", promql_of_rule, "", required=True),
        for_ms=rule.get("for", duration, 0),
        keep_firing_for_ms=rule.get("keep_firing_for", duration, 0),
        labels=_labels(rule, group),
        annotations=rule.get("annotations", pairs, ()),
        group=group.name,
        place=rule.place,
        limit=group.limit,
        offset_ms=group.offset_ms,
    )


def _record(rule: Form, group: _Group) -> RecordRule:
    rule.what = "a recording rule"
    return RecordRule(
        name=rule.get("record", metric_name, ""),
        expr=rule.get("expr", promql_of_rule, "", required=True),
        labels=_labels(rule, group),
        group=group.name,
        place=rule.place,
        limit=group.limit,
        offset_ms=group.offset_ms,
    )


def _labels(rule: Form, group: _Group) -> Labels:
    return labels_of({**dict(group.labels), **dict(rule.get("labels", label_set, ()))})


@shaped({**shape_of(text), "maxLength": LONGEST_NAME})
def alert_name(node: Node) -> str:
    """What an alert may be called."""
    name = text(node)
    if len(name) > LONGEST_NAME:
        raise Wrong(f"an alert's name of {len(name)} characters", f"at most {LONGEST_NAME} fit into a beat")
    return name


@shaped({"type": "string", "pattern": f"^{METRIC_NAME.pattern}$"})
def metric_name(node: Node) -> str:
    """What a recording rule may call its series."""
    name = text(node)
    if not METRIC_NAME.fullmatch(name):
        raise Wrong(f"{name!r} is no metric name", "letters, digits, _ and : only, as in path:used:ratio")
    return name


@shaped({**shape_of(pairs), "propertyNames": {"pattern": f"^(?!__|alertname$){LABEL_NAME.pattern}$"}})
def label_set(node: Node) -> Labels:
    """Labels as a rule may add them."""
    labels = pairs(node)
    for name, place in node.keys.items() if isinstance(node, Fields) else ():
        if not LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise Wrong(f"{name!r} is no label name", "letters, digits and _ only", place)
        if name == "alertname":
            raise Wrong("alertname is set by the alert's own name", "leave it out", place)
    return labels
