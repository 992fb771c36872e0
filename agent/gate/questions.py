"""The questions every action must pass: each a look at the scene, and its objection in words."""

from __future__ import annotations

from agent.gate.approval import answered
from agent.gate.scene import Around, Scene
from agent.history import History
from agent.model import AND_MORE, Blast, Effect, Mode, Policy, Rate, RuleHealth
from agent.quantities import show_duration

_TAKES = (Blast.HOST, Blast.CLUSTER, Blast.DISRUPTIVE)
NOT_KNOWN = "the cluster's state is not known"
STALE_MS = 60_000  # a view of the cluster older than this is no view
TAKEN_BACK_MS = 5 * 60_000  # what the last look refuses no look before asks: it is not tried each second


def stopped(scene: Around) -> str | None:
    """1: the stop file."""
    return stop_file(scene.stop_file)


def stop_file(reason: str | None) -> str | None:
    """What a stop file with this text objects, to an undo too; None where there is none."""
    return None if reason is None else f"the stop file stands: {reason or 'no reason given'}"


def paused(scene: Around) -> str | None:
    """1: a pause that a person ordered."""
    pause = scene.history.paused(scene.now)
    return None if pause is None else f"paused: {pause.reason}"


def mode(scene: Scene) -> str | None:
    """2: what the remedy is allowed, and what a person has denied it; and whether it still wants this."""
    if scene.remedy.mode is Mode.OBSERVE:
        return f"mode is observe: would have done {scene.decision.do} on {scene.decision.target}"
    answer = answered(scene)
    if answer and not answer.approved:
        return f"denied by {answer.words}"
    return None if scene.given else "the remedy was changed since this was decided"


def inputs(scene: Scene) -> str | None:
    """3: the rule can be judged, and the agent has looked long enough."""
    if scene.health is not RuleHealth.OK:
        return f"{scene.decision.alert} is {scene.health}: {scene.health_reason}"
    return still_looks(scene.now, scene.agent_started_at, scene.policy)


def still_looks(now: int, started_at: int, policy: Policy) -> str | None:
    """Why an agent that was just started begins nothing; None once it has looked for long enough."""
    if now - started_at >= policy.startup_grace_ms:
        return None
    return f"the agent looks for {show_duration(policy.startup_grace_ms)} before it acts"


def corroborated(scene: Scene) -> str | None:
    """4: independent signals; a log line alone can be forged, repeated or late."""
    if scene.spec.blast in _TAKES and scene.signals == frozenset({"logs"}):
        return "log lines alone never suffice for an action that takes something from the cluster"
    if scene.spec.blast is Blast.DISRUPTIVE and len(scene.signals) < scene.spec.corroborate:
        seen = ", ".join(sorted(scene.signals)) or "none"
        return f"{scene.spec.corroborate} independent signals are needed; seen: {seen}"
    return None


def not_everybody(scene: Around) -> str | None:
    """5: a symptom of many hosts has one cause, and it is not this host."""
    if scene.spec.blast is not Blast.DISRUPTIVE:
        return None
    same = sorted(filter(None, (_shows(scene, peer) for peer in scene.peers)))
    if len(same) >= 2 and 2 * len(same) >= len(scene.peers):
        return f"{', '.join(same)} show the same: nobody acts alone"
    return None


def _shows(scene: Around, peer: str) -> str:
    """A peer at which the same fires, or may: who cannot tell all is not taken to be well."""
    firing = scene.peers[peer]
    if scene.decision.alert in firing:
        return peer
    return f"{peer} (perhaps)" if AND_MORE in firing else ""


def storm(scene: Scene) -> str | None:
    """6: more patients than the rule foresaw."""
    most = scene.remedy.limits.max_targets
    return f"{scene.patients} patients are more than max_targets {most}" if scene.patients > most else None


