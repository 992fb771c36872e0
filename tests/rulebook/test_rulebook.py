"""Rules from files: what they become, and every problem at once with its place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rule_files import ALERTS, REMEDIES, SPECS, complaints, write

from agent.model import Limits, LogPattern, Mode, Place, Rate, Verify
from agent.rulebook import BadRules, load
from agent.rulebook.load import rule_files

NAME = "LogDirFillingUp"
SHIPPED = Path(__file__).parents[2] / "rules"


def test_files_become_alerts_remedies_and_patterns(tmp_path: Path) -> None:
    """Durations are milliseconds, arguments have their parameter's type, places stay."""
    alerts = (
        ALERTS + "        labels: {severity: page, code: 7}\n        annotations: {summary: '{{ $value }}'}\n"
    )
    remedies = (
        REMEDIES + "    limits: {cooldown: 5m, per_host: 2/1h, max_targets: 4}\n    worse_if: up == 0\n"
    )
    logs = "patterns:\n  - {name: failed, file: server.log, regex: 'dir (?P<path>\\S+) failed', help: x}\n"
    book = load([write(tmp_path, alerts=alerts, remedies=remedies, logs=logs)], SPECS)
    (alert,) = book.alerts
    assert (alert.name, alert.for_ms, alert.keep_firing_for_ms, alert.group) == (
        "LogDirFillingUp",
        60_000,
        0,
        "disk",
    )
    assert (alert.labels, alert.annotations) == (
        (("code", "7"), ("severity", "page")),
        (("summary", "{{ $value }}"),),
    )
    assert alert.place == Place(str(tmp_path / "disk/alerts.yml"), 4, 9)
    remedy = book.remedies["LogDirFillingUp"]
    assert (remedy.owner, remedy.mode, remedy.target, remedy.worse_if) == ("sre", Mode.ACT, "path", "up == 0")
    assert remedy.limits == Limits(300_000, Rate(2, 3_600_000), None, 4)
    drain, escalate = remedy.steps
    assert drain.args == (("log_dir", "$path"), ("until_used_ratio", 0.75), ("rate", 50 << 20))
    assert drain.verify == Verify('host_log_dir_used_ratio{path="$path"} < 0.80', 7_200_000, 0)
    assert (escalate.do, escalate.args, escalate.verify) == ("escalate", (), None)
    (pattern,) = book.logs
    assert pattern == LogPattern("failed", "server.log", r"dir (?P<path>\S+) failed", "x", pattern.place)


def test_a_remedy_observes_unless_it_says_more(tmp_path: Path) -> None:
    """The dangerous modes are asked for."""
    book = load([write(tmp_path, alerts=ALERTS, remedies=REMEDIES.replace("    mode: act\n", ""))], SPECS)
    assert book.remedies["LogDirFillingUp"].mode is Mode.OBSERVE


def test_the_shipped_rules_load_with_the_shipped_actions() -> None:
    """What is installed works, and every alert says what it means."""
    book = load([SHIPPED], SPECS)
    assert {"LogDirFillingUp", "ReplicaCatchUpStorm", "LeftoverReplicationThrottle"} <= set(book.remedies)
    for alert in book.alerts:
        assert {"summary", "description"} <= dict(alert.annotations).keys()
        assert "severity" in dict(alert.labels)


