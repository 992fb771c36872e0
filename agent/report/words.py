"""Changes, decisions and entries in words."""

from __future__ import annotations

from agent.model import Argument, Change, Decision, Effect, Entry, Kind, Labels, Operation

_OPERATIONS = {
    Operation.SET: "{resource}: {key} from {prior} to {new}",
    Operation.DELETE: "{resource}: {key} deleted (was {prior})",
    Operation.APPEND: "{resource}: {key} gained {new}",
    Operation.SUBTRACT: "{resource}: {key} lost {new}",
    Operation.MOVE: "{resource}: moved from {prior} to {new}",
}
_KINDS = {  # the others are their own word
    Kind.WAITING: "waits for its claim",
    Kind.STARTED: "begun",
    Kind.ESCALATED: "a person is needed",
}


def change(one: Change) -> str:
    """What one change does: the resource, the key, from what, to what."""
    prior = "absent" if one.prior is None else one.prior or "''"
    return _OPERATIONS[one.operation].format(resource=one.resource, key=one.key, prior=prior, new=one.new)


def changes(effect: Effect | None) -> list[str]:
    """What an effect changes, a line each; no effect changes nothing."""
    return [change(c) for c in effect.changes] if effect else []


def wanted(decision: Decision) -> str:
    """Why an incident is there: the alert, its value, and the step that answers it."""
    step = f", step {decision.step + 1} of {decision.steps}" if decision.steps > 1 else ""
    given = ", ".join(f"{name}: {_argument(value)}" for name, value in decision.args)
    alert = f"alert {decision.alert} for {decision.target} (value {decision.value:g})"
    return f"{alert}: wants {decision.do}{f' {{{given}}}' if given else ''}{step}"


def fact(entry: Entry) -> str:
    """One entry as a line; its instant is not in it."""
    said = _KINDS.get(entry.kind, str(entry.kind))
    asked = f" ({entry.question})" if entry.question and entry.kind is not Kind.OPERATOR else ""
    if entry.kind is Kind.OPERATOR:
        said = f"operator: {entry.question}"
    return f"{said}{asked}: {entry.reason}" if entry.reason else f"{said}{asked}"


def patient(labels: Labels) -> str:
    """Which alert of a rule it is."""
    return ", ".join(f"{n}={v}" for n, v in labels if n not in ("alertname", "severity")) or "no label"


def _argument(value: Argument) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