def one_at_a_time(scene: Scene) -> str | None:
    """7: one remedy a patient, one owner a setting."""
    mine = {(c.resource, c.key) for c in scene.plan.changes} if isinstance(scene.plan, Effect) else set()
    for other in scene.history.incidents.values():
        if other.id == scene.decision.incident:
            continue
        if other.stands and other.decision.target == scene.decision.target:
            return f"{other.decision.do} for {other.decision.alert} is under way on {other.decision.target}"
        held = {(c.resource, c.key) for c in other.effect.changes} if other.stands and other.effect else set()
        if mine & held:
            resource, key = min(mine & held)
            return f"{other.decision.alert} holds {key} of {resource}"
    return None


def cooldown(scene: Scene) -> str | None:
    """8: time for the last action on this patient to show its worth; a ladder's next rung is no repeat."""
    length = scene.remedy.limits.cooldown_ms
    if (words := _taken_back(scene)) is not None:
        return words
    ended = scene.history.ended(scene.decision.alert, scene.decision.target)
    if scene.decision.step > 0 or ended is None or scene.now - ended >= length:
        return None
    return (
        f"the last action on {scene.decision.target} is younger than the cooldown of {show_duration(length)}"
    )


def rates(scene: Scene) -> str | None:
    """8: how often; counted in the journal, so that a restart refills nothing."""
    for rate, alert, name in (
        (scene.remedy.limits.per_host, scene.decision.alert, "the rule's per_host"),
        (scene.policy.per_host, None, "the host's policy per_host"),
    ):
        if rate is not None and _starts(scene, rate, alert) >= rate.count:
            return f"{name} of {rate.count} in {show_duration(rate.window_ms)} is used up"
    return None


def breaker(scene: Scene) -> str | None:
    """9: what does not help is not repeated until a person has looked."""
    return open_breaker(scene.history, scene.policy)


def open_breaker(history: History, policy: Policy) -> str | None:
    """What an open breaker objects; None where it is closed."""
    count = history.unverified
    if count < policy.breaker:
        return None
    return f"the breaker is open: {count} actions in a row did not heal (ottla resume closes it)"


def coexistence(scene: Around) -> str | None:
    """10: a reassignment that somebody else runs."""
    if scene.spec.blast in _TAKES and scene.world is not None and scene.world.reassigning:
        return f"{scene.world.reassigning} partitions are being reassigned"
    return None


def unless(scene: Scene) -> str | None:
    """10: the rule's own objections."""
    return f"unless: {scene.unless[0]}" if scene.unless else None


def healthy_elsewhere(scene: Around) -> str | None:
    """11: nothing is taken from a cluster that already misses something."""
    if scene.spec.blast not in _TAKES:
        return None
    world = scene.world
    if world is None or scene.now - world.at > STALE_MS:
        return NOT_KNOWN
    others = sorted(world.fenced - {scene.node_id})
    if others:
        return f"broker {others[0]} is down: one patient at a time"
    if world.offline or world.under_min_isr:
        return (
            f"{world.offline} partitions are offline and {world.under_min_isr} under min.insync.replicas"
            f" (as broker {world.asked} sees it)"
        )
    if scene.spec.blast is Blast.DISRUPTIVE and world.alone:
        return "no peer to ask"
    return None


def claimable(scene: Scene) -> str | None:
    """12: where a claim is needed, the control topic must be there to give it."""
    return scene.control if scene.claims and scene.control else None


def _taken_back(scene: Scene) -> str | None:
    known = scene.history.incidents.get(scene.decision.incident)
    at = known.taken_back_at if known else None
    if at is None or not 0 <= scene.now - at < TAKEN_BACK_MS:
        return None
    return f"its start was refused at the instant of effect less than {show_duration(TAKEN_BACK_MS)} ago"


def _starts(scene: Scene, rate: Rate, alert: str | None) -> int:
    since = scene.now - rate.window_ms
    return sum(1 for s in scene.history.starts if s.at > since and (alert is None or s.alert == alert))
