"""`ottla rules explain`: a rule in words, and as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands.rules import rules
from agent.explain.refusals import WHEN
from agent.gate import QUESTIONS

SHIPPED = Path(__file__).parents[2] / "rules"


def explain(*args: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(rules, ["explain", *map(str, args)])


def told(name: str, *args: str | Path) -> dict[str, object]:
    """What it says of one rule, as data."""
    (one,) = json.loads(explain(name, *args, "-o", "json").stdout)
    assert isinstance(one, dict)
    return one


def test_the_gates_questions_are_told_in_the_gates_order() -> None:
    """Every one of them, by its name: a new question needs its words here."""
    assert list(WHEN) == [name for name, _ in QUESTIONS]


def test_a_rule_with_a_remedy_is_told_from_reading_to_refusal() -> None:
    """The parts in their order, with what each rests on."""
    result = explain("LogDirFillingUp", SHIPPED)
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    parts = (
        "LogDirFillingUp: an alert of the group disk",
        "host_log_dir_used_ratio > 0.85",
        "Reads host_log_dir_used_ratio: gauge, ratio, from the source host.",
        "Needs samples of the last 5m; an agent keeps 2h",
        "Fires once that has had a result for 1m, one alert a label set goes on for 5m after the last result",
        "runbook_url: docs/runbooks.md#logdirfillingup",
        "which kafka-platform owns; mode act for each path",
        "1. drain_disk: Move replicas out of a log dir",
        "log_dir: the alert's label path, until_used_ratio: 0.75, rate: 50 MiB/s",
        "takes capacity of its own host; cannot be undone whole; what it mended stays",
        'helped if host_log_dir_used_ratio{path="$path"} < 0.80 holds for 30s within 2h',
        "2. escalate: a person takes over",
        "30m of rest after an action on a patient, at most 4 in 1d on this host",
        "20% of a target log dir stay free, moves at most at 50 MiB/s",
        "stop file the stop file stands",
        "storm more than 2 patients fire at once",
        "unless `kafka_admin_reassigning_partitions > 0` or",
        "drain_disk itself: Refused where another log dir is missing",
    )
    at = 0
    for part in parts:
        assert part in said[at:], part
        at = said.index(part, at)


def test_what_can_never_refuse_it_is_left_out() -> None:
    """It has a mode that acts, reads no logs, and disrupts nothing."""
    remedy = told("LogDirFillingUp", SHIPPED)["remedy"]
    assert isinstance(remedy, dict)
    asked = [each["question"] for each in remedy["refusals"]]
    never = ("mode", "corroboration", "not everybody", "approval")
    assert asked == [name for name in WHEN if name not in never]


def test_a_remedy_that_can_never_act_says_always(tmp_path: Path) -> None:
    """Mode observe, and log lines alone."""
    (tmp_path / "alerts.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'increase(log_x_total[5m]) > 0'}]}]"
    )
    (tmp_path / "logs.yml").write_text("patterns: [{name: x, file: f, regex: a, help: Bad lines}]")
    (tmp_path / "remedies.yml").write_text(
        "owner: o\nremedies: {A: {steps: [{do: drain_disk, with: {log_dir: /d, until_used_ratio: 0.5,"
        " rate: 1MiB/s}, verify: {expr: up > 0, within: 1h}}]}}"
    )
    said = explain("A", tmp_path).stdout
    assert "mode               always: its mode is observe" in said
    assert "corroboration      always: log lines alone never suffice" in said
    assert "log_x_total: counter, from the source logs. Bad lines" in said


def test_log_lines_suffice_for_what_takes_nothing(tmp_path: Path) -> None:
    """The gate asks for more only where something is taken."""
    (tmp_path / "alerts.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'increase(log_x_total[5m]) > 0'}]}]"
    )
    (tmp_path / "logs.yml").write_text("patterns: [{name: x, file: f, regex: a}]")
    (tmp_path / "remedies.yml").write_text(
        "owner: o\nremedies: {A: {mode: act, steps: [{do: clear_leftover_throttle,"
        " verify: {expr: up > 0, within: 1h}}]}}"
    )
    said = explain("A", tmp_path).stdout
    assert "corroboration" not in said
    assert "coexistence" not in said


def test_recorded_series_and_unknown_ones_are_told_as_such(tmp_path: Path) -> None:
    """With what they are made of, or that the rule stays blind."""
    (tmp_path / "alerts.yml").write_text(
        "groups: [{name: g, limit: 3, rules: [{record: 'a:b', expr: 'rate(up[10m])'},"
        " {alert: A, expr: 'a:b > nowhere offset 3h'}]}]"
    )
    said = " ".join(explain("A", tmp_path).stdout.split())
    assert "a:b: recorded here, as rate(up[10m])" in said
    assert "nowhere: nothing here collects it, so the rule stays blind" in said
    assert "samples of the last 3h5m; an agent keeps 2h - more than is kept" in said
    assert "more than 3 results are a storm" in said
    assert "Does nothing: it has no remedy" in said
    assert "a recording rule of the group g" in explain("a:b", tmp_path).stdout


def test_all_alerts_of_one_name_are_told(tmp_path: Path) -> None:
    """Each with the remedy that is meant for it."""
    (tmp_path / "alerts.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: up > 1, labels: {severity: page}},"
        " {alert: A, expr: up > 2}]}]"
    )
    (tmp_path / "remedies.yml").write_text(
        "owner: o\nremedies: {A: {match: {severity: page}, steps: [{do: escalate}]}}"
    )
    answer = json.loads(explain("A", tmp_path, "-o", "json").stdout)
    assert [bool(each["remedy"]) for each in answer] == [True, False]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("LogDirFilingUp", "did you mean 'LogDirFillingUp'?"),
        ("xyz", "there are ActionStuck, "),
    ],
)
def test_a_name_that_is_none_exits_1_with_a_suggestion(name: str, hint: str) -> None:
    """As `why` does for what nobody has heard of."""
    result = explain(name, SHIPPED)
    assert result.exit_code == 1
    assert f"there is no rule {name!r}: {hint}" in result.stderr


def test_rules_with_errors_are_not_explained(tmp_path: Path) -> None:
    """Half of a rule would be told as the whole."""
    (tmp_path / "alerts.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: 'up >'}]}]")
    result = explain("A", tmp_path)
    assert result.exit_code == 1
    assert "expr: " in result.stderr


def test_the_policy_is_that_of_the_configuration(tmp_path: Path) -> None:
    """A host may allow less."""
    config = tmp_path / "ottla.yml"
    config.write_text(
        "bootstrap_servers: ['localhost:9092']\njolokia: {url: 'http://localhost:8778/jolokia'}\n"
        f"rules: {SHIPPED}\nbroker: {{node_id: 1, log_dirs: [/d]}}\npolicy: {{max_move_rate: 10MiB/s}}\n"
    )
    said = " ".join(explain("LogDirFillingUp", SHIPPED, "--config", config).stdout.split())
    assert "moves at most at 10 MiB/s" in said
    config.write_text("x: 1\n")
    assert explain("LogDirFillingUp", SHIPPED, "--config", config).exit_code == 1
