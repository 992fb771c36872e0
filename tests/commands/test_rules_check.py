"""`ottla rules check`: what it prints and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rule_files import ALERTS, REMEDIES, write

from agent.commands.rules import rules

RUNBOOK = "        annotations: {runbook_url: docs/runbooks.md#logdirfillingup}\n"


def check(*args: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(rules, ["check", *map(str, args)])


def test_good_rules_are_counted_and_exit_0(tmp_path: Path) -> None:
    """The counts show that the right folder was read."""
    result = check(write(tmp_path, alerts=ALERTS + RUNBOOK, remedies=REMEDIES))
    assert (result.exit_code, result.output) == (
        0,
        "1 alert, 1 remedy (1 may act), 0 log patterns: nothing is wrong\n",
    )


def test_problems_exit_1_with_the_line_underlined(tmp_path: Path) -> None:
    """The place first, as compilers say it."""
    remedies = REMEDIES.replace("do: drain_disk", "do: drain_dsik")
    folder = write(tmp_path, alerts=ALERTS + RUNBOOK, remedies=remedies)
    result = check(folder)
    assert result.exit_code == 1
    assert result.stdout == (
        f"{folder}/disk/remedies.yml:7:13: do: unknown action 'drain_dsik'; did you mean 'drain_disk'?\n"
        "          - do: drain_dsik\n"
        "                ^^^^^^^^^^\n"
    )
    assert result.stderr == "1 problem\n"


@pytest.mark.parametrize("good", [True, False])
def test_json_is_a_list_whatever_the_outcome(tmp_path: Path, good: bool) -> None:
    """Programs parse it without looking at the exit code first."""
    alerts = ALERTS if good else ALERTS.replace("1m", "1 m")
    result = check(write(tmp_path, alerts=alerts), "--format", "json")
    assert [each["line"] for each in json.loads(result.stdout)] == ([] if good else [6])
    assert result.exit_code == (0 if good else 1)


def test_github_gets_one_annotation_a_problem(tmp_path: Path) -> None:
    """They appear beside the line in a pull request."""
    folder = write(tmp_path, alerts=ALERTS.replace("1m", "1 m"))
    result = check(folder, "--format", "github")
    assert result.stdout.startswith(f"::error file={folder}/disk/alerts.yml,line=6,col=14::for: bad duration")


def test_a_single_prometheus_file_of_any_name_can_be_checked(tmp_path: Path) -> None:
    """A team's existing file, before it is moved anywhere."""
    file = tmp_path / "kafka-alerts.yaml"
    file.write_text(ALERTS)
    assert check(file).exit_code == 0


@pytest.mark.parametrize("args", [("/nowhere/at/all",), ("--format", "xml"), ("--what",)])
def test_a_wrong_command_exits_2(args: tuple[str, ...]) -> None:
    """Not 1: a script must not take a typo for a bad rule."""
    assert check(*args).exit_code == 2


def test_a_metric_that_nothing_collects_is_no_error(tmp_path: Path) -> None:
    """A rule that would be blind for ever; but the file may be meant for a central Prometheus as well."""
    folder = write(tmp_path, alerts=ALERTS.replace("_ratio", "_ration"))
    result = check(folder)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{folder}/disk/alerts.yml:5:15: warning: nothing here collects 'host_log_dir_used_ration': the alert"
        " will stay blind; did you mean 'host_log_dir_used_ratio'? [blind-here]\n"
        "            expr: host_log_dir_used_ration > 0.85\n"
        "                  ^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "1 alert, 0 remedies (0 may act), 0 log patterns: nothing is wrong\n"
    )
    assert result.stderr == "1 warning\n"


def test_warnings_fail_where_they_are_asked_to(tmp_path: Path) -> None:
    """A pull request may want more than a host."""
    folder = write(tmp_path, alerts=ALERTS.replace("_ratio", "_ration"))
    assert check(folder, "--strict").exit_code == 1
    assert check(write(tmp_path, alerts=ALERTS), "--strict").exit_code == 0


