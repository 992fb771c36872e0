"""The series ALERTS: what Prometheus writes of a rule's active alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.model import Alert, AlertRule, Labels, labels_of
from agent.promql.labels import NAME


def alert_series(rule: AlertRule, active: Iterable[Alert]) -> Mapping[Labels, float]:
    """What Prometheus writes of active alerts: that they are, and since when.

    A label of the rule that expands to nothing stands there as it is written (rules/alerting.go, `sample`).
    """
    own, found = dict(rule.labels), {}
    for alert in active:
        labels = own | dict(alert.labels)
        found[labels_of(labels | {NAME: "ALERTS", "alertstate": alert.state.value})] = 1.0
        found[labels_of(labels | {NAME: "ALERTS_FOR_STATE"})] = float(alert.active_at // 1000)
    return found
