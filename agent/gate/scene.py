"""What the gate's questions look at."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from agent.history import History
from agent.model import ActionSpec, Boot, Decision, Effect, Policy, Refusal, Remedy, RuleHealth


class World(Struct, frozen=True):
    """The cluster as a peer sees it. `at` is when, in ms; `asked` the node that said so."""

    at: int
    asked: int
    fenced: frozenset[int] = frozenset()
    reassigning: int = 0
    under_min_isr: int = 0
    offline: int = 0
    alone: bool = False


class Around(Struct, frozen=True):
    """What one more effect of an action that has begun may be refused by. The rules are no part of it."""

    now: int
    decision: Decision
    spec: ActionSpec
    history: History
    node_id: int
    stop_file: str | None = None  # its text; None where it is absent
    peers: Mapping[str, frozenset[str]] = field(default_factory=dict)  # what fires at each other agent
    world: World | None = None


class Scene(Around, frozen=True, kw_only=True):
    """Everything a question may look at. Built anew each time it is judged."""

    remedy: Remedy
    policy: Policy
    agent_started_at: int
    health: RuleHealth = RuleHealth.OK
    health_reason: str = ""
    signals: frozenset[str] = frozenset()  # the sources of the series that the alert reads
    patients: int = 1  # targets of this alert that fire here
    unless: tuple[str, ...] = ()  # the remedy's `unless` expressions that have a result
    control: str = ""  # why claims cannot be had; empty where they can
    given: bool = True  # the remedy, as it is now, gives this decision still
    plan: Effect | Refusal | None = None
    claims: bool = False  # the plan needs a claim
    boot: Boot = Boot()  # as `now`
    planned_at: int | None = None  # when a plan was last made for this incident
