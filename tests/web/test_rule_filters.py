"""/api/v1/rules: the shape of groups and rules, and the filters and pages of Prometheus's API."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model import Alert, AlertRule, AlertState, Place, RecordRule, RuleHealth, RuleNow
from agent.surface import GroupNow, grouped
from agent.web.prometheus_forms import BadParameter, Form
from agent.web.rule_filters import page, wanted
from agent.web.rule_groups import active, rule

AT = 1_790_000_000_000


def alerting(name: str, group: str = "disk", file: str = "a/alerts.yml", **labels: str) -> AlertRule:
    said = tuple(sorted(labels.items()))
    return AlertRule(name, "up == 0", 60_000, 300_000, said, (("summary", "x"),), group, Place(file, 3, 1), 5)


def recording(name: str, group: str = "disk", file: str = "a/alerts.yml") -> RecordRule:
    return RecordRule(name, "sum(up)", (("a", "b"),), group, Place(file, 9, 1), 5)


def firing(name: str, **more: Any) -> Alert:
    labels = (("alertname", name), ("path", "/d1"))
    return Alert(name, labels, AlertState.FIRING, AT - 90_000, 0.95, (("summary", "full"),), **more)


FULL = RuleNow(
    alerting("Full", severity="page"), RuleHealth.OK, "", (firing("Full"),), evaluated_at=AT, took_s=0.002
)
QUIET = RuleNow(alerting("Quiet"), RuleHealth.OK, "", evaluated_at=AT)
BLIND = RuleNow(
    alerting("Blind", "net", "b/alerts.yml"), RuleHealth.BLIND, "nothing matches up", evaluated_at=AT
)
NEW = RuleNow(alerting("New", "net", "b/alerts.yml"), RuleHealth.COLD, "not evaluated yet")
SUM = RuleNow(recording("job:up:sum"), RuleHealth.OK, "", evaluated_at=AT)
GROUPS = grouped((FULL, QUIET, SUM, BLIND, NEW), 5_000)


def shown(groups: tuple[GroupNow, ...] = GROUPS, *pairs: tuple[str, str]) -> Any:
    return page(groups, wanted(Form(list(pairs))))


def names(*pairs: tuple[str, str]) -> list[str]:
    return [r["name"] for g in shown(GROUPS, *pairs)["groups"] for r in g["rules"]]


def test_a_group_is_as_prometheus_shows_it() -> None:
    """Its rules in the order of the file, seconds as numbers, instants as text."""
    first, second = shown()["groups"]
    assert {key: value for key, value in first.items() if key != "rules"} == {
        "name": "disk", "file": "a/alerts.yml", "interval": 5.0, "limit": 5,
        "evaluationTime": 0.002, "lastEvaluation": "2026-09-21T14:13:20Z",
    }  # fmt: skip
    assert [r["name"] for r in first["rules"]] == ["Full", "Quiet", "job:up:sum"]
    assert second["name"] == "net"


def test_an_alerting_rule_is_as_prometheus_shows_it() -> None:
    """With two keys of ours beside: the health in our words, and the place."""
    told = rule(FULL)
    assert told == {
        "state": "firing", "name": "Full", "query": "up == 0", "duration": 60.0, "keepFiringFor": 300.0,
        "labels": {"severity": "page"}, "annotations": {"summary": "x"},
        "alerts": [
            {
                "labels": {"alertname": "Full", "path": "/d1"}, "annotations": {"summary": "full"},
                "state": "firing", "activeAt": "2026-09-21T14:11:50Z", "value": "9.5e-01",
                "rule": "Full", "active_at": AT - 90_000,
            }
        ],
        "health": "ok", "evaluationTime": 0.002, "lastEvaluation": "2026-09-21T14:13:20Z", "type": "alerting",
        "judged": "ok", "place": "a/alerts.yml:3:1",
    }  # fmt: skip


def test_a_recording_rule_has_no_alerts() -> None:
    assert rule(SUM) == {
        "name": "job:up:sum", "query": "sum(up)", "labels": {"a": "b"}, "health": "ok", "evaluationTime": 0.0,
        "lastEvaluation": "2026-09-21T14:13:20Z", "type": "recording", "judged": "ok",
        "place": "a/alerts.yml:9:1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("now", "state", "health", "error"),
    [
        (QUIET, "inactive", "ok", None),
        (BLIND, "inactive", "err", "blind: nothing matches up"),
        (NEW, "unknown", "unknown", "cold: not evaluated yet"),
    ],
)
def test_what_cannot_be_judged_says_so(now: RuleNow, state: str, health: str, error: str | None) -> None:
    """Prometheus's three healths, and our own words in its field for them."""
    told = rule(now)
    assert (told["state"], told["health"], told.get("lastError")) == (state, health, error)


