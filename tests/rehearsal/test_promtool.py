"""Promtool's files give promtool's verdicts: ours beside those of Debian's promtool 2.42, test by test.

Its windows are closed on both sides and those of Prometheus 3 are not: promtool/windows.yml holds what
differs for that reason, and there every verdict of 2.42 must be the contrary of ours.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from debian_prometheus import program
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import AlertState, Place, RecordRule
from agent.promql import compile  # noqa: A004  as in Prometheus
from agent.rehearsal.alert_tests import course_of
from agent.rehearsal.rehearse import Rehearsal
from agent.rehearsal.rule_passes import RuleFailed
from agent.rehearsal.unit_files import read_file
from agent.rulebook import load
from agent.yaml_marks import Complaints

FOLDER = Path(__file__).parent / "promtool"
PASSING = {  # by our verdict, which is that of Prometheus 3
    "states.yml": [True, False, False, True, False, False, True, True, True],
    "kept.yml": [True, True],
    "expressions.yml": [True, True, True, False, False, True, True, False, False, True],
    "fuzzy.yml": [True, False],
    "templates.yml": [True, False, True, True],
    "windows.yml": [True, True, True, True, True],
}


def verdicts(path: Path) -> list[bool]:
    """Ours, test by test."""
    rehearsal = Rehearsal([path], {})
    assert not [c for c in rehearsal.complaints if c.severity == "error"], rehearsal.complaints
    return [not rehearsal.run(unit, test).failures for unit in rehearsal.units for test in unit.every]


def promtools(path: Path, folder: Path) -> list[bool]:
    """Promtool's: each test runs in a file of its own, as 2.42 cannot choose."""
    for rules in FOLDER.glob("*rules.yml"):
        (folder / rules.name).write_text(rules.read_text())
    head, *tests = re.split(r"(?m)^(?=  - name:)", path.read_text())
    found = []
    for test in tests:
        (folder / "one_test.yml").write_text(head.replace('"../promtool/rules.y[m]l"', "rules.yml") + test)
        found.append(promtool_passes(folder, "one_test.yml"))
    return found


def promtool_passes(folder: Path, file: str) -> bool:
    """Its verdict on the file, which must be one that it can read."""
    command = [program("promtool"), "test", "rules", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=folder)
    assert "yaml" not in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("name", sorted(PASSING))
def test_each_test_passes_or_fails_as_in_prometheus_3(name: str) -> None:
    assert verdicts(FOLDER / name) == PASSING[name]


@pytest.mark.parametrize("name", ["expressions.yml", "kept.yml", "states.yml", "templates.yml"])
def test_promtool_2_42_says_the_same(name: str, tmp_path: Path) -> None:
    assert promtools(FOLDER / name, tmp_path) == verdicts(FOLDER / name)


def test_only_the_windows_differ_and_all_of_them(tmp_path: Path) -> None:
    """What this file holds is no more than that difference."""
    assert promtools(FOLDER / "windows.yml", tmp_path) == [
        not ours for ours in verdicts(FOLDER / "windows.yml")
    ]


# A rule that reads what it writes itself: with it every tick is evaluated on its own.
_READS_ITSELF = (RecordRule("r", "r", (), "g", Place("f", 1, 1)), compile("r"))

# Random rules on random series: what we get is written down as expected, and promtool must find it so.

STEP_S = 70  # no multiple of it is a window's length: nothing lies on a window's edge
VALUE = st.sampled_from(["0", "1", "2", "_", "_x5", "stale"])
RULE = st.fixed_dictionaries(
    {
        "alert": st.sampled_from(["A", "B"]),
        "expr": st.sampled_from(
            [
                "up > 0",
                "up == 0",
                "sum(up) > 1",
                "rate(up[5m]) > 0",
                "absent(up)",
                "up unless on (job) (up > 1)",
            ]
        ),
        "for": st.sampled_from(["0s", "70s", "3m"]),
        "keep_firing_for": st.sampled_from(["0s", "70s", "5m"]),
    }
)


