"""Stories of remedies: what can be given, what is compared, and that each difference is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rule_files import ALERTS, REMEDIES, SPECS

from agent.rehearsal.memory_log import MemoryLog
from agent.rehearsal.rehearse import Rehearsal
from agent.rehearsal.verdicts import Verdict

WORLD = """\
    interval: 10s
    world:
      log_dirs:
        /data1: {total: 10GiB, other: 6GiB}
        /data2: {total: 10GiB}
      partitions:
        orders-0: {size: 2GiB}
        orders-1: {size: 1GiB}
"""
DRAINED = """\
    journal: |
      1m      started drain_disk on /data1
      1m41s   done
"""


def play(folder: Path, lines: str, **rules: str) -> Verdict:
    """The verdict on a story with this world; by itself the dir fires at 1m and is drained at 1m41s."""
    (folder / "alerts.yml").write_text(rules.get("alerts", ALERTS))
    (folder / "remedies.yml").write_text(rules.get("remedies", REMEDIES))
    file = folder / "tests.yml"
    file.write_text(f"rule_files: [alerts.yml]\nremedy_tests:\n  - name: it\n{WORLD}{lines}")
    rehearsal = Rehearsal([file], SPECS)
    assert rehearsal.complaints == ()
    ((unit, test),) = [(unit, test) for unit in rehearsal.units for test in unit.every]
    return rehearsal.run(unit, test)


def diffs(verdict: Verdict) -> list[str]:
    """Every line that differs."""
    return [line for failure in verdict.failures for line in failure.diff]


def test_the_journal_in_order_and_what_is_left(tmp_path: Path) -> None:
    verdict = play(tmp_path, "    lasts: 1m50s\n    left: [orders-0 in /data2]\n" + DRAINED)
    assert verdict.failures == ()
    assert verdict.kind == "remedy"


def test_an_entry_too_many_is_a_difference(tmp_path: Path) -> None:
    verdict = play(tmp_path, "    lasts: 2m\n" + DRAINED)
    healed, closed = diffs(verdict)[:2]
    assert healed.startswith("+ 1m50s healed drain_disk on /data1")
    assert closed == "+ 1m50s closed drain_disk on /data1: healed; what was mended stays"


def test_what_is_left_is_compared_both_ways(tmp_path: Path) -> None:
    verdict = play(tmp_path, "    lasts: 1m30s\n    left: [orders-1 in /data2]\n")
    (failure,) = verdict.failures
    assert failure.what == "what it left"
    assert failure.diff[0] == "- orders-1 in /data2"
    assert failure.diff[1].startswith("+ broker/1 replica.alter.log.dirs.io.max.bytes.per.second = ")


def test_alerts_are_those_that_the_agent_sees(tmp_path: Path) -> None:
    lines = """\
    lasts: 1m20s
    alert_rule_test:
      - {eval_time: 50s, alertname: LogDirFillingUp}
      - eval_time: 1m
        alertname: LogDirFillingUp
        exp_alerts: [{exp_labels: {path: /data2}}]
"""
    (failure,) = play(tmp_path, lines).failures
    assert failure.diff == ('- {path="/data2"}', '+ {path="/data1"}')
    assert failure.place.line == 15


def test_a_given_series_takes_the_place_of_what_the_sources_would_read(tmp_path: Path) -> None:
    """Here the dir never seems full; and a source that is given as down ends and begins nothing."""
    calm = """\
    input_series: [{series: 'host_log_dir_used_ratio{path="/data1"}', values: 0.5x20}]
    lasts: 3m
    journal: |
      # nothing
    left: []
"""
    assert play(tmp_path, calm).failures == ()
    down = """\
    input_series: [{series: 'ottla_source_up{source="host"}', values: 1x5 0x20}]
    lasts: 3m
    journal: |
      1m   refused (inputs): LogDirFillingUp is failing: its source is down
    left: []
