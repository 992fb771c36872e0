"""What remedies would have done, refused and called for, on a history that does not react."""

from __future__ import annotations

from pathlib import Path

import pytest
from past import MINUTE, Values, book, run, story
from rule_files import ALERTS, REMEDIES

from agent.promql.vectors import STALE

D1, D2, D3 = (f'host_log_dir_used_ratio{{path="/d{n}"}}' for n in (1, 2, 3))
HIGH: Values = [0.5] * MINUTE + [0.9] * (MINUTE * 200)


def test_what_does_not_help_is_undone_and_a_person_called(tmp_path: Path) -> None:
    """Its deadline is two hours: history did not react, so the action did not heal."""
    found = run(book(tmp_path, alerts=ALERTS, remedies=REMEDIES), {D1: HIGH})
    assert story(found) == [
        (2.0, "started", "drain_disk"),
        (2.0, "done", "drain_disk"),
        (122.0, "no better", "drain_disk"),
        (122.25, "undone", "drain_disk"),
        (122.25, "escalated", "escalate"),
    ]


def test_worse_is_nothing_that_was_so_before(tmp_path: Path) -> None:
    """The window lies after the action five minutes later."""
    worse = "    worse_if: max_over_time(host_log_dir_used_ratio[5m]) > 0.85\n"
    found = run(book(tmp_path, alerts=ALERTS, remedies=REMEDIES + worse), {D1: HIGH})
    assert [(at, kind) for at, kind, _ in story(found)] == [
        (2.0, "started"),
        (2.0, "done"),
        (7.0, "worse"),
        (7.25, "undone"),
        (7.5, "escalated"),
    ]


def test_what_healed_by_itself_is_counted_as_healed(tmp_path: Path) -> None:
    """The verdict is by the recorded series, and a drain keeps what it did."""
    values = [*HIGH[: MINUTE * 10], *[0.6] * (MINUTE * 20)]
    found = run(book(tmp_path, alerts=ALERTS, remedies=REMEDIES), {D1: values})
    assert [(kind, what) for _, kind, what in story(found)] == [
        ("started", "drain_disk"),
        ("done", "drain_disk"),
        ("healed", "drain_disk"),
        ("closed", "drain_disk"),
    ]
    assert found.entries[2].reason.endswith("< 0.80 held 0s")


def test_one_that_only_observes_is_refused_once(tmp_path: Path) -> None:
    """And says what it would have done."""
    rules = book(tmp_path, alerts=ALERTS, remedies=REMEDIES.replace("mode: act", "mode: observe"))
    assert story(run(rules, {D1: HIGH})) == [(2.0, "refused", "mode")]


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ({"kafka_admin_reassigning_partitions": [3.0] * len(HIGH)}, "3 partitions are being reassigned"),
        ({"kafka_admin_offline_partitions": [1.0] * len(HIGH)}, "1 partitions are offline"),
        ({"kafka_admin_fenced_brokers": [1.0] * len(HIGH)}, "a broker (history does not say which) is down"),
        ({"kafka_admin_offline_partitions": [0.0]}, "the cluster's state is not known"),
        ({D2: HIGH}, "2 patients are more than max_targets 1"),
    ],
)
def test_the_gate_refuses_by_what_is_recorded(tmp_path: Path, series: dict[str, Values], words: str) -> None:
    """The same questions as live, in the same words."""
    found = run(book(tmp_path, alerts=ALERTS, remedies=REMEDIES), {D1: HIGH, **series})
    assert {str(entry.kind) for entry in found.entries} == {"refused"}
    assert words in found.entries[0].reason


def test_each_alert_without_the_target_s_label_is_a_patient_of_its_own(tmp_path: Path) -> None:
    """As live: it may be any."""
    rules = ALERTS.replace("host_log_dir_used_ratio > 0.85", "host_log_dir_used_ratio > 0.85 or x > 0.85")
    remedies = REMEDIES + "    limits: {max_targets: 2}\n"
    found = run(
        book(tmp_path, alerts=rules, remedies=remedies), {D1: HIGH, 'x{a="1"}': HIGH, 'x{a="2"}': HIGH}
    )
    assert found.entries[0].reason == "3 patients are more than max_targets 2"