def test_a_kept_alert_says_since_when() -> None:
    told = rule(RuleNow(FULL.rule, RuleHealth.OK, "", (firing("Full", keep_firing_since=AT - 1_000),), AT))
    assert told["alerts"][0]["keepFiringSince"] == "2026-09-21T14:13:19Z"


def test_active_alerts_are_those_of_all_groups() -> None:
    assert [a["labels"]["alertname"] for a in active(GROUPS)] == ["Full"]


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ([("type", "alert")], ["Full", "Quiet", "Blind", "New"]),
        ([("type", "RECORD")], ["job:up:sum"]),
        ([("rule_name[]", "Full"), ("rule_name[]", "New")], ["Full", "New"]),
        ([("rule_group[]", "net")], ["Blind", "New"]),
        ([("file[]", "a/alerts.yml"), ("rule_name[]", "Quiet")], ["Quiet"]),
        ([("match[]", '{severity="page"}')], ["Full"]),
        ([("match[]", '{severity="page"}'), ("match[]", '{a=~"b|c"}')], ["Full", "job:up:sum"]),
        ([("rule_name[]", "nobody")], []),
        ([("match[]", "Full")], []),  # no rule has a label __name__
        ([("match[]", 'Full{severity="page"}')], []),
        ([("match[]", '{__name__="Full"}')], []),
        ([("match[]", "Full"), ("match[]", '{a="b"}')], ["job:up:sum"]),
    ],
)
def test_filters(pairs: list[tuple[str, str]], found: list[str]) -> None:
    assert names(*pairs) == found


def test_alerts_can_be_left_out() -> None:
    told = shown(GROUPS, ("exclude_alerts", "true"))
    assert told["groups"][0]["rules"][0]["alerts"] == []
    assert told["groups"][0]["rules"][0]["state"] == "firing"


def test_pages_come_one_after_another() -> None:
    """The token of a page leads to the next; the last has none; groups without a rule shown do not count."""
    first = shown(GROUPS, ("group_limit", "1"))
    assert [g["name"] for g in first["groups"]] == ["disk"]
    second = shown(GROUPS, ("group_limit", "1"), ("group_next_token", first["groupNextToken"]))
    assert [g["name"] for g in second["groups"]] == ["net"]
    assert "groupNextToken" not in second
    assert "groupNextToken" not in shown(GROUPS, ("group_limit", "1"), ("type", "record"))


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("type", "foo")], 'invalid parameter "type": not supported value "foo"'),
        ([("exclude_alerts", "maybe")], 'invalid parameter "exclude_alerts"'),
        ([("group_limit", "0")], "needs to be greater than 0"),
        ([("group_limit", "-1")], "non-negative"),
        ([("group_next_token", "x")], "group_limit needs to be present"),
        ([("group_limit", "1"), ("group_next_token", "x")], "were rule groups changed?"),
        ([("match[]", "{}")], r'invalid parameter "match\[\]"'),
    ],
)
def test_what_makes_no_sense_is_refused(pairs: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(BadParameter, match=words):
        shown(GROUPS, *pairs)
