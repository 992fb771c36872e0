"""Which kinds of file there are, and the schema of each, as the loaders themselves ask for their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.config.load import read_config
from agent.config.values import Files
from agent.model import ActionSpec
from agent.rehearsal.unit_files import read_tests
from agent.rulebook.alert_files import read_groups, read_kubernetes
from agent.rulebook.log_files import read_patterns
from agent.schemas.remedies import remedies
from agent.yaml_marks import Complaints, Outline

Schema = dict[str, Any]
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: str, actions: Mapping[str, ActionSpec]) -> Schema:
    """The schema of a kind of file. KeyError for a kind that there is not."""
    title, make = KINDS[kind]
    return {"$schema": _DRAFT, "title": title, **make(actions)}


def _alerts(_: Mapping[str, ActionSpec]) -> Schema:
    alert, record = _groups({}), _groups({"record": True})
    kubernetes = Outline("a PrometheusRule")
    list(read_kubernetes(kubernetes))
    rules = _one_of_two(alert, record)
    operator = kubernetes.schema()
    spec = operator["properties"]["spec"]["properties"]["groups"]
    _of_a_group(spec)["rules"] = _of_a_group(rules["properties"]["groups"])["rules"]
    return {"if": {"required": ["apiVersion"]}, "then": operator, "else": rules}


def _groups(answers: Mapping[str, Any]) -> Schema:
    outline = Outline("a rule file", answers)
    list(read_groups(outline))
    return outline.schema()


def _one_of_two(alert: Schema, record: Schema) -> Schema:
    """A rule that has a value under `record` is a recording rule."""
    rules, recording = (_list(_of_a_group(each["properties"]["groups"])["rules"]) for each in (alert, record))
    records = {"required": ["record"], "properties": {"record": {"not": {"type": "null"}}}}
    rules["items"] = {"type": "object", "if": records, "then": recording["items"], "else": rules["items"]}
    return alert


def _of_a_group(groups: Schema) -> Schema:
    properties: Schema = _list(groups)["items"]["properties"]
    return properties


def _list(shape: Schema) -> Schema:
    """The list in a shape that may also be null."""
    found: Schema = next((each for each in shape.get("anyOf", ()) if "items" in each), shape)
    return found


def _logs(_: Mapping[str, ActionSpec]) -> Schema:
    outline = Outline("a log pattern file")
    list(read_patterns(outline))
    return outline.schema()


def _tests(_: Mapping[str, ActionSpec]) -> Schema:
    outline = Outline("a file of tests")
    read_tests(outline, Path(), Complaints())
    return outline.schema()


def _config(_: Mapping[str, ActionSpec]) -> Schema:
    outline = Outline("the configuration")
    read_config(outline, Files(Path(), {}), Complaints())
    return outline.schema()


KINDS: Mapping[str, tuple[str, Callable[[Mapping[str, ActionSpec]], Schema]]] = MappingProxyType(
    {
        "alerts": ("alerts.yml: a Prometheus rule file", _alerts),
        "remedies": ("remedies.yml: what is done about alerts", remedies),
        "logs": ("logs.yml: log lines to count", _logs),
        "tests": ("tests.yml: unit tests of rules and remedies", _tests),
        "config": ("ottla.yml: the configuration of an agent", _config),
    }
)
