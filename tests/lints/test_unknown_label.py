"""unknown-label: a finding only where every label of what an alert reads is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_cases import alert, lint, remedy
from rule_files import SPECS

from agent.rulebook import read
from agent.sources.label_names import LABELS

USED = "host_log_dir_used_ratio"
LOGS = """\
patterns:
  - {name: x, file: f, regex: 'dir (?P<path>.)'}
  - {name: ms, file: f, regex: '(?P<ms>1+) dir (?P<path>.)', counts: ms}
  - {name: last, file: f, regex: '(?P<ms>1+) last dir (?P<path>.)', sets: ms}
"""


def found(folder: Path, expr: str, target: str, rest: str = "", alerts: str = "") -> list[str]:
    """What is said of a remedy with this target."""
    more = "        labels: {own: x}\n        annotations: {runbook_url: x}\n"
    files = {
        "alerts": alerts + alert(expr, rest=more).removeprefix("groups:\n"),
        "remedies": remedy("clear_leftover_throttle", "up > 0", f"    target: {target}\n{rest}"),
        "logs": LOGS,
    }
    files["alerts"] = files["alerts"] if alerts else "groups:\n" + files["alerts"]
    said = lint(folder, files)
    return [f"{c.severity} {c.place.line}:{c.place.column}" for c in said if c.lint == "unknown-label"]


@pytest.mark.parametrize(
    "expr",
    [
        f"{USED} > 0.8",
        f"max without (device) ({USED}) > 0.8",
        f"time() - {USED} > 0.8",
        f"max_over_time({USED}[5m]) > 0.8",
        f"{USED} > 0.8 or host_disk_io_now > 3",
        f"{USED} * on (path) group_left (device) host_disk_io_now > 0.8",
        "increase(log_x_total[5m]) > 0",
        f"topk(1, {USED}) > 0.8 and on (path) anything",
    ],
)
def test_a_target_that_none_of_the_series_has_is_a_warning(tmp_path: Path, expr: str) -> None:
    """Whatever aggregates or joins what is read; a label that there is, or the rule's own, is none."""
    assert found(tmp_path, expr, "pth") == ["warning 4:13"]
    assert found(tmp_path, expr, "path") == found(tmp_path, expr, "own") == []
    assert found(tmp_path, expr, "alertname") == []


@pytest.mark.parametrize(
    "expr",
    [
        "kafka_server_replicamanager_underreplicatedpartitions > 0",
        f"{USED} > 0.8 or up == 0",
        f'label_replace({USED}, "pth", "$1", "path", "(.*)") > 0.8',
        f'{USED}{{pth="/d"}} > 0.8',
        f"{USED} * on (path) group_left (pth) up > 0.8",
        f'{{__name__=~"{USED}"}} > 0.8',
        f'count_values("pth", {USED}) > 3',
    ],
)
def test_where_labels_are_not_known_nothing_is_said(tmp_path: Path, expr: str) -> None:
    assert found(tmp_path, expr, "pth") == []


def test_a_recorded_series_has_the_labels_that_its_rule_leaves_and_adds(tmp_path: Path) -> None:
    record = (
        "groups:\n  - name: r\n    rules:\n"
        f"      - {{record: 'a:b', expr: 'max without (device) ({USED})', labels: {{room: x}}}}\n"
        "      - {record: 'a:c', expr: 'a:c or a:b'}\n"
    )
    assert found(tmp_path, "a:b > 1", "room", alerts=record) == []
    assert found(tmp_path, "a:b > 1", "path", alerts=record) == []
    assert found(tmp_path, "a:b > 1", "pth", alerts=record) == ["warning 4:13"]
    assert found(tmp_path, "a:c > 1", "pth", alerts=record) == [], "it reads itself"


def test_the_number_of_a_log_pattern_is_no_label(tmp_path: Path) -> None:
    assert found(tmp_path, "log_ms_total > 5", "path") == []
    assert found(tmp_path, "log_ms_total > 5", "ms") == ["warning 4:13"]
    assert found(tmp_path, "log_ms_ms_total > 5", "ms") == ["warning 4:13"]
    assert found(tmp_path, "log_last > 5", "ms") == ["warning 4:13"]


def test_a_label_in_texts_is_a_warning_where_it_is_near_another(tmp_path: Path) -> None:
    """Else a note: a constant of the host's may be meant, for which `rules check` has no file."""
    for name, severity in (("pth", "warning"), ("rack", "note")):
        rest = f'    unless: [\'up{{x="${name}"}} > 0\']\n    worse_if: up{{x="a${name}"}} > 0\n'
        assert found(tmp_path, f"{USED} > 0.8", "path", rest) == [f"{severity} 5:21", f"{severity} 6:22"]


def test_a_dollar_in_the_name_of_a_class_is_no_label(tmp_path: Path) -> None:
    """Nor an error where the expression leaves few labels."""
    rest = "    unless: ['up{x=\"LogCleaner$CleanerThread\"} > 0']\n"
    for expr in (f"{USED} > 0.8", f"max by (path) ({USED}) > 0.8"):
        assert found(tmp_path, expr, "path", rest) == []


@pytest.mark.parametrize(
    "expr",
    [f"time() - {USED} > 0.8", f'count_values by (path) ("pth", {USED}) > 3'],
)
def test_what_an_expression_keeps_or_makes_is_no_error(tmp_path: Path, expr: str) -> None:
    """A number without labels on the left takes none away; count_values makes one."""
    target = "path" if "time" in expr else "pth"
    (tmp_path / "alerts.yml").write_text(alert(expr))
    text = remedy("clear_leftover_throttle", "up > 0", f"    target: {target}\n")
    (tmp_path / "remedies.yml").write_text(text)
    assert read([tmp_path], SPECS).complaints.sorted() == ()


def test_known_labels_are_of_metrics_that_only_the_agent_makes() -> None:
    """Of what an exporter may give as well nobody knows all labels."""
    assert all(name.startswith(("host_", "kafka_admin_")) for name in LABELS)
