"""What a rule's results become: alerts by their identity, recorded series, the series ALERTS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent import alerts
from agent.alerts import Result
from agent.model import Alert, AlertRule, Labels, Point, RecordRule, labels_of
from agent.promql.labels import NAME

Results = list[tuple[Labels, float]]  # of one instant
External = tuple[Labels, str]  # what templates know as $externalLabels and $externalURL


def identified(rule: AlertRule, results: Results, external: External) -> Mapping[Labels, Result]:
    """The alerts that the results make, as the live agent does."""
    return alerts.identified(rule, [Point(*result) for result in results], *external)


def recorded(rule: RecordRule, results: Results) -> Mapping[Labels, float]:
    """The series that a recording rule writes, their names among the labels, as the live agent does."""
    return alerts.recorded(rule, [Point(*result) for result in results])


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
