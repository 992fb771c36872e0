"""A person's word for what only proposes."""

from __future__ import annotations

from agent import proposal
from agent.gate.scene import Scene
from agent.history import Answer, Phase, same_step
from agent.model import Effect, Mode
from agent.quantities import show_duration

APPROVED_MS = 15 * 60_000  # for so long a person's word counts: what they looked at is another world later
APPROVAL = "approval"
ASKED_MS = 5 * 60_000  # so long a proposal stands as it was told, or is still; then it is planned anew


def approved(scene: Scene) -> str | None:
    """13: a person's word for what only proposes; asked for once all else is clear, and a plan is made."""
    if scene.remedy.mode is not Mode.PROPOSE:
        return None
    answer, decision = answered(scene), scene.decision
    if not isinstance(scene.plan, Effect):
        return _asked(scene)
    age = answer.age(scene.now, scene.boot) if answer else 0
    late = age is None or age >= APPROVED_MS
    if answer and not late and answer.allows(scene.plan):
        return None
    name = proposal.name(decision, scene.plan)
    past = "another plan" if not late else f"it more than {show_duration(APPROVED_MS)} ago"
    before = past if age is not None else "it before the clock was set back"
    again = f"; {answer.words} approved {before}" if answer else ""
    return (
        f"{decision.do} on {decision.target} awaits a person till the alert ends: "
        f"ottla approve {name}, or ottla deny {name}{again}"
    )


def answered(scene: Scene) -> Answer | None:
    """What a person said to this very step."""
    known = scene.history.incidents.get(scene.decision.incident)
    answer = known.answer if known and scene.remedy.mode is Mode.PROPOSE else None
    return answer if answer and answer.is_for(scene.decision) else None


def _asked(scene: Scene) -> str | None:
    """What a person has not answered, and was planned a short while ago: no plan is made anew for that."""
    known = scene.history.incidents.get(scene.decision.incident)
    if known is None or known.phase is not Phase.PROPOSED or not same_step(known.decision, scene.decision):
        return None
    ages = [scene.now - at for at in (known.at, scene.planned_at) if at is not None]
    return known.reason if not known.answered and any(0 <= age < ASKED_MS for age in ages) else None
