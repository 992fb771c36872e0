"""self-fulfilling-verify: a verification that holds whether or not the action helped."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding, Written
from agent.lints.thresholds import both, conditions, show
from agent.model import Remedy, Step


def self_fulfilling_verify(case: Case) -> Iterator[Finding]:
    """It reads only what the action itself moves; or a value at which the alert fires satisfies it too."""
    for each in case.written:
        if each.role != "verify" or not isinstance(each.rule, Remedy):
            continue
        step = _step(each, each.rule, case)
        spec = case.facts.actions.get(step.do) if step else None
        names = each.expression.names
        if spec and names and names <= set(spec.moves):
            message = (
                f"{spec.name} moves {' and '.join(sorted(names))} itself, so this holds without any help"
            )
            yield each.finding(message, "verify what the alert was about")
            continue
        for alert in case.alerts_of(each.rule):
            yield from _together(each, alert)


def _together(verify: Written, alert: Written) -> Iterator[Finding]:
    wanted, firing = conditions(verify.node), conditions(alert.node)
    shared = wanted.keys() & firing.keys()
    if not shared or any(both(wanted[key], firing[key]) is None for key in shared):
        return  # nothing to compare, or one of them excludes the other
    at = both(wanted[min(shared)], firing[min(shared)])
    assert at is not None
    message = f"this holds while {alert.name} still fires, as at {show(at)}"
    yield verify.finding(message, "ask for a value on the other side of the alert's threshold")


def _step(each: Written, remedy: Remedy, case: Case) -> Step | None:
    return next(
        (s for s in remedy.steps if case.marks.scalar(s.place, "verify", "expr") is each.scalar), None
    )