def test_alerts_that_the_remedy_is_not_for_are_no_patients(tmp_path: Path) -> None:
    """Of two rules with the name it is for one, and so it is live."""
    rules = """\
groups:
  - name: g
    rules:
      - {alert: LogDirFillingUp, expr: host_log_dir_used_ratio > 0.85, for: 1m, labels: {severity: page}}
      - {alert: LogDirFillingUp, expr: host_log_dir_used_ratio > 0.45, for: 1m, labels: {severity: info}}
"""
    remedies = REMEDIES.replace("target: path", "target: path\n    match: {severity: page}")
    half: Values = [0.5] * len(HIGH)
    found = run(book(tmp_path, alerts=rules, remedies=remedies), {D1: HIGH, D2: half})
    assert story(found)[0] == (2.0, "started", "drain_disk")


def test_of_a_patient_s_alerts_one_that_lacks_a_label_hides_no_other(tmp_path: Path) -> None:
    remedies = REMEDIES.replace("    steps:", "    unless: ['moving{topic=\"$topic\"} > 0']\n    steps:")
    topic = D1.replace("}", ', topic="a"}')
    found = run(book(tmp_path, alerts=ALERTS, remedies=remedies), {D1: HIGH, topic: HIGH})
    assert story(found)[0] == (2.0, "started", "drain_disk")


def test_an_unless_blocks_until_it_is_over(tmp_path: Path) -> None:
    """With the label filled in; then the action begins."""
    remedies = REMEDIES.replace("    steps:", "    unless: ['moving{path=\"$path\"} > 0']\n    steps:")
    moving: Values = [1.0] * (MINUTE * 30) + [0.0] * (MINUTE * 171)
    found = run(book(tmp_path, alerts=ALERTS, remedies=remedies), {D1: HIGH, 'moving{path="/d1"}': moving})
    assert story(found)[:2] == [(2.0, "refused", "unless"), (30.0, "started", "drain_disk")]


def test_a_rule_that_cannot_be_judged_neither_begins_nor_ends(tmp_path: Path) -> None:
    """Its samples are gone: what fired stays, what is asked for is refused."""
    values = [*HIGH[: MINUTE * 20], *[None] * (MINUTE * 30), *[0.9] * MINUTE]
    remedies = REMEDIES.replace("within: 2h", "within: 1m")
    found = run(book(tmp_path, alerts=ALERTS, remedies=remedies), {D1: values})
    assert [kind for _, kind, _ in story(found)] == ["started", "done", "no better", "undone", "escalated"]
    (lives,) = found.rules
    (stretch,) = [each for each in lives.stretches() if each.health == "blind"]
    assert (stretch.end - stretch.start) / 60_000 == pytest.approx(25, abs=0.3)
    assert [life.ended_at for life in lives.lives] == [None]


def test_a_down_source_makes_its_rules_fail(tmp_path: Path) -> None:
    """As recorded by the agent itself."""
    up: Values = [1.0] * MINUTE * 4 + [0.0] * MINUTE * 4 + [1.0] * MINUTE * 4
    found = run(
        book(tmp_path, alerts=ALERTS, remedies=REMEDIES),
        {D1: [0.5] * len(up), 'ottla_source_up{source="host"}': up},
    )
    (stretch,) = found.rules[0].stretches()
    assert (stretch.health, stretch.end - stretch.start) == ("failing", 240_000)
    assert stretch.why == "its source is down or not read yet: host_log_dir_used_ratio"


