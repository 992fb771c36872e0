"""Rules and alerts as Prometheus's /api/v1/rules and /api/v1/alerts show them, with a few keys of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from agent.model import Alert, AlertRule, AlertState, RuleHealth, RuleNow
from agent.promql.numbers import NO_NUMBERS
from agent.surface import GroupNow, Plain

NEVER = "0001-01-01T00:00:00Z"  # Go's zero time

# Prometheus knows ok, unknown and err. A rule that a person must mend is err, one that only waits is unknown.
_HEALTH = {RuleHealth.OK: "ok", RuleHealth.COLD: "unknown"}


def group(one: GroupNow, rules: Sequence[Plain]) -> Plain:
    """A group with those of its rules that are asked for."""
    return {
        "name": one.name,
        "file": one.file,
        "rules": list(rules),
        "interval": one.interval_ms / 1000,
        "limit": one.limit,
        "evaluationTime": sum(r.took_s for r in one.rules),
        "lastEvaluation": instant(max((r.evaluated_at for r in one.rules if r.evaluated_at), default=None)),
    }


def rule(now: RuleNow, *, alerts: bool = True) -> Plain:
    """One rule; `judged` (its health in our words) and `place` (where it is written) are only ours."""
    said = now.rule
    shown: Plain = {"name": said.name, "query": said.expr, "labels": dict(said.labels)}
    if isinstance(said, AlertRule):
        shown = {
            "state": _state(now),
            **shown,
            "duration": said.for_ms / 1000,
            "keepFiringFor": said.keep_firing_for_ms / 1000,
            "annotations": dict(said.annotations),
            "alerts": [alert(a) for a in now.alerts] if alerts else [],
        }
    shown["health"] = _HEALTH.get(now.health, "err")
    if now.health is not RuleHealth.OK:
        shown["lastError"] = f"{now.health}: {now.why}"
    return shown | {
        "evaluationTime": now.took_s,
        "lastEvaluation": instant(now.evaluated_at),
        "type": "alerting" if isinstance(said, AlertRule) else "recording",
        "judged": str(now.health),
        "place": str(said.place),
    }


def alert(one: Alert) -> Plain:
    """One active alert; `rule` and `active_at` (ms) are only ours."""
    shown = {
        "labels": dict(one.labels),
        "annotations": dict(one.annotations),
        "state": str(one.state),
        "activeAt": instant(one.active_at),
    }
    if one.keep_firing_since is not None:
        shown["keepFiringSince"] = instant(one.keep_firing_since)
    return shown | {"value": exponent(one.value), "rule": one.rule, "active_at": one.active_at}


def active(groups: Sequence[GroupNow]) -> Iterator[Plain]:
    """All active alerts."""
    for one in groups:
        for now in one.rules:
            yield from map(alert, now.alerts)


def exponent(value: float) -> str:
    """As Go's 'e' writes it: 0.95 is 9.5e-01."""
    text = repr(value)
    if text in NO_NUMBERS:
        return NO_NUMBERS[text]
    digits, _, power = f"{Decimal(text).normalize():e}".partition("e")
    return f"{digits}e{int(power or 0):+03d}"


def instant(at: int | None) -> str:
    """Milliseconds as Go writes an instant in UTC; None is Go's zero time."""
    if at is None:
        return NEVER
    text = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{at % 1000:03d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def _state(now: RuleNow) -> str:
    if now.evaluated_at is None:
        return "unknown"
    states = {a.state for a in now.alerts}
    return next((str(s) for s in (AlertState.FIRING, AlertState.PENDING) if s in states), "inactive")