def test_every_mistake_of_a_file_set_is_reported_at_once(tmp_path: Path) -> None:
    """Misspelt action, unknown key, bad duration, duplicate key, dangling alert, unparsable PromQL."""
    alerts = """\
groups:
  - name: disk
    rules:
      - alert: LogDirFillingUp
        expr: |
          max by (path) (
            host_log_dir_used_ratio > 0.85
        for: 1 minute
        annotation: {summary: x}
        for: 2m
      - record: job:x
        expr: sum(x)
        for: 1m
"""
    remedies = """\
owner: sre
remedies:
  LogDirFillingUp:
    target: path
    steps:
      - do: drain_dsik
      - do: drain_disk
        with: {log_dir: $path, until_used_ratio: 75, rat: 50MiB/s}
        verify: {expr: up, within: 2h}
  LogDirFilingUp:
    mode: acting
    stepz: []
    limits: {per_host: 2 per hour, cooldown: 10}
    unless: ['up ==', 'x{p="$path"} > $path']
"""
    assert complaints(write(tmp_path, alerts=alerts, remedies=remedies)) == [
        "disk/alerts.yml:6:25: expr: ( is not closed",
        "disk/alerts.yml:8:14: for: bad duration '1 minute': write it like 30s, 5m or 1h30m",
        "disk/alerts.yml:9:9: unknown key 'annotation' in a rule; did you mean 'annotations'?",
        "disk/alerts.yml:10:9: duplicate key 'for': the first is on line 8",
        "disk/alerts.yml:13:9: unknown key 'for' in a recording rule; known keys: expr, labels, record",
        "disk/remedies.yml:6:9: a step has no 'verify'; add `verify:`",
        "disk/remedies.yml:6:13: do: unknown action 'drain_dsik'; did you mean 'drain_disk'?",
        "disk/remedies.yml:8:15: `with` of drain_disk has no 'rate'; add `rate:`",
        "disk/remedies.yml:8:50: until_used_ratio: bad ratio '75': it must lie between 0 and 1",
        "disk/remedies.yml:8:54: unknown key 'rat' in `with` of drain_disk; did you mean 'rate'?",
        "disk/remedies.yml:10:3: there is no alert 'LogDirFilingUp'; did you mean 'LogDirFillingUp'?",
        "disk/remedies.yml:11:5: the remedy of LogDirFilingUp has no 'steps'; add `steps:`",
        (
            "disk/remedies.yml:11:11: mode: expected one of observe, propose, act, but here stands the text"
            " 'acting'; did you mean 'act'?"
        ),
        "disk/remedies.yml:12:5: unknown key 'stepz' in the remedy of LogDirFilingUp; did you mean 'steps'?",
        (
            "disk/remedies.yml:13:24: per_host: expected a count in a time, but here stands the text"
            " '2 per hour'; write it like 2/1h"
        ),
        "disk/remedies.yml:13:46: cooldown: bad duration '10': write it like 30s, 5m or 1h30m",
        "disk/remedies.yml:14:18: unless: no PromQL: something is missing after ==",
        (
            "disk/remedies.yml:14:39: unless: $path stands outside a matcher's quotes; write it like"
            ' {path="$path"}'
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "log_dir: $path",
            "log_dir: $pth",
            "8:25: log_dir: the alert never has a label 'pth'; did you mean 'path'?",
        ),
        (
            "target: path",
            "target: pth",
            "5:13: target: the alert never has a label 'pth'; did you mean 'path'?",
        ),
        (
            "log_dir: $path",
            "log_dir: $path/x",
            "8:25: log_dir: '$path/x': a label is the whole value or nothing; write it like $path",
        ),
        ("50MiB/s", "$path", "8:62: rate: a rate cannot come from a label; write the value here"),
        ("50MiB/s", "50MiB", "8:62: rate: bad rate '50MiB': write it like 50MiB/s"),
        ("50MiB/s", "[1]", "8:62: rate: expected a rate like 50MiB/s, but here stands a list"),
        ("        verify:", "        lease: 1h\n        verify:", "9:9: drain_disk cannot be undone"),
        ("within: 2h", "within: 10000y", "9:80: within: bad duration '10000y': at most 292y"),
        ('path="$path"', 'path="$dir"', "9:55: expr: the alert never has a label 'dir'"),
        (
            'host_log_dir_used_ratio{path="$path"}',
            '{__name__=~"host_$path", path="$path"}',
            "9:42: expr: $path chooses which metric is read; write the name",
        ),
        (
            'host_log_dir_used_ratio{path="$path"}',
            '{__name__="$path", path="$path"}',
            "9:36: expr: $path chooses which metric is read; write the name",
        ),
        ('host_log_dir_used_ratio{path="$path"}', '{__name__=~"host_log_.*", path="$path"}', None),
        (", within: 2h", "", "9:17: `verify` has no 'within'; add `within:`"),
        ("      - do: escalate\n", "", None),
        (
            "      - do: drain_disk",
            "      - do: escalate\n      - do: drain_disk",
            "8:9: this step is never reached: escalate hands over to a person; put escalate last",
        ),
        ("    mode: act", "    limits: {per_cluster: 4/24h}", None),
        (
            "    mode: act",
            "    limits: {per_cluster: 4/8d}",
            "4:27: per_cluster: more than the control topic can hold to; at most 1000 in at most 7d",
        ),
        (
            REMEDIES.partition("    steps:\n")[2],
            "",
            "6:5: the remedy of LogDirFillingUp has nothing in its 'steps'",
        ),
        ("owner: sre\n", "", "1:1: a remedy file has no 'owner'; add `owner:`"),
        (
            "remedies:",
            "remedies: [x]\nx:",
            "2:11: `remedies` is a mapping of keys to values, but here stands a list",
        ),
    ],
)
def test_each_mistake_in_a_remedy_has_its_place_and_words(
    tmp_path: Path, old: str, new: str, complaint: str | None
) -> None:
    """One change to a good file; what is said of it first (None: nothing)."""
    alerts = ALERTS.replace("host_log_dir_used_ratio", "max by (path) (host_log_dir_used_ratio)")
    assert old in REMEDIES
    said = complaints(write(tmp_path, alerts=alerts, remedies=REMEDIES.replace(old, new)))
    if complaint is None:
        assert said == []
    else:
        assert said[0].startswith(f"disk/remedies.yml:{complaint}")


