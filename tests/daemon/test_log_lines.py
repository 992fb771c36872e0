"""Which log lines `why` shows as evidence."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from click import unstyle

from agent.commands import show
from agent.daemon.log_lines import behind
from agent.model import Alert, AlertRule, AlertState, Place
from agent.surface import Plain

PLACE = Place("alerts.yml", 1, 1)
RULES = (
    AlertRule("DirFailed", "sum by (path) (increase(log_failed_total[5m])) > 0", 0, 0, (), (), "g", PLACE),
    AlertRule("DirFull", "host_log_dir_used_ratio > 0.9", 0, 0, (), (), "g", PLACE),
)
FIRING = Alert("DirFailed", (("path", "/d1"),), AlertState.FIRING, 0, 1.0)
KEPT = [
    {"metric": "log_failed_total", "labels": {"path": path}, "file": "server.log", "text": [f"{path} failed"]}
    for path in ("/d1", "/d2")
]


def lines(metrics: Collection[str]) -> Sequence[Plain]:
    return [line for line in KEPT if line["metric"] in metrics]


def test_a_rule_shows_all_lines_of_the_log_metrics_that_it_reads() -> None:
    """A rule that reads none has none."""
    assert behind("DirFailed", [], RULES, [], lines) == KEPT
    assert behind("DirFull", [], RULES, [], lines) == []
    assert behind("Unknown", [], RULES, [], lines) == []


def test_an_incident_shows_those_of_its_rule() -> None:
    """By the alert's name, which the incident has."""
    assert behind("inc-1", [{"alert": "DirFailed"}], RULES, [], lines) == KEPT


def test_a_target_shows_its_own_lines() -> None:
    """Those of a label of its name."""
    assert behind("/d1", [], RULES, [FIRING], lines) == KEPT[:1]


def test_people_see_them_beneath_what_stands() -> None:
    """A line that would steer the terminal does not."""
    answer = {
        "subject": "DirFailed",
        "known": True,
        "suggestions": [],
        "omitted_incidents": 0,
        "facts": [],
        "stands": ["it fires"],
        "lines": [KEPT[0] | {"text": ["/d1 failed\x1b[2J", "    at x"]}],
    }
    assert unstyle(show.why(answer, 0)).splitlines()[-3:] == [
        "log line of server.log, counted in log_failed_total",
        "  /d1 failed\\x1b[2J",
        "      at x",
    ]
