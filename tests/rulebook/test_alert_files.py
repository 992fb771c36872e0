"""Prometheus's own part of the rules: groups, recording rules, and one name for several alerts."""

from __future__ import annotations

from pathlib import Path

import pytest
from rule_files import REMEDIES, SPECS, complaints, write

from agent.control.bodies import FOLD, fault
from agent.model import AlertRule, RecordRule
from agent.rulebook import load
from agent.rulebook.alert_files import LONGEST_NAME

TWINS = """\
groups:
- name: disk
  limit: 20
  query_offset: 30s
  labels: {team: kafka}
  rules:
  - record: path:used:max
    expr: max by (path) (host_log_dir_used_ratio)
    labels: {unit: ratio, team: disks}
  - alert: LogDirFillingUp
    expr: path:used:max > 0.85
    labels: {severity: warning}
  - alert: LogDirFillingUp
    expr: path:used:max > 0.95
    labels: {severity: page}
"""


def test_rules_stand_in_the_order_of_the_file_with_what_their_group_says(tmp_path: Path) -> None:
    """Later rules read what earlier ones record, so the order counts."""
    book = load([write(tmp_path, alerts=TWINS)], {})
    assert [type(rule) for rule in book.rules] == [RecordRule, AlertRule, AlertRule]
    assert {(rule.group, rule.limit, rule.offset_ms) for rule in book.rules} == {("disk", 20, 30_000)}
    (record,) = book.records
    assert (record.name, record.labels) == ("path:used:max", (("team", "disks"), ("unit", "ratio")))
    assert [dict(a.labels)["severity"] for a in book.alerts] == ["warning", "page"]


def test_a_remedy_of_twins_may_choose_one_by_its_labels(tmp_path: Path) -> None:
    """Without `match` it is for both."""
    chosen = REMEDIES.replace("    target:", "    match: {severity: page}\n    target:")
    assert (
        load([write(tmp_path, alerts=TWINS, remedies=REMEDIES)], SPECS).remedies["LogDirFillingUp"].match
        == ()
    )
    book = load([write(tmp_path, alerts=TWINS, remedies=chosen)], SPECS)
    assert book.remedies["LogDirFillingUp"].match == (("severity", "page"),)


def test_a_name_that_no_beat_can_carry_is_a_mistake(tmp_path: Path) -> None:
    """Its agent would be heard no more while that alert fires."""
    longest = "A" * LONGEST_NAME
    assert [
        fault("beat", {"status": "", "firing": [longest + more]}, FOLD) is None for more in ("", "A")
    ] == [True, False]
    (said,) = complaints(
        write(tmp_path, alerts=f"groups: [{{name: g, rules: [{{alert: {longest}A, expr: x}}]}}]")
    )
    assert said.startswith("disk/alerts.yml:1:36: alert: an alert's name of 201 characters; at most 200 fit")
    assert load(
        [write(tmp_path, alerts=f"groups: [{{name: g, rules: [{{alert: {longest}, expr: x}}]}}]")], {}
    )


def test_a_match_that_no_rule_meets_is_a_mistake(tmp_path: Path) -> None:
    """It would never act, and nobody would know why."""
    chosen = REMEDIES.replace("    target:", "    match: {severity: pgae}\n    target:")
    (said,) = complaints(write(tmp_path, alerts=TWINS, remedies=chosen))
    assert said == (
        "disk/remedies.yml:5:5: no alert 'LogDirFillingUp' has the labels {severity=\"pgae\"};"
        ' it has {severity="warning", team="kafka"} and {severity="page", team="kafka"}'
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("path:used:max\n    expr", "path-used\n    expr", "7:13: record: 'path-used' is no metric name"),
        (
            "expr: max by",
            "keep_firing_for: 1m\n    expr: max by",
            "8:5: unknown key 'keep_firing_for' in a recording",
        ),
        (
            "record: path:used:max\n",
            "record: path:used:max\n    alert: X\n",
            "8:5: unknown key 'alert' in a recording",
        ),
        ("query_offset: 30s", "query_offset: -1s", "4:17: query_offset: bad duration"),
    ],
)
def test_each_mistake_in_a_recording_rule_has_its_place(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    """As Prometheus would refuse it."""
    assert old in TWINS
    assert complaints(write(tmp_path, alerts=TWINS.replace(old, new)))[0].startswith(
        f"disk/alerts.yml:{complaint}"
    )