def test_a_label_behind_a_backslash_is_refused_as_any_other_mistake(tmp_path: Path) -> None:
    """Its first letter belongs to the escape: `\\xab` is a pattern, and `\\yab` is none."""
    alerts = ALERTS.replace("host_log_dir_used_ratio", "max by (path, ab) (host_log_dir_used_ratio)")
    pattern = r'{__name__=~"host_log_.*", path=~"a\\$ab"}'
    remedies = REMEDIES.replace('host_log_dir_used_ratio{path="$path"}', pattern)
    assert complaints(write(tmp_path, alerts=alerts, remedies=remedies))[0].startswith(
        "disk/remedies.yml:9:61: expr: what stands before $ab takes its first letter"
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "        for: 1m\n",
            "        for: 1m\n        labels: {__name__: x}\n",
            "7:18: labels: '__name__' is no label",
        ),
        ("        for: 1m\n", "        labels: {alertname: x}\n", "6:18: labels: alertname is set by"),
        (
            "        for: 1m\n",
            "        labels: {a: [b]}\n",
            "6:21: labels: a: expected text, but here stands a list",
        ),
        (
            "    rules:",
            "    limit: -3\n    rules:",
            "3:12: limit: -3 is out of range",
        ),
        ("expr: host_log_dir_used_ratio > 0.85", "expr: ''", "5:15: expr: expected text, but it is empty"),
        ("expr: host_log_dir_used_ratio > 0.85", "expr:", "5:9: a rule has nothing in its 'expr'"),
        ("expr: host_log_dir_used_ratio > 0.85", "expr: 'x{a=~\"(\"}'", "5:21: expr: "),
        (
            "      - alert: LogDirFillingUp\n        expr",
            "      - expr",
            "4:9: a rule has no 'alert'; add `alert:`",
        ),
        ("groups:", "groops:", "1:1: unknown key 'groops' in a rule file; did you mean 'groups'?"),
    ],
)
def test_each_mistake_in_an_alert_has_its_place_and_words(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    """As above, for Prometheus's own part."""
    assert old in ALERTS
    assert complaints(write(tmp_path, alerts=ALERTS.replace(old, new)))[0].startswith(
        f"disk/alerts.yml:{complaint}"
    )


def test_rules_may_share_what_stands_above_by_a_merge_key(tmp_path: Path) -> None:
    """As in Prometheus. What is wrong is told where it was written, once."""
    alerts = """\
groups:
  - name: g
    rules:
      - &base {alert: A, expr: up == 0, for: 1m, labels: &own {severity: page, team: a}}
      - <<: *base
        alert: B
        labels: {<<: *own, team: b}
"""
    book = load([write(tmp_path, alerts=alerts)], SPECS)
    assert [(r.name, r.expr, r.for_ms, dict(r.labels)) for r in book.alerts] == [
        ("A", "up == 0", 60_000, {"severity": "page", "team": "a"}),
        ("B", "up == 0", 60_000, {"severity": "page", "team": "b"}),
    ]
    wrong = alerts.replace("up == 0", "up =! 0")
    assert [c.partition(": ")[0] for c in complaints(write(tmp_path, alerts=wrong))] == [
        "disk/alerts.yml:4:35"
    ]


def test_prometheus_files_load_unchanged(tmp_path: Path) -> None:
    """Every key of the format that changes nothing here: interval, a limit of 0, group labels, templates."""
    text = """\
groups:
- name: a
  interval: 30s
  limit: 0
  query_offset: 0s
  labels: {team: kafka, severity: low}
  rules:
  - alert: "Quoted name with spaces"
    expr: >
      up{job="kafka"}
        == 0
    for: 1h30m
    keep_firing_for: 5m
    labels:
      severity: high
- name: b
"""
    book = load([write(tmp_path, alerts=text)], {})
    assert book.alerts[0].labels == (("severity", "high"), ("team", "kafka"))


def test_duplicates_over_files_name_the_first(tmp_path: Path) -> None:
    """A group in its file, a remedy everywhere. An alert may stand twice, as in Prometheus."""
    write(tmp_path, alerts=ALERTS + ALERTS.split("\n", 1)[1], remedies=REMEDIES, logs="patterns: []\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "remedies.yml").write_text(REMEDIES)
    said = complaints(tmp_path)
    assert said == [
        "disk/alerts.yml:7:5: duplicate group 'disk' in this file",
        f"other/remedies.yml:3:3: duplicate remedy of {NAME!r}: the first is at disk/remedies.yml:4:5",
    ]


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("name: Bad-Name, file: f, regex: x", "2:12: name: 'Bad-Name' cannot be part of a metric's name"),
        ("name: ok, file: /var/f, regex: x", "2:22: file: '/var/f' has a folder in it"),
        ("name: ok, file: f, regex: '(?=x)'", "2:33: regex: not RE2: invalid perl operator: (?="),
        ("name: ok, file: f, regex: '(?P<__a>x)'", "2:32: regex: the group '__a' is no label name"),
        ("name: ok, file: f", "2:5: a pattern has no 'regex'"),
        (
            "name: ok, file: f, regex: '(?P<a>x)', counts: b",
            "2:44: counts: 'b' is no named group of the regex",
        ),
        ("name: ok, file: f, regex: x, sets: b", "2:35: sets: 'b' is no named group of the regex"),
        (
            "name: ok, file: f, regex: '(?P<a>x)', counts: a, sets: a",
            "2:55: a pattern counts or sets, not both",
        ),
        (
            "name: ok, file: f, regex: x, max_series: 1001",
            "2:47: max_series: 1,001 series of one pattern; at most 1,000",
        ),
    ],
)
def test_each_mistake_in_a_log_pattern_has_its_place_and_words(
    tmp_path: Path, pattern: str, complaint: str
) -> None:
    """RE2 only: a rule file must not be able to make the agent backtrack."""
    said = complaints(write(tmp_path, logs=f"patterns:\n  - {{{pattern}}}\n"))
    assert said[0].startswith(f"disk/logs.yml:{complaint}")