"""
    assert play(tmp_path, down).failures == ()


@pytest.mark.parametrize(
    ("events", "journal"),
    [
        ("0s: {down: [3]}", "1m refused (healthy elsewhere): broker 3 is down"),
        (
            "0s: {down: [1]}",
            "1m refused (preconditions): the plan could not be made: broker 1 is unreachable",
        ),
        ("0s: {stop_file: moving racks}", "1m refused (stop file): the stop file stands: moving racks"),
        ("30s: {operator: pause it}", "30s operator (pause): it\n1m refused (pause): paused: it"),
        ("0s: {reassigning: [orders-1]}", "1m refused (coexistence): 1 partitions are being reassigned"),
        ("0s: {partitions: {orders-0: {isr: []}}}", "1m refused (healthy elsewhere): 1 partitions are"),
        ("0s: {control_topic: no leader}", "1m refused (control topic)"),
        ("0s: {log_dirs: {/data2: {offline: true}}}", "1m refused (preconditions): log dir /data2"),
        ("0s: {fails: {log_dirs: unreachable}}", "1m refused (preconditions): the plan could not be"),
        ("0s: {fails: {move_replicas: NOT_CONTROLLER}}", "1m started\n1m failed: Stopped: move_replicas"),
        ("0s: {peers: {2: {holds: ['x:disk/1//data2']}}}", "1m waiting: x:disk/1//data2 is held by"),
    ],
)
def test_what_happens_has_its_reason_in_the_journal(events: str, journal: str, tmp_path: Path) -> None:
    text = "".join(f"      {line}\n" for line in [*journal.splitlines(), "..."])
    verdict = play(tmp_path, f"    events: {{{events}}}\n    lasts: 1m30s\n    journal: |\n{text}")
    assert verdict.failures == (), diffs(verdict)


def test_an_objection_of_which_nothing_can_be_known_stands(tmp_path: Path) -> None:
    """A call of the admin protocol is not answered, while the others are; once it is, nothing objects."""
    verdict = play(
        tmp_path,
        """\
    events:
      30s: {fails: {quorum: unreachable}}
      2m: {fails: {quorum: ~}}
    lasts: 2m30s
    journal: |
      1m   refused (unless): unless: kafka_admin_quorum_voters > 9 (unknown: kafka_admin_quorum_voters cannot
      2m3s started
      ...
""",
        remedies=REMEDIES.replace("    steps:", "    unless: [kafka_admin_quorum_voters > 9]\n    steps:"),
    )
    assert verdict.failures == (), diffs(verdict)


def test_a_killed_agent_knows_its_journal_and_no_more(tmp_path: Path) -> None:
    """The move goes on without it, and is found done; before the crash it would be done at 1m41s."""
    lines = """\
    events: {1m20s: {crash: 40s}}
    lasts: 2m5s
    journal: |
      1m   started
      2m   done
    left: [orders-0 in /data2]
"""
    assert play(tmp_path, lines).failures == ()


def test_a_killed_agent_says_no_goodbye(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line is cut: what it would still write, a `leave` above all, never reaches the log."""
    logs: list[MemoryLog] = []

    class Seen(MemoryLog):
        def __init__(self, clock: Callable[[], int]) -> None:
            super().__init__(clock)
            logs.append(self)

    monkeypatch.setattr("agent.rehearsal.stories.MemoryLog", Seen)
    play(tmp_path, "    events: {30s: {crash: 10s}}\n    lasts: 50s\n    left: []\n")

    types = [json.loads(record.value)["t"] for record in logs[0].records]
    assert types.count("join") == 2
    assert "leave" not in types


def test_an_operators_undo_cancels_what_is_under_way(tmp_path: Path) -> None:
    lines = """\
    events: {1m20s: {operator: undo}}
    lasts: 1m25s
    journal: |
      1m      started
      1m20s   operator (undo)
      1m20s   undone: undone by operator
      ...
    left: []
"""
    assert diffs(play(tmp_path, lines)) == []


def test_a_remedy_that_proposes_waits_for_the_story_s_person(tmp_path: Path) -> None:
    lines = """\
    events: {1m20s: {operator: deny not now}, 1m40s: {operator: approve}}
    lasts: 1m50s
    journal: |
      1m      proposed drain_disk on /data1 (approval)
      1m20s   operator drain_disk on /data1 (deny): operator: not now
      1m21s   refused (mode): denied by operator: not now
      1m40s   operator (approve): operator
      1m42s   started
      ...
"""
    proposing = REMEDIES.replace("mode: act", "mode: propose")
    assert proposing != REMEDIES
    verdict = play(tmp_path, lines, remedies=proposing)
    assert verdict.failures == (), diffs(verdict)


def test_two_runs_are_one(tmp_path: Path) -> None:
    """Nothing in a story depends on the clock, the machine or chance."""
    lines = """\
    events: {1m20s: {crash: 10s}, 30s: {peers: {2: {firing: [A]}, 3: {holds: [throttle]}}}}
    lasts: 4m
    journal: |
      9s done
      ...
"""
    first, second = (diffs(play(tmp_path, lines)) for _ in "ab")
    assert first == second
    assert len(first) > 3


def test_a_fault_of_the_agent_fails_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A story must not pass because the agent fell over."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("agent.daemon.loop.decide", broken)
    (failure,) = play(tmp_path, "    lasts: 1m20s\n    left: []\n").failures
    assert failure.what == "the agent failed"
    assert failure.diff == ("RuntimeError: a bug",)


def test_the_incident_of_an_alert_whose_metric_comes_no_more_ends(tmp_path: Path) -> None:
    """Its rule is blind from then on, and no other than a good one ends anything but what was given up."""
    rules = (
        "groups: [{name: all, rules: [{alert: LogDirFillingUp, expr: kafka_x > 3, labels: {path: /data1}}]}]"
    )
    lines = """\
    input_series: [{series: kafka_x, values: 9x12}]
    lasts: 1h20m
    journal: |
      1s    refused
      7m    refused (inputs): LogDirFillingUp is blind: nothing matches kafka_x
      1h12m15s withdrawn drain_disk on /data1: its rule has been blind for 1h5m: nothing matches kafka_x
"""
    remedies = REMEDIES.replace("mode: act", "mode: act\n    unless: [vector(1)]")
    verdict = play(tmp_path, lines, alerts=rules, remedies=remedies)
    assert verdict.failures == ()


def test_a_target_that_no_alert_has_starts_nothing(tmp_path: Path) -> None:
    """A misspelt one would make one patient of two full dirs, and pass `max_targets` and the cooldown."""
    lines = """\
    events: {30s: {log_dirs: {/data2: {other: 9GiB}}}}
    lasts: 3m
    journal: |
      1m refused drain_disk (labels): target: the alert has no label pth
"""
    verdict = play(tmp_path, lines, remedies=REMEDIES.replace("target: path", "target: pth"))
    assert verdict.failures == ()


def test_an_alert_without_a_label_hides_no_other_of_its_patient(tmp_path: Path) -> None:
    """Of two of one dir only the other has the label that `unless` names, and is acted on."""
    rules = ALERTS.replace("host_log_dir_used_ratio > 0.85", "host_log_dir_used_ratio > 0.85 or extra > 0.85")
    remedies = REMEDIES.replace("    steps:", "    unless: ['moving{device=\"$device\"} > 0']\n    steps:")
    lines = """\
    input_series:
      - {series: 'moving{device="sda"}', values: 0x60}
      - {series: 'extra{device="sda", path="/data1"}', values: 0.9x60}
    lasts: 1m30s
    journal: |
      1m started drain_disk on /data1
"""
    assert play(tmp_path, lines, alerts=rules, remedies=remedies).failures == ()
