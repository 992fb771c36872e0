"""The schemas for editors: valid, true of what is shipped, and never stricter than the loaders."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_files import ALERTS, REMEDIES, SPECS

from agent.commands.rules import rules
from agent.config import BadConfig
from agent.config import load as load_config
from agent.rehearsal.unit_files import read_file
from agent.rulebook import read
from agent.schemas import KINDS, schema
from agent.yaml_marks import Complaints, Fields, Items, Node, Scalar, compose

ROOT = Path(__file__).parents[2]
SCHEMAS = {kind: schema(kind, SPECS) for kind in KINDS}
SHIPPED = sorted((ROOT / "rules").glob("*/*.yml")) + sorted((ROOT / "agent/demo/rules").glob("*/*.yml"))


def plain(node: Node | None) -> Any:
    """The tree as an editor's YAML 1.2 parser has it."""
    if isinstance(node, Fields):
        return {key: plain(value) for key, value in node.fields.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.value if isinstance(node, Scalar) else None


def data(text: str) -> Any:
    """A file's content; it is YAML."""
    complaints = Complaints()
    node = compose("f", text.encode(), complaints)
    assert not complaints
    return plain(node)


def refused(kind: str, content: Any) -> list[str]:
    """What the schema says against it."""
    validator = jsonschema.Draft202012Validator(SCHEMAS[kind])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_a_schema_and_the_command_prints_it(kind: str) -> None:
    """Of the draft that it names."""
    printed = json.loads(CliRunner().invoke(rules, ["schema", kind]).stdout)
    assert printed == SCHEMAS[kind]
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_shipped_files_fit(path: Path) -> None:
    """Alerts, remedies, logs and tests."""
    assert refused(path.stem, data(path.read_text())) == []


def test_the_configuration_shown_in_the_docs_fits() -> None:
    """Each block that names the file."""
    page = (ROOT / "docs/configuration.md").read_text()
    blocks = [
        text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "bootstrap_servers" in text
    ]
    assert blocks
    for text in blocks:
        assert refused("config", data(text)) == []


@pytest.mark.parametrize(
    ("kind", "text", "where"),
    [
        ("alerts", ALERTS.replace("for: 1m", "for: 1 m"), "$.groups[0].rules[0].for"),
        ("alerts", ALERTS.replace("alert:", "alertt:"), "$.groups[0].rules[0]"),
        ("alerts", ALERTS.replace("- alert:", "- record: a-b\n        x:"), "$.groups[0].rules[0]"),
        ("alerts", "apiVersion: v1\nkind: Rule\nspec: {groups: []}\n", "$.kind"),
        ("remedies", REMEDIES.replace("drain_disk", "drain_dsik"), "$.remedies.LogDirFillingUp.steps[0].do"),
        ("remedies", REMEDIES.replace("rate: 50MiB/s", "rat: 1"), "$.remedies.LogDirFillingUp.steps[0].with"),
        ("remedies", REMEDIES.replace("50MiB/s", "50MiB"), "$.remedies.LogDirFillingUp.steps[0].with.rate"),
        (
            "remedies",
            REMEDIES.replace("        with", "        lease: 1h\n        with"),
            "$.remedies.LogDirFillingUp.steps[0].lease",
        ),
        (
            "remedies",
            REMEDIES.replace("drain_disk", "throttle_replication").replace(
                "log_dir: $path, until_used_ratio: 0.75, ", ""
            ),
            "$.remedies.LogDirFillingUp.steps[0]",
        ),
        (
            "remedies",
            REMEDIES.replace("escalate", "escalate\n        with: {}"),
            "$.remedies.LogDirFillingUp.steps[1]",
        ),
        ("logs", "patterns: [{name: a_total, file: f, regex: x}]", "$.patterns[0].name"),
        ("tests", "tests: [{interval: soon}]", "$.tests[0].interval"),
        ("config", "bootstrap_servers: []", "$"),
    ],
)
def test_a_mistake_is_marked_where_it_stands(kind: str, text: str, where: str) -> None:
    """While it is typed."""
    assert where in [said.split(": ", 1)[0] for said in refused(kind, data(text))]


def load_rules(name: str) -> Callable[[Path, str], bool]:
    """Whether the loader finds errors in one kind of rule file."""

    def bad(folder: Path, text: str) -> bool:
        alerts = ALERTS + "      - {alert: Other, expr: up == 0}\n"
        for other, good in (("alerts", alerts), ("remedies", ""), ("logs", "")):
            (folder / f"{other}.yml").write_text(text if other == name else good)
        return bool(read([folder], SPECS).complaints)

    return bad


def load_tests(folder: Path, text: str) -> bool:
    """The same of a file of tests."""
    path, complaints = folder / "tests.yml", Complaints()
    path.write_text(text)
    read_file(path, complaints)
    return bool(complaints)


def load_configuration(folder: Path, text: str) -> bool:
    """The same of a configuration."""
    path = folder / "ottla.yml"
    path.write_text(text)
    try:
        load_config(path, {})
    except BadConfig:
        return True
    return False


CONFIG = """\
bootstrap_servers: ["localhost:9092"]
jolokia: {url: "http://localhost:8778/jolokia"}
rules: [/etc/ottla/rules]
broker: {node_id: 1, log_dirs: [/a, {path: /b, capacity: 1GiB}], logs: [/c]}
control: {topic: t, create: true, times: lab, budgets: {disk_drain: 2}}
policy: {per_host: 3/1h, breaker: 2, drain_headroom: 20%, max_move_rate: 50MiB/s}
http: {listen: "127.0.0.1:0"}
interval: 5s
"""
RECORDS = (
    ALERTS
    + """\
        labels: {severity: page, n: 1}
        annotations: {summary: x}
      - {record: "a:b", expr: up, labels: {x: y}}
  - {name: b, interval: 1m, limit: 3, query_offset: 0s, labels: {t: u}, rules: []}
"""
)
FULL = (
    REMEDIES
    + """\
    worse_if: up == 0
    unless: [up == 0]
    limits: {cooldown: 1h, per_host: 2/1h, max_targets: 3}
  Other:
    steps:
      - do: throttle_replication
        with: {rate: 1MiB/s, topics_max: 3}
        lease: 1h
        verify: {expr: up > 0, within: 1h}
      - {do: clear_leftover_throttle, with: {keys: [a]}, verify: {expr: up > 0, within: 1h, stable_for: 1m}}
"""
)
TESTS = """\
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - name: a
    interval: 15s
    input_series: [{series: 'up{a="b"}', values: 1x10 _ 3}]
    alert_rule_test: [{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: b}, exp_annotations: {}}]}]
    promql_expr_test: [{expr: up, eval_time: 1m, exp_samples: [{labels: 'up{a="b"}', value: 1}]}]
"""
LOADERS: dict[str, tuple[str, Callable[[Path, str], bool]]] = {
    "alerts": (RECORDS, load_rules("alerts")),
    "remedies": (FULL, load_rules("remedies")),
    "logs": ("patterns: [{name: a, file: f, regex: x, help: y}]", load_rules("logs")),
    "tests": (TESTS, load_tests),
    "config": (CONFIG, load_configuration),
}
VALUES: list[Any] = [None, 0, 1, -1, 1.5, True, "", " ", "x", "5m", "1h 2m", "2/1h", "50MiB/s", "0.5", [], {}]
VALUES += [
    ["x"],
    [None],
    [{}],
    {"x": 1},
    {"x": None},
    {"do": "escalate"},
    "escalate",
    "act",
    "up > 0",
    "a-b",
    "$path",
]


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value beneath."""
    entries: Any = ()
    if isinstance(content, dict):
        entries = content.items()
    elif isinstance(content, list):
        entries = enumerate(content)
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(content: Any, path: tuple[Any, ...], how: str, value: Any) -> Any:
    """One small mistake: a value replaced, a key left out, misspelt or added."""
    content = copy.deepcopy(content)
    inside = content
    for key in path[:-1]:
        inside = inside[key]
    if how == "replace":
        inside[path[-1]] = value
    elif how == "drop":
        del inside[path[-1]]
    elif isinstance(inside, dict):
        inside[f"{path[-1]}{'x' if how == 'misspell' else '_more'}"] = value
        if how == "misspell":
            del inside[path[-1]]
    return content


@pytest.mark.parametrize("kind", LOADERS)
def test_a_good_file_is_good_for_both(kind: str, tmp_path: Path) -> None:
    """Or the law below would say nothing."""
    text, bad = LOADERS[kind]
    assert not bad(tmp_path, text)
    assert refused(kind, data(text)) == []


@pytest.mark.parametrize("kind", LOADERS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data_=st.data())
def test_what_the_schema_refuses_the_loader_refuses(kind: str, tmp_path: Path, data_: st.DataObject) -> None:
    """After any one or two small mistakes: an editor must not underline what works."""
    text, bad = LOADERS[kind]
    content = data(text)
    for _ in range(data_.draw(st.integers(1, 2))):
        paths = list(places(content))
        if not paths:
            break
        how = data_.draw(st.sampled_from(["replace", "drop", "misspell", "add"]))
        content = changed(
            content, data_.draw(st.sampled_from(paths)), how, data_.draw(st.sampled_from(VALUES))
        )
    said = refused(kind, content)
    assert not said or bad(tmp_path, json.dumps(content)), (said, content)
