"""One step of the alert state machine of Prometheus (rules/alerting.go): pending, firing, kept firing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from agent.model import Alert, AlertRule, AlertState, Labels


class Result(Struct, frozen=True):
    """One result of an alert's expression, and the alert's annotations expanded with it.

    `cut`: how many of its texts were too long.
    """

    value: float
    annotations: Labels = ()
    cut: int = 0


def advance(
    rule: AlertRule, active: Mapping[Labels, Alert], results: Mapping[Labels, Result], now: int
) -> dict[Labels, Alert]:
    """The rule's alerts after it gave `results` at `now`; all of them are keyed by the alert's labels.

    `for` counts from the first result; one instant without any begins it anew. What fired ends at once, or
    `keep_firing_for` after its last result.
    """
    after = {}
    for labels, old in active.items():
        if labels in results or _is_kept(rule, old, now):
            after[labels] = old if labels in results else _missing(old, now)
    for labels, result in results.items():
        after[labels] = _seen(rule, labels, active.get(labels), result, now)
    return after


def deadlines(rule: AlertRule, active: Mapping[Labels, Alert]) -> Iterator[int]:
    """When time alone changes one of these alerts."""
    for alert in active.values():
        if alert.state is AlertState.PENDING:
            yield alert.active_at + rule.for_ms
        elif alert.keep_firing_since is not None:
            yield alert.keep_firing_since + rule.keep_firing_for_ms


def _seen(rule: AlertRule, labels: Labels, old: Alert | None, result: Result, now: int) -> Alert:
    active_at = now if old is None else old.active_at
    fires = (old is not None and old.state is AlertState.FIRING) or now - active_at >= rule.for_ms
    state = AlertState.FIRING if fires else AlertState.PENDING
    return Alert(rule.name, labels, state, active_at, result.value, result.annotations)


def _missing(alert: Alert, now: int) -> Alert:
    return alert if alert.keep_firing_since is not None else replace(alert, keep_firing_since=now)


def _is_kept(rule: AlertRule, alert: Alert, now: int) -> bool:
    if alert.state is AlertState.PENDING:
        return False
    since = now if alert.keep_firing_since is None else alert.keep_firing_since
    return now - since < rule.keep_firing_for_ms
