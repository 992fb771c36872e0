"""What a test came to, and the differences that make it fail, small enough to be read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agent.model import Alert, AlertState, Labels, Place
from agent.promql.labels import NAME, render, without
from agent.quantities import show_duration
from agent.rehearsal.cases import AlertCase, ExprCase

Shown = tuple[Labels, Labels]  # an alert's labels and annotations


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met; a line of `diff` begins with "-" (expected), "+" (got) or " "."""

    place: Place
    what: str
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One test, of `kind` rule or remedy; it passed where there are no failures."""

    file: str
    name: str
    place: Place
    kind: str
    failures: tuple[Failure, ...]
    seconds: float


def compare_alerts(case: AlertCase, alerts: Sequence[Alert], start: int) -> Failure | None:
    """Exactly the expected alerts must fire, labels and annotations equal. `alerts`: all that are active."""
    own = [alert for alert in alerts if alert.rule == case.alertname]
    got = Counter((a.labels, a.annotations) for a in own if a.state is AlertState.FIRING)
    expected = Counter((a.labels, a.annotations) for a in case.expected)
    if got == expected:
        return None
    missing, extra = sorted((expected - got).elements()), sorted((got - expected).elements())
    pending = [a for a in own if a.state is AlertState.PENDING]
    lines = [line for shown in missing for line in _alert_lines("-", shown, extra)]
    lines += [line for shown in extra for line in _alert_lines("+", shown, missing)]
    lines += [f"  pending since {show_duration(a.active_at - start)}: {_labels(a.labels)}" for a in pending]
    return Failure(case.place, f"{case.alertname} at {show_duration(case.at)}", tuple(lines))


def compare_samples(case: ExprCase, got: Sequence[tuple[Labels, float]], fuzzy: bool) -> Failure | None:
    """Exactly the expected samples, in any order."""
    left, missing = list(got), []
    for sample in case.expected:
        same = next((s for s in left if s[0] == sample.labels and _equal(s[1], sample.value, fuzzy)), None)
        if same is None:
            missing.append((sample.labels, sample.value))
        else:
            left.remove(same)
    if not missing and not left:
        return None
    lines = [f"- {_sample(*each)}" for each in missing] + [f"+ {_sample(*each)}" for each in sorted(left)]
    return Failure(case.place, f"{case.expr.strip()} at {show_duration(case.at)}", tuple(lines))


def _equal(one: float, other: float, fuzzy: bool) -> bool:
    """As promtool compares: NaN equals nothing; fuzzy lets the neighbouring floats pass."""
    near = fuzzy and other in (math.nextafter(one, math.inf), math.nextafter(one, -math.inf))
    return one == other or near


def _alert_lines(sign: str, shown: Shown, others: Sequence[Shown]) -> list[str]:
    """The labels, and of the annotations those that a like alert on the other side has not."""
    labels, annotations = shown
    like = next((other[1] for other in others if other[0] == labels), None)
    rest = [f"{sign}   {name}: {text}" for name, text in annotations if (name, text) not in (like or ())]
    if like is None:
        return [f"{sign} {_labels(labels)}", *rest]
    return [f"  {_labels(labels)}", *rest] if sign == "-" else rest


def _labels(labels: Labels) -> str:
    return render(without(labels, {"alertname"}))


def _sample(labels: Labels, value: float) -> str:
    name = dict(labels).get(NAME, "")
    rest = without(labels, {NAME})
    return f"{name}{render(rest) if rest or not name else ''} {value!r}"
