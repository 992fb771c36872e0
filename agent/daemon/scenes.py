"""What the gate may look at: what is seen, with the history and what the agent knows of itself."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from agent.daemon.sight import Sight
from agent.decide import is_given, selects
from agent.gate import Around, Scene
from agent.history import History
from agent.model import ActionSpec, Decision, Policy, Refusal, RuleHealth


class Local(Struct, frozen=True):
    """What the agent knows of itself at this instant."""

    node_id: int
    policy: Policy
    started_at: int
    stop_file: str | None = None
    control: str = ""
    peers: Mapping[str, frozenset[str]] = field(default_factory=dict)


def scene_of(
    sight: Sight, decision: Decision, spec: ActionSpec, history: History, now: int, local: Local
) -> Scene | Refusal:
    """Everything the gate may look at but the plan; a Refusal where the remedy is gone from the rules."""
    remedy = sight.book.remedies.get(decision.alert)
    if remedy is None or not selects(remedy, decision.labels):
        return Refusal("mode", f"the rules have no remedy for {decision.alert} any more")
    which = decision.alert, decision.labels
    health = sight.alerts.health(*which)
    return Scene(
        now=now,
        decision=decision,
        remedy=remedy,
        spec=spec,
        policy=local.policy,
        history=history,
        node_id=local.node_id,
        agent_started_at=local.started_at,
        stop_file=local.stop_file,
        health=health,
        health_reason="" if health is RuleHealth.OK else sight.alerts.why(*which),
        signals=sight.signals(*which),
        patients=sight.patients(remedy),
        unless=sight.objections(remedy, decision.labels, now),
        peers=local.peers,
        world=sight.world(),
        control=local.control,
        given=is_given(decision, remedy),
    )


def around(
    sight: Sight, decision: Decision, spec: ActionSpec, history: History, now: int, local: Local
) -> Around:
    """What the gate looks at once more when it has begun, whatever rules are in force now."""
    return Around(
        now=now,
        decision=decision,
        spec=spec,
        history=history,
        node_id=local.node_id,
        stop_file=local.stop_file,
        peers=local.peers,
        world=sight.world(),
    )
