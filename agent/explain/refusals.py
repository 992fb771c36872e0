"""What would refuse a remedy: the gate's questions in their order, each as far as it applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agent.lints.case import Case, Written
from agent.model import Blast, Mode, Policy, Remedy
from agent.quantities import show_duration
from agent.rulebook.needed_labels import needed


@dataclass(frozen=True, slots=True)
class Asked:
    """One remedy before the gate. `blasts`: what its actions take; `signals`: the sources its alert reads."""

    remedy: Remedy
    policy: Policy
    blasts: frozenset[Blast]
    signals: frozenset[str]
    wanted: int  # independent signals, by the action that wants most

    @property
    def takes(self) -> bool:
        """Whether any step takes something from host or cluster."""
        return bool(self.blasts - {Blast.NOTHING})

    @property
    def disrupts(self) -> bool:
        """Whether any step takes a broker, or its leadership, away."""
        return Blast.DISRUPTIVE in self.blasts


def refusals(case: Case, each: Written, remedy: Remedy, policy: Policy) -> list[dict[str, str]]:
    """[{question, when}], in the gate's order; questions that can never refuse this remedy are left out."""
    specs = [case.facts.actions[step.do] for step in remedy.steps if step.do in case.facts.actions]
    asked = Asked(
        remedy,
        policy,
        frozenset(spec.blast for spec in specs),
        case.sources(each.expression.names),
        max((spec.corroborate for spec in specs), default=1),
    )
    told = ((question, when(asked)) for question, when in WHEN.items())
    return [{"question": question, "when": words} for question, words in told if words]


def _labels(asked: Asked) -> str:
    every = (each.name for each in needed(asked.remedy, asked.remedy.steps))
    names = dict.fromkeys(name for name in every if name != "alertname")
    return f"the alert has no label {' or '.join(names)}" if names else ""


def _mode(asked: Asked) -> str:
    return {
        Mode.OBSERVE: "always: its mode is observe, so it only says what it would do",
        Mode.PROPOSE: "somebody denied it (ottla deny)",
        Mode.ACT: "",
    }[asked.remedy.mode]


def _inputs(asked: Asked) -> str:
    grace = show_duration(asked.policy.startup_grace_ms)
    return f"the rule cannot be judged (cold, blind, failing, storm), or the agent runs for less than {grace}"


def _corroborated(asked: Asked) -> str:
    if asked.takes and asked.signals == {"logs"}:
        return "always: log lines alone never suffice for an action that takes something"
    if asked.disrupts and len(asked.signals) < asked.wanted:
        seen = " and ".join(sorted(asked.signals)) or "nothing"
        return f"always: {asked.wanted} independent signals are wanted, and it reads {seen} only"
    return ""


def _storm(asked: Asked) -> str:
    most = asked.remedy.limits.max_targets
    return f"more than {most} {'patient fires' if most == 1 else 'patients fire'} at once on this host"


def _cooldown(asked: Asked) -> str:
    return (
        f"an action on the same patient ended less than {show_duration(asked.remedy.limits.cooldown_ms)} ago"
    )


def _rates(asked: Asked) -> str:
    limits = asked.remedy.limits
    each = (
        (limits.per_host, "this remedy's"),
        (limits.per_cluster, "this remedy's in the whole cluster"),
        (asked.policy.per_host, "the host's"),
    )
    told = (f"{whose} {r.count} in {show_duration(r.window_ms)}" for r, whose in each if r)
    return f"as many were begun as allowed: {', or '.join(told)}"


def _breaker(asked: Asked) -> str:
    return f"{asked.policy.breaker} actions in a row did not heal, until `ottla resume`"


def _unless(asked: Asked) -> str:
    return " or ".join(f"`{text.strip()}`" for text in asked.remedy.unless)


def _approved(asked: Asked) -> str:
    return "nobody has approved it (ottla approve)" if asked.remedy.mode is Mode.PROPOSE else ""


def _healthy(asked: Asked) -> str:
    if not asked.takes:
        return ""
    alone = ", or no peer can be asked" if asked.disrupts else ""
    return (
        "another broker is down, a partition is offline or under min.insync.replicas, or nobody says how the"
        f" cluster is{alone}"
    )


WHEN: Mapping[str, Callable[[Asked], str]] = MappingProxyType(
    {
        "stop file": lambda _: "the stop file stands",
        "pause": lambda _: "somebody has paused the agent",
        "labels": _labels,
        "mode": _mode,
        "inputs": _inputs,
        "corroboration": _corroborated,
        "not everybody": lambda a: "half of the other agents show the same" if a.disrupts else "",
        "storm": _storm,
        "one at a time": lambda _: "a remedy is under way on the same patient, or holds the same setting",
        "cooldown": _cooldown,
        "rates": _rates,
        "breaker": _breaker,
        "coexistence": lambda a: "somebody reassigns partitions" if a.takes else "",
        "unless": _unless,
        "healthy elsewhere": _healthy,
        "control topic": lambda _: "its plan needs a claim, and the control topic cannot give one",
        "approval": _approved,
    }
)
