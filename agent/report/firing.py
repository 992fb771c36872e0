"""What alerts do about a rule or a target, and what they did: sentences, and plain data."""

from __future__ import annotations

from agent.model import Alert, AlertState, Firing, Labels, RuleHealth
from agent.quantities import show_duration
from agent.report.overview import Live, Plain
from agent.report.words import patient


def targets(labels: Labels) -> set[str]:
    """What an alert with these may be asked by, besides its rule."""
    return {value for name, value in labels if name not in ("alertname", "severity")}


def pending(subject: str, live: Live) -> list[Plain]:
    """Each pending alert: since when, and when its `for` is over (ms)."""
    return [
        _named(a) | {"since": a.active_at, "fires_at": live.fires_at.get(a.labels)}
        for a in live.alerts
        if a.state is AlertState.PENDING and _is_of(subject, a)
    ]


def fired(subject: str, live: Live) -> list[Plain]:
    """What fires no more, each from when until when (ms), the oldest first."""
    return [_named(one) | {"began_at": one.began, "ended_at": one.ended} for one in _fired(subject, live)]


def alerts_now(subject: str, now: int, live: Live) -> list[str]:
    """What its alerts are, or what keeps them from being any, a sentence each."""
    told = [
        f"alert {a.rule} is {a.state} for {patient(a.labels)} (value {a.value:g})"
        f"{_to_go(a, now, live)}{_without_remedy(a, live)}"
        for a in live.alerts
        if _is_of(subject, a)
    ]
    health, words = live.rules.get(subject, (None, ""))
    if health is not None and health is not RuleHealth.OK:
        told.append(f"rule {subject} is {health}, so it neither acts nor clears: {words}")
    elif health is RuleHealth.OK and not told:
        told.append(f"rule {subject} is ok and its expression has no result: there is nothing to heal")
    told += [_last(one, now) for one in _fired(subject, live)[-1:]]
    if live.refused and subject in {*live.rules, *live.remedies}:
        told.append(f"the rules on disk were refused, so older ones are in force: {live.refused}")
    return told


def _named(one: Alert | Firing) -> Plain:
    return {"rule": one.rule, "labels": dict(one.labels), "value": one.value}


def _is_of(subject: str, one: Alert | Firing) -> bool:
    return subject == one.rule or subject in targets(one.labels)


def _fired(subject: str, live: Live) -> list[Firing]:
    return sorted((one for one in live.fired if _is_of(subject, one)), key=lambda one: one.ended or 0)


def _last(one: Firing, now: int) -> str:
    ago = _seconds(now - (one.ended or now))
    words = f"it had for {_seconds(one.lasted_ms)} (last value {one.value:g})"
    return f"alert {one.rule} fired for {patient(one.labels)} until {ago} ago; {words}"


def _to_go(alert: Alert, now: int, live: Live) -> str:
    """How long it has been pending, and how long its `for` has to go."""
    if alert.state is not AlertState.PENDING:
        return ""
    since = f", for {_seconds(now - alert.active_at)} now"
    end = live.fires_at.get(alert.labels)
    if end is None:
        return since
    when = f"in {_seconds(end - now)}" if end > now else "once its rule is judged"
    return f"{since}; it fires {when}, if that stays so"


def _without_remedy(alert: Alert, live: Live) -> str:
    if alert.state is not AlertState.FIRING:
        return ""
    match = live.remedies.get(alert.rule)
    if match is None:
        return "; no remedy is written for it, so nothing is done"
    if set(match) <= set(alert.labels):
        return ""
    chosen = ", ".join(f"{name}={value}" for name, value in match)
    return f"; its remedy is for {chosen} only, so nothing is done"


def _seconds(ms: int) -> str:
    return show_duration(max(0, ms) // 1_000 * 1_000)
