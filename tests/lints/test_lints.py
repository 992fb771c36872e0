"""Each lint at its edges: what it must find, and above all what it must leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_cases import RUNBOOK, alert, ids, lint, remedy
from rule_files import SPECS

from agent.commands.rule_facts import facts
from agent.lints import judge
from agent.model import ActionSpec, Blast
from agent.rulebook import read

LAG = 'kafka_server_replicafetchermanager_maxlag{clientId="Replica"}'
ISR = "kafka_server_replicamanager_isrshrinks_total"
CONTROLLER = "kafka_controller_kafkacontroller_activecontrollercount"
URP = "kafka_server_replicamanager_underreplicatedpartitions"
USED = "host_log_dir_used_ratio"
DRAIN = "drain_disk {log_dir: $path, until_used_ratio: 0.75, rate: 50MiB/s}"
LOGS = "patterns:\n  - {name: x, file: f, regex: 'a'}\n"


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        # blind-here
        (f"{USED} > 0.9", []),
        ("up == 0", []),
        ("node_load1 > 3", ["blind-here?"]),
        ("absent(kafka_server_unheard_of)", ["blind-here?"]),
        (f"{USED}s > 0.9 or {USED}s > 0.8", ["blind-here", "blind-here"]),
        # cluster-wide
        (f"sum({CONTROLLER}) != 1", ["cluster-wide"]),
        (f"sum by (cluster) ({CONTROLLER}) == 0", ["cluster-wide"]),
        (f"1 != sum({CONTROLLER})", ["cluster-wide"]),
        (f"{CONTROLLER} != 1", ["cluster-wide"]),
        (f"{CONTROLLER} > 0", []),
        (f"count({URP}) < 3", ["cluster-wide"]),
        (f"count({URP} > 0) > 2", ["cluster-wide"]),
        (f"sum({URP}) > 0", ["cluster-wide?"]),
        (f"max({URP}) < 1", ["cluster-wide?"]),
        (f"sum({USED}) < 1", []),
        (f"sum(rate({ISR}[5m])) > 1", ["cluster-wide?"]),
        ("count(host_log_dir_total_bytes) < 2", []),
        ("kafka_admin_brokers < 3", []),
        ("max(kafka_admin_brokers) < 3", []),
        # counter-without-rate
        (f"{ISR} > 10", ["counter-without-rate"]),
        (f"10 < {ISR}", ["counter-without-rate"]),
        (f"sum({ISR}) > 10", ["counter-without-rate", "cluster-wide?"]),
        (f"max_over_time({ISR}[5m]) > 10", ["counter-without-rate"]),
        (f"increase({ISR}[5m]) > 10", []),
        (f"rate({ISR}[5m:1m]) > 10", []),
        (f"{ISR} - {ISR} offset 5m > 10", []),
        (f"{ISR} > {ISR} offset 5m", []),
        (f"{URP} > 0 and {ISR}", []),
        (f"count({ISR}) > 10", ["cluster-wide"]),
        (f"absent({ISR}) == 1", []),
        ("foo_requests_total > 1", ["blind-here?", "counter-without-rate"]),
        ("foo_partition_count > 1", ["blind-here?"]),
        ("kafka_server_broker_metadata_metrics_metadata_apply_error_count > 0", []),
        # rate-of-gauge
        (f"rate({URP}[5m]) > 1", ["rate-of-gauge"]),
        (f"delta({URP}[5m]) > 1", []),
        ("rate(foo[5m]) > 1", ["blind-here?"]),
        # no-comparison
        (URP, ["no-comparison"]),
        (f"{URP} > bool 0", ["no-comparison"]),
        (f"{URP} > 0 or {URP}", ["no-comparison"]),
        (f"sum by (a) ({URP} > 0) * 2", ["cluster-wide?"]),
        (f"absent({URP})", []),
        (f"{URP} unless on () kafka_admin_brokers", []),
        (f"count_over_time(({URP} > 0)[10m:1m])", []),
        (f"scalar({URP} > 0)", ["no-comparison"]),
        ("vector(1)", ["no-comparison"]),
        # windows
        (f"increase({ISR}[2h]) > 1", []),
        (f"increase({ISR}[2h1m]) > 1", ["window-too-long"]),
        (f"increase({ISR}[1h] offset 90m) > 1", ["window-too-long"]),
        (f"max_over_time(rate({ISR}[5m])[3h:1m]) > 1", ["window-too-long"]),
        (f"rate({ISR}[59s]) > 1", ["short-range"]),
        (f"rate({ISR}[1m]) > 1", []),
        (f"avg_over_time({URP}[30s]) > 1", []),
        (f"avg_over_time({URP}[10s]) > 1", ["short-range"]),
        # nan-compare
        (f"rate({ISR}[5m]) / rate({ISR}[5m]) != 0", ["nan-compare"]),
        (f"{URP} / 2 != 0", []),
        (f"{URP} != 0", []),
        ("kafka_server_raft_metrics_commit_latency_avg > 0", []),
        # nameless-selector
        ('count({__name__=~"host.*"}) > 3', ["nameless-selector"]),
        ('{__name__="host_log_dir_used_ratio"} > 3', []),
    ],
)
def test_an_expression_is_judged_by_its_tree(tmp_path: Path, expr: str, found: list[str]) -> None:
    """Lints and their severities (`?`: a note), whatever their order."""
    assert sorted(ids(tmp_path, alerts=alert(expr))) == sorted(found)


@pytest.mark.parametrize(
    ("expr", "text", "found"),
    [
        (f"max({USED}) > 1", "{{ $labels.path }}", ["label-lost"]),
        (f"max by (path) ({USED}) > 1", "{{ $labels.path }}", []),
        (f"max by (path) ({USED}) > 1", "{{ $labels.alertname }} {{ .Labels.own }}", []),
        (f"{USED} > 1", "{{ $labels.whatever }}", []),
        (f'absent({USED}{{path="/d"}})', "{{ $labels.path }}", []),
        (f'absent({USED}{{path=~"/d"}})', "{{ $labels.path }}", ["label-lost"]),
        (f'absent(sum({USED}{{path="/d"}}))', "{{ .Labels.path }}", ["label-lost"]),
    ],
)
def test_labels_that_an_expression_drops_are_missed_in_texts(
    tmp_path: Path, expr: str, text: str, found: list[str]
) -> None:
    """absent() has those that are matched by `=`; where the series decide, nothing is said."""
    rest = f"        labels: {{own: x}}\n        annotations: {{summary: '{text}'}}\n"
    assert ids(tmp_path, alerts=alert(expr, rest=rest)) == found


@pytest.mark.parametrize(
    ("expr", "verify", "found"),
    [
        (f"{USED} > 0.85", f"{USED} < 0.80", []),
        (f"{USED} > 0.85", f"{USED} < 0.85", []),
        (f"{USED} > 0.85", f"{USED} <= 0.85", []),
        (f"{USED} >= 0.85", f"{USED} <= 0.85", ["self-fulfilling-verify"]),
        (f"{USED} > 0.85", f"{USED} < 0.90", ["self-fulfilling-verify"]),
        (f"{USED} > 0.85", f"{USED} > 0.80", ["self-fulfilling-verify"]),
        (f"0.85 < {USED}", f'{USED}{{path="$path"}} < 0.90', ["self-fulfilling-verify"]),
        (f"{USED} > 0.85", f"0.80 > {USED}", []),
        (f"{USED} > 0.85 and {USED} < 0.95", f"{USED} > 0.96", []),
        (f"{USED} > 0.85 and on () {URP} > 0", f"{URP} == 0", []),
        (f"{USED} > 0.85", f"{URP} < 1", []),  # another value: nobody can tell
        (f"{USED} > 0.85 or {USED} == 0", f"{USED} < 0.9", []),
        (f"{USED} > 0.85 unless on () {URP} > 0", f"{USED} < 0.9", ["self-fulfilling-verify"]),
        (f"{USED} > 0.85", "kafka_admin_future_replicas < 1", ["self-fulfilling-verify"]),
        (f"{USED} > 0.85", f"{USED} < 0.8 and on () kafka_admin_future_replicas < 1", []),
        (f"{USED} > 0.85", USED, ["no-comparison"]),
    ],
)
def test_a_verify_must_tell_healing_from_doing(
    tmp_path: Path, expr: str, verify: str, found: list[str]
) -> None:
    """By thresholds on the same value, and by what the action moves itself."""
    target = "    target: path\n"
    assert ids(tmp_path, alerts=alert(expr), remedies=remedy(DRAIN, verify, target)) == found


DISRUPTIVE = ActionSpec("restart", (), Blast.DISRUPTIVE, False, 2, True, "")


@pytest.mark.parametrize(
    ("expr", "do", "found"),
    [
        (f"{URP} > 0", "restart", ["single-signal"]),
        (f"{URP} > 0 and on () kafka_admin_brokers > 2", "restart", []),
        ("increase(log_x_total[5m]) > 0", "restart", ["logs-only", "single-signal"]),
        ("recorded > 0", "restart", ["single-signal"]),
        ("increase(log_x_total[5m]) > 0", "clear_leftover_throttle", []),  # it takes nothing
        (f"{URP} > 0 and on () increase(log_x_total[5m]) > 0", "restart", []),
    ],
)
def test_signals_are_the_sources_that_an_alert_reads(
    tmp_path: Path, expr: str, do: str, found: list[str]
) -> None:
    """As the gate counts them; behind a recorded series stand those that it is made of."""
    alerts = alert(expr) + f"      - record: recorded\n        expr: {URP} * 2\n"
    files = {"alerts": alerts, "logs": LOGS, "remedies": remedy(do, f"{USED} > 0.5")}
    assert [c.lint for c in lint(tmp_path, files, {**SPECS, "restart": DISRUPTIVE})] == found


@pytest.mark.parametrize(
    ("mode", "labels", "found"),
    [
        ("act", "", ["no-runbook"]),
        ("observe", "", ["no-runbook?"]),
        (None, "severity: page", ["no-runbook?"]),
        (None, "severity: warning", []),
    ],
)
def test_a_runbook_is_wanted_where_somebody_or_something_acts(
    tmp_path: Path, mode: str | None, labels: str, found: list[str]
) -> None:
    """A warning where a machine acts, a note where a person is woken or would be told."""
    files = {"alerts": alert(f"{USED} > 0.85", rest=f"        labels: {{{labels}}}\n")}
    if mode:
        files["remedies"] = remedy(DRAIN, f"{USED} < 0.8", f"    mode: {mode}\n")
    assert ids(tmp_path, **files) == found


@pytest.mark.parametrize(
    ("regex", "found"),
    [
        (r"in dir (?P<path>\S+) failed", []),
        (r"in dir .* failed", [("regex-greedy", 7)]),
        (r"in dir .+ failed", [("regex-greedy", 7)]),
        (r"in dir .*? failed", []),
        (r"in dir .? failed .{3}", []),
        (r".*failed", [("regex-greedy", 0)]),
        (r"failed|.*gone", [("regex-greedy", 7)]),
        (r"(?P<path>.*) failed", [("regex-greedy", 9)]),
        (r"[.*]+ \.* \Q.*\E", []),
        (r"([^)]*)\)x[]a]*", []),
        (r"(a+)+", [("regex-super-linear", 0)]),
        (r"x(?:\s*\w+\s*)*y", [("regex-super-linear", 1)]),
        (r"x(?:\w+,)*y", []),
        (r"x(?:a|b+)*y", [("regex-super-linear", 1)]),
        (r"(?:ab)+", []),
        (r"(?i:a{2,}){3}", []),
        (r"x.{0,900}y", [("regex-super-linear", 0)]),
    ],
)
def test_patterns_are_judged_at_the_part_that_is_meant(
    tmp_path: Path, regex: str, found: list[tuple[str, int]]
) -> None:
    """The index within the pattern, through YAML's quotes."""
    text = "patterns:\n  - name: x\n    file: f\n    regex: '" + regex.replace("'", "''") + "'\n"
    said = lint(tmp_path, {"logs": text})
    assert [(c.lint, c.place.column - 13) for c in said] == found