def test_lints_are_told_together_with_errors(tmp_path: Path) -> None:
    """Whoever mends the one should not find the other afterwards."""
    result = check(write(tmp_path, alerts=ALERTS.replace("_ratio", "_ration").replace("1m", "1 m")))
    assert result.exit_code == 1
    assert result.stderr == "1 problem, 1 warning\n"
    assert [line.count("disk/alerts.yml") for line in result.stdout.splitlines()] == [1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("form", ["json", "github"])
def test_programs_are_told_the_severity_and_the_lint(tmp_path: Path, form: str) -> None:
    """In both formats, and nothing else on stdout."""
    result = check(write(tmp_path, alerts=ALERTS.replace("_ratio", "_ration")), "--format", form)
    if form == "json":
        (said,) = json.loads(result.stdout)
        assert (said["severity"], said["lint"], said["width"]) == ("warning", "blind-here", 24)
    else:
        assert result.stdout.startswith("::warning file=")
        assert "title=blind-here::" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colours_are_for_terminals_whose_users_want_them(
    tmp_path: Path, no_color: str | None, coloured: bool
) -> None:
    """NO_COLOR declines them; a pipe never has them."""
    folder = str(write(tmp_path, alerts=ALERTS.replace("1m", "1 m")))
    on_a_terminal = CliRunner().invoke(rules, ["check", folder], color=True, env={"NO_COLOR": no_color})
    assert ("\x1b[31m" in on_a_terminal.stdout) is coloured
    assert "\x1b" not in check(folder).stdout


@pytest.mark.parametrize("shipped", ["rules", "agent/demo/rules"])
def test_the_shipped_rules_have_neither_problems_nor_notes(shipped: str) -> None:
    """Every metric that they read is collected, and no lint finds anything."""
    result = check(Path(__file__).parents[2] / shipped, "--strict")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1


def test_a_hosts_file_of_names_is_known_and_checked(tmp_path: Path) -> None:
    """What it declares is not blind; what is wrong in it is told with the rest."""
    alerts = ALERTS.replace("host_log_dir_used_ratio", "disk_used") + RUNBOOK
    (tmp_path / "rules").mkdir()
    folder, names = write(tmp_path / "rules", alerts=alerts), tmp_path / "names.yml"
    names.write_text("aliases: {disk_used: {of: host_log_dir_used_ratio}}\n")

    assert "blind-here" in check(folder).output
    assert check(folder, "--names", names).output == (
        "1 alert, 0 remedies (0 may act), 0 log patterns: nothing is wrong\n"
    )
    names.write_text("aliases: {disk_used: {of: host_log_dir_used_rato}}\n")
    told = check(folder, "--names", names)
    assert (told.exit_code, "names.yml:1:27: of: nothing here collects" in told.output) == (1, True)


def test_500_rules_with_remedies_are_checked_in_two_seconds(tmp_path: Path) -> None:
    """Of processor time, lints and their places included."""
    metric = "kafka_server_brokertopicmetrics_bytesin_total"
    rule = (
        "      - alert: A{n}\n        expr: |\n"
        f'          sum by (topic) (rate({metric}{{{{topic=~"t{{n}}.*"}}}}[5m])) > {{n}}\n'
        "            and on () kafka_server_replicamanager_underreplicatedpartitions > 0\n"
        "        annotations:\n"
        "          summary: '{{{{ $labels.topic }}}} {{{{ $value | humanize }}}}'\n"
        "          runbook_url: x\n"
    )
    alerts = "groups:\n  - name: g\n    rules:\n" + "".join(rule.format(n=n) for n in range(500))
    remedies = "owner: o\nremedies:\n" + "".join(
        f"  A{n}:\n    target: topic\n    steps:\n      - do: escalate\n" for n in range(500)
    )
    write(tmp_path, alerts=alerts, remedies=remedies)
    began = time.process_time()
    result = check(tmp_path)
    assert result.stdout == "500 alerts, 500 remedies (0 may act), 0 log patterns: nothing is wrong\n"
    assert time.process_time() - began < 20
