"""What differs between two rule books, as a person is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.rulebook import Rulebook, load
from agent.rulebook.difference import Change, difference

LOGS = "patterns: [{name: disk_failed, file: server.log, regex: failed}]\n"
MORE = """
      - alert: More
        expr: up == 0
        labels: {severity: page}
      - alert: More
        expr: up == 1
"""


@pytest.fixture
def before(tmp_path: Path) -> Rulebook:
    """A book with one rule, its remedy and one pattern."""
    return load([write(tmp_path, alerts=ALERTS, remedies=REMEDIES, logs=LOGS)], SPECS)


def after(folder: Path, **files: str) -> Rulebook:
    """The book with these files in place of the ones before."""
    return load([write(folder, **files)], SPECS)


def test_the_same_rules_elsewhere_in_their_file_are_no_difference(before: Rulebook, tmp_path: Path) -> None:
    """A comment moves every line."""
    found = difference(before, after(tmp_path, alerts="# moved\n" + ALERTS))

    assert (found.rules, found.remedies, found.patterns) == ((), (), ())
    assert found.alerts == frozenset()


def test_a_rule_that_changes_says_which_parts_and_how(before: Rulebook, tmp_path: Path) -> None:
    """Durations as people write them; of a pair of labels the name tells which."""
    changed = ALERTS.replace("0.85", "0.9").replace("for: 1m", "for: 5m\n        labels: {severity: page}")

    found = difference(before, after(tmp_path, alerts=changed))

    parts = (
        ("expr", "host_log_dir_used_ratio > 0.85", "host_log_dir_used_ratio > 0.9"),
        ("for", "1m", "5m"),
        ("labels.severity", "none", "page"),
    )
    assert found.rules == (Change("LogDirFillingUp", "changed", parts),)
    assert found.alerts == {"LogDirFillingUp"}


def test_what_is_new_and_what_is_gone_is_named(before: Rulebook, tmp_path: Path) -> None:
    """The second rule of one name has its number."""
    found = difference(before, after(tmp_path, alerts=ALERTS + MORE, logs=LOGS.replace("disk_", "dir_")))

    assert found.rules == (Change("More", "added"), Change("More #2", "added"))
    assert found.patterns == (Change("dir_failed", "added"), Change("disk_failed", "removed"))
    assert found.alerts == {"More"}


def test_a_remedys_mode_and_bounds_are_told(before: Rulebook, tmp_path: Path) -> None:
    """What it may do is what a reviewer looks for first."""
    bounds = REMEDIES.replace("mode: act", "mode: observe").replace("50MiB/s", "80MiB/s")
    bounds += "    limits: {cooldown: 1h, per_host: 2/1h}\n"

    (change,) = difference(before, after(tmp_path, remedies=bounds)).remedies

    assert {name: (old, new) for name, old, new in change.fields} == {
        "mode": ("act", "observe"),
        "steps.1.args.rate": ("52428800", "83886080"),
        "limits.cooldown": ("30m", "1h"),
        "limits.per_host": ("none", "2/1h"),
    }


def test_a_value_without_end_is_cut(before: Rulebook, tmp_path: Path) -> None:
    """An expression of ten thousand characters must not drown the rest."""
    long = ALERTS.replace("> 0.85", "> " + " + ".join(["0.1"] * 99))

    ((_, _, text),) = difference(before, after(tmp_path, alerts=long)).rules[0].fields

    assert len(text) == 200
    assert text.endswith("…")