def test_no_two_patterns_share_a_metric(tmp_path: Path) -> None:
    """Whichever of their names it is made of."""
    logs = """\
patterns:
  - {name: a, file: f, regex: '(?P<b>x)', counts: b}
  - {name: a_b, file: f, regex: x}
"""
    said = complaints(write(tmp_path, logs=logs))
    assert said == ["disk/logs.yml:3:6: its metric log_a_b_total is also that of 'a'; rename it"]


def test_a_file_that_cannot_be_read_does_not_make_its_remedies_dangle(tmp_path: Path) -> None:
    """One mistake, one complaint."""
    said = complaints(write(tmp_path, alerts="groups: [", remedies=REMEDIES))
    assert len(said) == 1
    assert said[0].startswith("disk/alerts.yml:1:10: not YAML")


def test_folders_without_rules_and_missing_ones_are_reported(tmp_path: Path) -> None:
    """An agent without rules does nothing, and would do it silently."""
    with pytest.raises(BadRules) as caught:
        load([tmp_path, tmp_path / "none"], {})
    messages = [c.message for c in caught.value.complaints]
    assert messages == ["this holds no alerts.yml, remedies.yml or logs.yml", "this is no file and no folder"]


def test_hidden_folders_are_left_out_and_linked_ones_are_read(tmp_path: Path) -> None:
    """A mounted ConfigMap keeps its versions in dotted folders, and links to them."""
    version = tmp_path / "..2026_11_23"
    version.mkdir()
    (version / "alerts.yml").write_text(ALERTS)
    (tmp_path / "disk").symlink_to(version)
    (version / "loop").symlink_to(tmp_path)
    assert [a.place.file for a in load([tmp_path / "disk"], {}).alerts][:1] == [
        str(tmp_path / "disk/alerts.yml")
    ]