@dataclass(frozen=True)
class Random:
    """One random test: rules, the values of two series, and when to look."""

    rules: list[dict[str, str]]
    values: list[str]
    ticks: list[int]


CASES = st.builds(
    Random,
    st.lists(RULE, min_size=1, max_size=3),
    st.lists(st.lists(VALUE, min_size=1, max_size=12).map(" ".join), min_size=2, max_size=2),
    st.lists(st.integers(0, 15), min_size=1, max_size=3, unique=True),
)


def expecting(case: Random, folder: Path) -> dict[str, Any]:
    """The test that expects what we get; the rules stand in a file beside it."""
    rules = {"groups": [{"name": "one", "rules": case.rules}]}  # of several the order would be random there
    (folder / "random_rules.yml").write_text(yaml.safe_dump(rules))
    names = ['up{job="a"}', 'up{job="b"}']
    looks = [{"eval_time": f"{t * STEP_S}s", "alertname": name} for t in case.ticks for name in "AB"]
    test = {
        "interval": f"{STEP_S}s",
        "input_series": [{"series": n, "values": v} for n, v in zip(names, case.values, strict=True)],
        "alert_rule_test": looks,
    }
    whole = {"rule_files": ["random_rules.yml"], "evaluation_interval": f"{STEP_S}s", "tests": [test]}
    file = folder / "random_test.yml"
    file.write_text(yaml.safe_dump(whole))
    unit = read_file(file, Complaints())
    assert unit is not None
    course = course_of(unit.tests[0], unit, load(unit.rule_files, {}).rules)
    _, alerts = course.run([1000 * t * STEP_S for t in case.ticks])
    for look, one in zip(looks, unit.tests[0].alerts, strict=True):
        fires = [a for a in alerts[one.at] if a.state is AlertState.FIRING and a.rule == one.alertname]
        look["exp_alerts"] = [{"exp_labels": dict(a.labels)} for a in fires]  # type: ignore[assignment]
    file.write_text(yaml.safe_dump(whole))
    return whole


@settings(max_examples=60)
@given(CASES)
def test_what_fires_here_fires_in_promtool(case: Random) -> None:
    """`for`, `keep_firing_for`, gaps, ends and returns of series, in any order."""
    with tempfile.TemporaryDirectory() as name:
        try:
            expecting(case, Path(name))
        except RuleFailed:  # two rules write one series
            assert not promtool_passes(Path(name), "random_test.yml")
        else:
            assert promtool_passes(Path(name), "random_test.yml")


def test_promtool_would_tell_a_difference(tmp_path: Path) -> None:
    """The law above means something: one tick later the alert is not expected any more."""
    case = Random(
        [{"alert": "A", "expr": "up > 0", "for": "70s", "keep_firing_for": "0s"}], ["1 1 1 stale", "0"], [2]
    )
    whole = expecting(case, tmp_path)
    assert promtool_passes(tmp_path, "random_test.yml")
    whole["tests"][0]["alert_rule_test"][0]["eval_time"] = f"{3 * STEP_S}s"
    (tmp_path / "random_test.yml").write_text(yaml.safe_dump(whole))
    assert not promtool_passes(tmp_path, "random_test.yml")


@given(CASES)
def test_ticks_one_by_one_and_all_at_once_give_the_same(case: Random) -> None:
    """The fast way is only faster."""
    rules = [rule | {"alert": f"{rule['alert']}{number}"} for number, rule in enumerate(case.rules)]
    with tempfile.TemporaryDirectory() as name:
        expecting(replace(case, rules=rules), Path(name))
        unit = read_file(Path(name) / "random_test.yml", Complaints())
        assert unit is not None
        course = course_of(unit.tests[0], unit, load(unit.rule_files, {}).rules)
    watched = [1000 * t * STEP_S for t in case.ticks]
    _, together = course.run(watched)
    _, apart = replace(course, rules=[*course.rules, _READS_ITSELF]).run(watched)
    assert together == apart