def test_label_matchers_are_judged_too(tmp_path: Path) -> None:
    """At their selector."""
    (said,) = lint(tmp_path, {"alerts": alert(USED + '{path=~"(a+)+"} > 1')})
    assert (said.lint, said.place.column) == ("regex-super-linear", 16)


def test_what_an_agent_has_nothing_of_is_told_at_the_selector(tmp_path: Path) -> None:
    """Asked before; here are the answers."""
    files = {"alerts": alert(f'{USED}{{path="/a"}} > 1 or {USED}{{path="/b"}} > 1')}
    (said,) = lint(tmp_path, files, missing=frozenset({f'{USED}{{path="/b"}}'}))
    assert said.lint == "blind-here"
    assert (said.place.line, said.place.column, said.width) == (5, 58, len(USED))


def test_places_hold_within_blocks_and_over_several_lines(tmp_path: Path) -> None:
    """A folded or literal expression, indented, with comments of PromQL's."""
    head = f"groups:\n  - name: g\n    rules:\n      - alert: A\n{RUNBOOK}        expr: |\n"
    text = f"{head}          {URP} > 0 # first\n\n            and  # second\n            {ISR} > 1\n"
    (said,) = lint(tmp_path, {"alerts": text})
    assert (said.lint, said.place.line, said.place.column) == ("counter-without-rate", 10, 13)
    assert said.line[said.place.column - 1 :].startswith(ISR)