def test_files_are_read_in_the_order_of_their_paths_part_by_part(tmp_path: Path) -> None:
    """`-` is less than `/`: as one text, a-b would come first, and the digest would be another one."""
    for folder in ("b", "a-b", "a/c", "a"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "alerts.yml").write_text(ALERTS)
    (tmp_path / "alerts.yml").write_text(ALERTS)

    found = [Path(file).relative_to(tmp_path).as_posix() for file in rule_files([tmp_path])]

    assert found == ["a/alerts.yml", "a/c/alerts.yml", "a-b/alerts.yml", "alerts.yml", "b/alerts.yml"]


def test_the_digest_follows_the_content_and_not_the_folder(tmp_path: Path) -> None:
    """Agents compare theirs over the cluster."""
    one, two, three = (tmp_path / name for name in "abc")
    for folder, text in ((one, ALERTS), (two, ALERTS), (three, ALERTS + "\n")):
        folder.mkdir()
        write(folder, alerts=text)
    first, second, third = (load([folder], {}).digest for folder in (one, two, three))
    assert first == second != third


def test_500_rules_load_soon(tmp_path: Path) -> None:
    """A reload must not hold anything up; what is square in the rules takes minutes."""
    rules = "".join(
        f"      - {{alert: A{n}, expr: 'sum by (a) (rate(x_{n}_total{{b=~\"c.*\"}}[5m])) > {n}', for: 5m}}\n"
        for n in range(500)
    )
    remedies = "owner: o\nremedies:\n" + "".join(
        f"  A{n}:\n    target: a\n    steps:\n      - do: escalate\n" for n in range(500)
    )
    write(tmp_path, alerts=f"groups:\n  - name: g\n    rules:\n{rules}", remedies=remedies)
    began = time.process_time()
    assert len(load([tmp_path], SPECS).remedies) == 500
    assert time.process_time() - began < 20


WORDS = st.sampled_from(
    [
        "groups",
        "rules",
        "alert",
        "expr",
        "for",
        "labels",
        "remedies",
        "owner",
        "steps",
        "do",
        "with",
        "verify",
        "limits",
        "unless",
        "patterns",
        "name",
        "regex",
        "file",
        "mode",
        "target",
        "$path",
        "drain_disk",
        "escalate",
        "2/1h",
        "50MiB/s",
        "5m",
        "x > 1",
        "(",
    ]
)
TREES = st.recursive(
    st.one_of(WORDS, st.integers(), st.booleans(), st.none(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    alerts=st.one_of(TREES.map(repr), st.text(max_size=60)),
    rest=st.one_of(TREES.map(repr), st.text(max_size=60)),
)
@example(
    alerts="groups: [{name: g, rules: [{alert: a, expr: '((('}]}]", rest="remedies: {a: {steps: [{do: [1]}]}}"
)
@example(alerts="groups: [{rules: [{alert: a, expr: '" + "-" * 5000 + "1'}]}]", rest="remedies: {a: 1}")
def test_any_text_loads_or_is_complained_of(tmp_path: Path, alerts: str, rest: str) -> None:
    """Nothing but BadRules comes out of a load, whatever stands in the files."""
    for line in complaints(write(tmp_path, alerts=alerts, remedies=rest, logs=rest)):
        assert ": " in line


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.integers(0, len(REMEDIES) - 1), st.text(min_size=0, max_size=3), st.integers(0, 12))
def test_any_small_slip_in_a_remedy_loads_or_is_complained_of(
    tmp_path: Path, at: int, put: str, cut: int
) -> None:
    """A typo near valid text reaches deeper than random text does."""
    complaints(write(tmp_path, alerts=ALERTS, remedies=REMEDIES[:at] + put + REMEDIES[at + cut :]))
