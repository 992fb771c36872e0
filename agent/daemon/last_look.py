"""The gate's questions at the instant of effect, on fresh data (coordination.md section 4, rule 4)."""

from __future__ import annotations

from agent import gate
from agent.actions import NotKnown, blind_without_log, spec
from agent.daemon.means import Means
from agent.daemon.scenes import around, scene_of
from agent.history import Incident
from agent.model import Decision, Effect, Refusal


async def last_look(means: Means, one: Incident, *, begun: bool = False) -> Refusal | None:
    """Only what may have changed since the plan: stop file, pause, mode, world. `begun`: it is one more
    effect of it. Raises NotKnown where that one may be looked at again: the sources tell nothing of the
    cluster now."""
    local = await means.local()
    decision = one.decision
    action = spec(type(means.actions[decision.do]))
    sight, now = means.sight(), means.clock()
    before = means.ledger.history.without_start(one)  # a rate must not object to itself
    if begun:
        refusal = gate.judge_on(around(sight, decision, action, before, now, local))
        if refusal is not None and refusal.reason == gate.NOT_KNOWN:
            raise NotKnown(gate.NOT_KNOWN)
        return refusal
    scene = scene_of(sight, decision, action, before, now, local)
    return scene if isinstance(scene, Refusal) else gate.judge(scene)


async def stop_file(means: Means) -> str | None:
    """The stop file in words: it stops an undo, too."""
    return gate.stop_file((await means.local()).stop_file)


async def before_undo(means: Means, effect: Effect | None) -> str | None:
    """What keeps an undo under a claim from being sent: the stop file and, where the log cannot be used, that
    nothing tells whose it is (section 8)."""
    stop = await stop_file(means)
    blind = means.control is not None and means.control.degraded
    return stop or (blind_without_log(effect) if blind and effect else None)


def still_fires(means: Means, decision: Decision) -> bool:
    """Whether the symptom is there."""
    return any(a.rule == decision.alert and a.labels == decision.labels for a in means.sight().firing())