def test_a_remedy_is_judged_by_the_alerts_that_it_matches(tmp_path: Path) -> None:
    """Of two with one name only the one with the labels counts."""
    both = "groups: [{name: g, rules: [{alert: A, expr: host_log_dir_used_ratio > 0.85, labels: {s: page},"
    both += " annotations: {runbook_url: x}}, {alert: A, expr: host_log_dir_used_ratio > 0.5,"
    both += " annotations: {runbook_url: x}}]}]"
    verify = f"{USED} < 0.8"
    assert ids(tmp_path, alerts=both, remedies=remedy(DRAIN, verify, "    match: {s: page}\n")) == []
    assert ids(tmp_path, alerts=both, remedies=remedy(DRAIN, verify)) == ["self-fulfilling-verify"]


def test_a_runbook_beneath_a_misspelt_key_is_one(tmp_path: Path) -> None:
    """The slip is an error of its own: two words on one slip send an author to the wrong one."""
    text = alert("up == 0", rest="        labels: {severity: page}\n        anotations: {runbook_url: x}\n")
    (tmp_path / "alerts.yml").write_text(text)
    reading = read([tmp_path], SPECS)
    assert [c.message for c in reading.complaints.sorted()] == ["unknown key 'anotations' in a rule"]
    assert [c.lint for c in judge(reading.book, reading.marks, facts(reading.book))] == []


@pytest.mark.parametrize(
    "rest",
    [
        "        labels: {severity: page, runbook_url: x}\n",
        "        labels: {severity: page}\n        annotations: {runbook_url: ''}\n",
    ],
)
def test_a_label_or_an_empty_text_is_no_runbook(tmp_path: Path, rest: str) -> None:
    assert ids(tmp_path, alerts=alert("up == 0", rest=rest)) == ["no-runbook?"]
