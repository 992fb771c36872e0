"""Firing alerts and their remedies to decisions; what has ended to its last entry. Proposes, never acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from agent.history import History, Incident, Phase
from agent.model import Alert, AlertState, Argument, Decision, Entry, Kind, Labels, Remedy, Step, Verify
from agent.rulebook.filling import LABEL, filled
from agent.rulebook.needed_labels import lacking

ESCALATE = "escalate"  # the one step that is no action: a person is called


def decide(
    alerts: Sequence[Alert], remedies: Mapping[str, Remedy], history: History, now: int
) -> tuple[Decision, ...]:
    """What each firing alert with a remedy wants next; nothing while its incident is under way.

    Those whose alert lacks a label, which are refused, come last: there is one try a patient, and another
    alert of it may have them all.
    """
    decisions = []
    for alert in alerts:
        remedy = remedies.get(alert.rule)
        if remedy is None or alert.state is not AlertState.FIRING or not selects(remedy, alert.labels):
            continue
        incident = history.open(alert.rule, alert.label(remedy.target))
        step = _next_step(incident, remedy)
        if step is not None:
            name = incident.id if incident else f"{alert.rule}/{alert.label(remedy.target)}@{now}"
            decisions.append(_decision(alert, remedy, step, name))
    return tuple(sorted(decisions, key=lambda each: lacking(each, remedies[each.alert]) is not None))


def is_given(decision: Decision, remedy: Remedy) -> bool:
    """Whether the remedy, as it is now, gives this decision still."""
    if decision.step >= len(remedy.steps):
        return False
    value = 0.0  # what the alert's is has no part in it, and NaN is not itself
    alert = Alert(decision.alert, decision.labels, AlertState.FIRING, 0, value)
    now = _decision(alert, remedy, decision.step, decision.incident)
    return now == replace(decision, value=value)


def endings(
    alerts: Sequence[Alert],
    remedies: Mapping[str, Remedy],
    history: History,
    now: int,
    end_of: Callable[[Incident], str] = lambda _: "the alert ended",
) -> tuple[Entry, ...]:
    """The last entries of incidents that are over: withdrawn, closed or handed to a person.

    An alert that a restart put back to pending has not ended. `end_of` says why an incident's alert has.
    """
    active = {
        (a.rule, a.label(remedies[a.rule].target))
        for a in alerts
        if a.rule in remedies and selects(remedies[a.rule], a.labels)
    }
    ends = []
    for incident in history.incidents.values():
        still = (incident.decision.alert, incident.decision.target) in active
        remedy, steps = remedies.get(incident.decision.alert), incident.decision.steps
        last = min(steps, len(remedy.steps)) if remedy else steps  # rules may have a shorter ladder now
        kind, reason = _ending(incident, None if still else end_of(incident), last)
        if kind is not None:
            ends.append(Entry(now, kind, reason, incident.id))
    return tuple(ends)


def selects(remedy: Remedy, labels: Labels) -> bool:
    """Whether a remedy is for its alert with these labels: of several rules with the name it may choose."""
    return set(remedy.match) <= set(labels)


def patients(remedy: Remedy, alerts: Iterable[Alert]) -> int:
    """How many targets of this remedy's alert fire; without the label that names it each alert is one."""
    firing = (a for a in alerts if a.rule == remedy.alert and a.state is AlertState.FIRING)
    return len({a.label(remedy.target) or a.labels for a in firing if selects(remedy, a.labels)})


def _next_step(incident: Incident | None, remedy: Remedy) -> int | None:
    if incident is None:
        return 0
    if incident.phase in (Phase.REFUSED, Phase.PROPOSED):
        return min(incident.decision.step, len(remedy.steps) - 1)
    failed = incident.phase is Phase.SETTLED and incident.verdict in (Kind.NO_BETTER, Kind.FAILED)
    following = incident.decision.step + 1
    return following if failed and following < len(remedy.steps) else None


def _decision(alert: Alert, remedy: Remedy, step: int, incident: str) -> Decision:
    rung = remedy.steps[step]
    return Decision(
        incident=incident,
        alert=alert.rule,
        step=step,
        do=rung.do,
        args=tuple((name, _argument(value, alert)) for name, value in rung.args),
        target=alert.label(remedy.target),
        labels=alert.labels,
        value=alert.value,
        lease_ms=rung.lease_ms,
        verify=_verify(rung, alert.labels),
        worse_if=filled(remedy.worse_if, alert.labels) if remedy.worse_if else None,
        steps=len(remedy.steps),
    )


def _argument(value: Argument, alert: Alert) -> Argument:
    """Only whole words: an argument is a label or it is not; nothing is pasted together."""
    if isinstance(value, str) and (match := LABEL.fullmatch(value)):
        return alert.label(match[1])
    return value


def _verify(step: Step, labels: Labels) -> Verify | None:
    if step.verify is None:
        return None
    return Verify(filled(step.verify.expr, labels), step.verify.within_ms, step.verify.stable_for_ms)


def _ending(incident: Incident, end: str | None, steps: int) -> tuple[Kind | None, str]:
    """Why an incident needs no more work of ours, if it does not; `end`: why its alert is over; `steps`: how
    many its ladder has."""
    phase, verdict = incident.phase, incident.verdict
    if phase is Phase.REFUSED and end:
        return Kind.WITHDRAWN, end
    if phase is Phase.PROPOSED and end:
        return Kind.WITHDRAWN, f"the proposal expired: {end}"
    if phase is Phase.ESCALATED and end:
        return Kind.CLOSED, end
    if phase is not Phase.SETTLED:
        return None, ""
    if verdict is Kind.HEALED:
        return Kind.CLOSED, "healed; nothing of it stands"
    if verdict is None:
        return Kind.CLOSED, "undone before it was judged; nothing of it stands"
    if end:
        return Kind.CLOSED, f"{verdict}, undone, and {end}"
    if verdict is Kind.WORSE:
        return Kind.ESCALATED, f"{incident.decision.do} made it worse and was undone: a person is needed"
    if incident.decision.step + 1 >= steps:
        return Kind.ESCALATED, f"{verdict} after the last step: a person is needed"
    return None, ""
