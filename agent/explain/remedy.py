"""What a remedy would do: its steps with what they take, and the limits on them."""

from __future__ import annotations

import re
from typing import Any

from agent.lints.case import Case
from agent.model import ActionSpec, AlertRule, Policy, Rate, Remedy, Step
from agent.quantities import show_duration, show_size

_LABEL = re.compile(r"\$(\w+)")


def remedy_of(case: Case, rule: AlertRule) -> Remedy | None:
    """The remedy of this rule; one that is meant for other labels is none."""
    remedy = case.book.remedies.get(rule.name)
    return remedy if remedy and set(remedy.match) <= set(rule.labels) else None


def steps(case: Case, remedy: Remedy) -> list[dict[str, Any]]:
    """Each step: do, with, lease_ms, verify; of an action also what its class says, its summary, and when it
    refuses by itself."""
    return [_step(step, case.facts.actions.get(step.do)) for step in remedy.steps]


def _step(step: Step, spec: ActionSpec | None) -> dict[str, Any]:
    verify = step.verify
    told: dict[str, Any] = {
        "do": step.do,
        "with": _arguments(step, spec) if spec else {},
        "lease_ms": step.lease_ms,
        "verify": verify
        and {"expr": verify.expr, "within_ms": verify.within_ms, "stable_for_ms": verify.stable_for_ms},
    }
    if spec:
        told |= {
            "summary": _paragraph(spec.manual, ""),
            "refuses": _paragraph(spec.manual, "Refused"),
            "takes": spec.blast.value,
            "reversible": spec.reversible,
            "keeps": spec.keeps,
            "signals_wanted": spec.corroborate,
        }
    return told


def _arguments(step: Step, spec: ActionSpec) -> dict[str, str]:
    kinds = {parameter.name: parameter.kind for parameter in spec.parameters}
    given = {p.name: p.default for p in spec.parameters if p.default is not None} | dict(step.args)
    return {name: _shown(value, kinds.get(name, "")) for name, value in given.items()}


def _shown(value: object, kind: str) -> str:
    if isinstance(value, str):
        label = _LABEL.fullmatch(value)
        return f"the alert's label {label[1]}" if label else value
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, int) and kind in ("rate", "size"):
        return show_size(value) + ("/s" if kind == "rate" else "")
    return show_duration(value) if isinstance(value, int) and kind == "duration" else str(value)


def _paragraph(manual: str, start: str) -> str:
    """The first paragraph that begins so, in one line; empty where there is none."""
    found = (part for part in manual.split("\n\n") if part.startswith(start))
    return " ".join(next(found, "").split())


def limits(case: Case, remedy: Remedy, policy: Policy) -> dict[str, Any]:
    """The remedy's own, and of the host's policy what bears on its actions: those that their manuals name."""
    own = remedy.limits
    manuals = " ".join(case.facts.actions[s.do].manual for s in remedy.steps if s.do in case.facts.actions)
    named = [name for name in policy.__struct_fields__ if f"`{name}`" in manuals]
    return {
        "cooldown_ms": own.cooldown_ms,
        "per_host": rate(own.per_host),
        "per_cluster": rate(own.per_cluster),
        "max_targets": own.max_targets,
        "policy": {
            "per_host": rate(policy.per_host),
            "breaker": policy.breaker,
            "startup_grace_ms": policy.startup_grace_ms,
            **{name: getattr(policy, name) for name in named},
        },
    }


def rate(limit: Rate | None) -> str | None:
    """How often, in words."""
    return f"{limit.count} in {show_duration(limit.window_ms)}" if limit else None
