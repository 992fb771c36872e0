"""What a rule's results become: alerts by their identity, recorded series, the series ALERTS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.alerts import Result
from agent.model import Alert, AlertRule, Labels, RecordRule, labels_of
from agent.promql import EvaluationError
from agent.promql.labels import NAME, render

Results = list[tuple[Labels, float]]  # of one instant


def identified(rule: AlertRule, results: Results) -> Mapping[Labels, Result]:
    found: dict[Labels, Result] = {}
    for labels, value in results:
        merged = dict(labels) | dict(rule.labels) | {"alertname": rule.name}
        key = labels_of({k: v for k, v in merged.items() if k != NAME and v})
        if key in found:
            raise EvaluationError(f"two results make one alert, {render(key)}")
        found[key] = Result(value, rule.annotations)
    return found


def recorded(rule: RecordRule, results: Results) -> Mapping[Labels, float]:
    """The series that a recording rule writes, their names among the labels."""
    found: dict[Labels, float] = {}
    for labels, value in results:
        merged = dict(labels) | dict(rule.labels) | {NAME: rule.name}
        key = labels_of({k: v for k, v in merged.items() if v})
        if key in found:
            raise EvaluationError(f"two results make one series, {render(key)}")
        found[key] = value
    return found


def alert_series(alerts: Iterable[Alert]) -> Mapping[Labels, float]:
    """What Prometheus writes of active alerts: that they are, and since when."""
    found = {}
    for alert in alerts:
        labels = dict(alert.labels)
        found[labels_of(labels | {NAME: "ALERTS", "alertstate": alert.state})] = 1.0
        found[labels_of(labels | {NAME: "ALERTS_FOR_STATE"})] = float(alert.active_at // 1000)
    return found
