"""`ottla rules test`: what it prints, what it writes, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from agent.commands.rules import rules

GOOD = """\
tests:
  - name: one and one
    promql_expr_test: [{expr: 1 + 1, eval_time: 0, exp_samples: [{value: 2}]}]
"""
BAD = GOOD.replace("one and one", "wrong <sum>").replace("value: 2", "value: 3")


def run(*args: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(rules, ["test", *map(str, args)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file that passes, one that fails, and two that are no tests."""
    (tmp_path / "a").mkdir()
    (tmp_path / ".old").mkdir()
    (tmp_path / "a/tests.yml").write_text(GOOD)
    (tmp_path / "sum_test.yml").write_text(BAD)
    (tmp_path / ".old/tests.yml").write_text("broken: [")
    (tmp_path / "alerts.yml").write_text("groups: []")
    return tmp_path


def test_a_failure_shows_what_differs_and_exits_1(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 1
    *lines, last = result.stdout.splitlines()
    assert lines == [
        f"ok   {folder}/a/tests.yml: 1",
        f"FAIL {folder}/sum_test.yml: 1 of 1",
        "  wrong <sum>",
        f"    {folder}/sum_test.yml:3:24: 1 + 1 at 0s, expected (-) and got (+):",
        "      - {} 3.0",
        "      + {} 2.0",
    ]
    assert last.startswith("2 tests: 1 failed, 1 passed in ")


def test_all_passed_exits_0(folder: Path) -> None:
    result = run(folder, "--run", "^one")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith("1 test: all passed in ")


def test_json_tells_all_to_programs(folder: Path) -> None:
    result = run(folder, "-o", "json")
    told = json.loads(result.stdout)
    assert (told["passed"], told["failed"], result.exit_code) == (1, 1, 1)
    bad = told["tests"][1]
    assert (bad["name"], bad["kind"], bad["line"], bad["passed"]) == ("wrong <sum>", "rule", 2, False)
    assert bad["failures"][0]["diff"] == ["- {} 3.0", "+ {} 2.0"]


def test_junit_is_xml_that_a_ci_server_reads(folder: Path) -> None:
    run(folder, "--junit", folder / "report.xml")
    root = ET.parse(folder / "report.xml").getroot()
    assert root.attrib["tests"] == "2"
    assert root.attrib["failures"] == "1"
    failure = root.find("testsuite/testcase[@name='wrong <sum>']/failure")
    assert failure is not None
    assert "+ {} 2.0" in (failure.text or "")


def test_a_wrong_file_exits_2_and_nothing_is_run(folder: Path) -> None:
    (folder / "a/tests.yml").write_text(GOOD.replace("tests:", "tets:", 1))
    result = run(folder)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert (
        f"{folder}/a/tests.yml:1:1: unknown key 'tets' in a file of tests; did you mean 'tests'?"
        in result.stderr
    )
    told = json.loads(run(folder, "-o", "json").stdout)
    assert told[0]["line"] == 1


def test_wrong_rules_are_told_once_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: 'sum('}]}]")
    for name in ("a_test.yml", "b_test.yml"):
        (tmp_path / name).write_text(f"rule_files: [r.yml]\n{GOOD}")
    result = run(tmp_path)
    assert result.exit_code == 2
    assert result.stderr.count("r.yml:1:") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "("], "not a regular expression"),
        (["--run", "no such test"], "there is no test of that name here"),
        (["no/such/folder"], "does not exist"),
        (["--junit", "no/such/folder/report.xml"], "cannot be written"),
    ],
)
def test_a_wrong_command_exits_2(arguments: list[str], message: str, folder: Path) -> None:
    result = run(*arguments, *([] if arguments[0] == "no/such/folder" else [folder]))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_folder_without_tests_is_a_mistake(tmp_path: Path) -> None:
    """In CI it would be a green light for nothing."""
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "there are no tests here" in result.stderr


def test_500_tests_take_seconds(tmp_path: Path) -> None:
    """Promtool's kind: three rules, two series, twenty evaluations each."""
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: up == 0, for: 5m}, {record: r, expr: sum(up)}, "
        "{alert: B, expr: 'rate(up[5m]) > 0'}]}]"
    )
    one = """
  - name: test %d
    input_series: [{series: 'up{a="b"}', values: 0x20}, {series: 'up{a="c"}', values: 1x20}]
    alert_rule_test: [{eval_time: 20m, alertname: A, exp_alerts: [{exp_labels: {a: b}}]}]"""
    (tmp_path / "tests.yml").write_text(
        "rule_files: [rules.yml]\ntests:" + "".join(one % n for n in range(500))
    )
    result = run(tmp_path, "-o", "json")
    told = json.loads(result.stdout)
    assert told["passed"] == 500
    assert told["seconds"] < 60, "about two on an idle core; more than this is another order"
