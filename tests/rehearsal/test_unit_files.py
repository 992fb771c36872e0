"""Files of unit tests are read strictly: what is wrong has a place, and what promtool takes is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.rehearsal.rehearse import Rehearsal
from agent.rehearsal.unit_files import read_file
from agent.yaml_marks import Complaints, Severity

STORY = """\
rule_files: []
remedy_tests:
  - name: a story
"""


def complaints(folder: Path, text: str) -> list[str]:
    """Every complaint, without the folder."""
    file = folder / "tests.yml"
    file.write_text(text)
    found = Complaints()
    read_file(file, found)
    return [str(c).replace(f"{folder}/", "") for c in found.sorted()]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "tets: []\ntests: [{promql_expr_test: [{expr: 1}]}]",
            "1:1: unknown key 'tets' in a file of tests",
        ),
        (
            "tests:\n  - {name: a, promql_expr_tests: []}",
            "2:15: unknown key 'promql_expr_tests' in a test",
        ),
        ("tests:\n  - input_series: [{series: 'up{a=b}'}]", '2:33: series: expected a="a value in quotes"'),
        (
            "tests:\n  - input_series: [{series: up, values: '1 {{}}'}]",
            "2:44: values: native",
        ),
        (
            "tests:\n  - promql_expr_test: [{expr: up, exp_samples: [{histogram: '{{}}'}]}]",
            "2:61: histogram: native",
        ),
        ("tests:\n  - promql_expr_test: [{expr: 'sum(up'}]", "2:35: expr: ( is not closed"),
        ("tests:\n  - promql_expr_test: [{eval_time: 1m}]", "2:24: an expression's test has no 'expr'; add"),
        ("tests:\n  - alert_rule_test: [{eval_time: 1m}]", "2:23: an alert test has no 'alertname'; add"),
        (
            "tests:\n  - input_series: [{series: up}, {series: up}]",
            "2:35: this series is given above",
        ),
        ("tests:\n  - {start_timestamp: tomorrow}", "2:23: start_timestamp: 'tomorrow' is no instant"),
        ("group_eval_order: [a, a]\ntests: [{promql_expr_test: [{expr: 1}]}]", "1:1: a group is named twice"),
        (
            "evaluation_interval: 1ms\ntests: [{promql_expr_test: [{expr: 1, eval_time: 1d}]}]",
            "more than 1000000",
        ),
        ("rule_files: []", "1:1: there is no test in it; add `tests:` or `remedy_tests:`"),
    ],
)
def test_what_promtool_would_refuse_has_a_place(text: str, complaint: str, tmp_path: Path) -> None:
    found = complaints(tmp_path, text)
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("", "3:5: a story expects nothing; add `journal: |`, `left:` or `alert_rule_test:`"),
        ("left: []\n    wrold: {}", "unknown key 'wrold' in a story; did you mean 'world'?"),
        ("journal: 1m started", "4:14: journal: expected lines of text; begin it with `journal: |`"),
        ("journal: |\n      1m  begun", "5:7: journal: 'begun' begins with no kind of entry"),
        ("journal: |\n      1m  done\n      1 minute done", "6:7: journal: bad duration '1'"),
        (
            "journal: |\n      1m  strated: x",
            "5:7: journal: 'strated: x' begins with no kind of entry",
        ),
        (
            "left: []\n    world: {fails: {move_replica: ~}}",
            "'move_replica' is no call of the admin protocol",
        ),
        ("left: []\n    world: {fails: {move_replicas: TIMEOUT}}", "'TIMEOUT' is no answer of Kafka's"),
        ("left: []\n    world: {configs: {broker-1: {a: b}}}", "5:23: configs: bad resource 'broker-1'"),
        ("left: []\n    world: {partitions: {orders: {}}}", "'orders' is no partition"),
        ("left: []\n    world: {log_dirs: {/d: {total: 100}}}", "total: bad size '100'"),
        ("left: []\n    events: {soon: {crash: 1s}}", "bad duration 'soon'"),
        ("left: []\n    events: {0s: {crash: 1s}}", "the agent is only just started at 0s"),
        ("left: []\n    events: {1m: {crash: 30s}, 1m10s: {operator: resume}}", "at 1m10s the agent is dead"),
        ("left: []\n    events: {1m: {operator: stop}}", "operator: expected an order"),
        ("left: []\n    world: {peers: {broker-2: {}}}", "'broker-2' is no node id"),
        ("left: []\n    lasts: 8d", "a story lasts at most 7d"),
        ("left: []\n  - name: a story\n    left: []", "5:5: a test called 'a story' stands above already"),
    ],
)
def test_a_mistake_in_a_story_has_a_place(lines: str, complaint: str, tmp_path: Path) -> None:
    found = complaints(tmp_path, STORY + (f"    {lines}\n" if lines else ""))
    assert any(complaint in line for line in found), found


def test_what_promtool_lets_pass_is_a_warning(tmp_path: Path) -> None:
    """Its files are to run as they are: tests without expectation, twice one name."""
    text = "rule_files: [no*.yml]\ntests: [{name: a, input_series: [{series: up, values: 1}]}, {name: a}]"
    file = tmp_path / "tests.yml"
    file.write_text(text)
    found = Complaints()

    unit = read_file(file, found)

    assert unit is not None
    assert {c.severity for c in found.sorted()} == {Severity.WARNING}
    assert [c.message.replace(str(tmp_path), "") for c in found.sorted()] == [
        "rule_files: 'no*.yml' matches no file in ",
        "a expects nothing",
        "a expects nothing",
        "a test called 'a' stands above already",
    ]


def test_files_are_found_as_go_globs_them(tmp_path: Path) -> None:
    """Relative to the file, absolute, with `..`, each once; remedies beside the rules without being named."""
    for name in ("a/rules/x.yml", "a/rules/y.yml", "a/rules/remedies.yml", "a/t/tests.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    file = tmp_path / "a/t/tests.yml"
    file.write_text(
        f"rule_files: [../rules/x.yml, '../rules/[xy].yml', '{tmp_path}/a/r*s/y.yml']\n"
        "tests: [{promql_expr_test: [{expr: 1}]}]"
    )

    unit = read_file(file, Complaints())

    assert unit is not None
    assert unit.rule_files == (tmp_path / "a/rules/x.yml", tmp_path / "a/rules/y.yml")
    assert unit.remedy_files == (tmp_path / "a/rules/remedies.yml",)


def test_defaults_are_promtools(tmp_path: Path) -> None:
    """A minute between evaluations, and between values what is between evaluations."""
    file = tmp_path / "tests.yml"
    file.write_text("tests: [{promql_expr_test: [{expr: 1}]}, {interval: 5s, promql_expr_test: [{expr: 1}]}]")
    unit = read_file(file, Complaints())
    assert unit is not None
    assert unit.evaluation_interval == 60_000
    assert [test.interval for test in unit.tests] == [60_000, 5_000]
    assert [test.name for test in unit.tests] == ["unnamed#0", "unnamed#1"]


def test_a_file_of_tests_that_leads_to_nothing_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tests.yml").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        Rehearsal([tmp_path], {})


def test_tests_that_expect_something_of_rules_need_some(tmp_path: Path) -> None:
    """Else each fails, and says nothing of why; what expects that nothing fires goes as in promtool."""
    file = tmp_path / "tests.yml"
    for expected, severities in (("[{}]", {Severity.ERROR, Severity.WARNING}), ("[]", {Severity.WARNING})):
        case = f"{{eval_time: 1m, alertname: A, exp_alerts: {expected}}}"
        file.write_text(f"rule_files: [a.yml]\ntests: [{{alert_rule_test: [{case}]}}]")
        found = Rehearsal([file], {}).complaints
        assert {c.severity for c in found} == severities
        assert len([c for c in found if "no rule file is found" in c.message]) == len(severities) - 1