def test_what_a_source_could_not_read_makes_its_rules_fail(tmp_path: Path) -> None:
    """Until the series ends that says so; what else the source gives is judged."""
    four = MINUTE * 4
    unread: Values = [None] * four + [1.0] * four + [STALE] + [None] * (four - 1)
    name = 'ottla_source_unread{{metric="{}",source="host"}}'
    for metric, failing in (("host_log_dir_used_ratio", 1), ("host_log_dir_total_bytes", 0)):
        rules = book(tmp_path, alerts=ALERTS, remedies=REMEDIES)
        found = run(rules, {D1: [0.5] * len(unread), name.format(metric): unread})
        ends = [each.end - each.start for each in found.rules[0].stretches()]
        assert ends == [240_000] * failing


def test_what_history_does_not_tell_is_named(tmp_path: Path) -> None:
    """And no more than that."""
    rules = book(tmp_path, alerts=ALERTS)
    silent = " ".join(run(rules, {D1: HIGH}).assumed)
    assert "history does not react" in silent
    assert "no peer shows the same" in silent
    assert "no partition is offline" in silent
    known = {f"kafka_admin_{name}": [0.0] for name in ("reassigning_partitions", "offline_partitions")}
    assert "no partition is offline" not in " ".join(run(rules, {D1: HIGH, **known}).assumed)


def test_cooldown_and_rates_hold_as_live(tmp_path: Path) -> None:
    """A second crossing soon after the first action is refused; so is a third start in the hour."""
    swing: Values = ([0.9] * MINUTE * 4 + [0.5] * MINUTE * 4) * 8
    found = run(book(tmp_path, alerts=ALERTS, remedies=REMEDIES), {D1: swing})
    assert [(kind, what) for _, kind, what in story(found)][4:6] == [
        ("refused", "cooldown"),
        ("withdrawn", "drain_disk"),
    ]
    limits = "    limits: {cooldown: 1s, per_host: 2/1h}\n"
    rules = book(tmp_path, alerts=ALERTS, remedies=REMEDIES + limits)
    assert [what for _, kind, what in story(run(rules, {D1: swing})) if kind == "refused"][:1] == ["rates"]


LEASED = """
owner: sre
remedies:
  LogDirFillingUp:
    mode: act
    target: path
    steps:
      - do: throttle_replication
        with: {rate: 40MiB/s}
        lease: 10m
        verify: {expr: 'host_log_dir_used_ratio < 0.1', within: 2h}
"""


def test_a_lease_ends(tmp_path: Path) -> None:
    """Undone at its end, also while it was still being verified."""
    found = run(book(tmp_path, alerts=ALERTS, remedies=LEASED), {D1: HIGH})
    assert story(found)[2] == (12.0, "undone", "throttle_replication")
    assert found.entries[2].reason == "the lease ended"


def test_what_healed_and_gets_worse_is_undone(tmp_path: Path) -> None:
    """By the alert that comes back: it moves away from what it was first then."""
    values: Values = [*HIGH[: MINUTE * 3], *[0.05] * MINUTE, *[0.9] * MINUTE, *[1.1] * MINUTE]
    found = run(book(tmp_path, alerts=ALERTS, remedies=LEASED), {D1: values})
    assert [(at, kind) for at, kind, _ in story(found)] == [
        (2.0, "started"),
        (2.0, "done"),
        (3.0, "healed"),
        (5.0, "worse"),
        (5.25, "undone"),
        (5.5, "escalated"),
    ]
    assert found.entries[3].reason == "LogDirFillingUp moved from 0.9 to 1.1, away from 0.85"


def test_what_was_worse_before_it_was_judged_first_is_not_worse_by_that(tmp_path: Path) -> None:
    """The first value after the effect is the higher one."""
    values: Values = [*HIGH[: MINUTE * 2 + 1], *[1.1] * MINUTE * 20]
    found = run(book(tmp_path, alerts=ALERTS, remedies=LEASED), {D1: values})
    assert [kind for _, kind, _ in story(found)][:3] == ["started", "done", "undone"]
