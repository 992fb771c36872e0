"""One decision before the gate: what is seen now, put to the gate's questions; again by its entry's turn."""

from __future__ import annotations

from msgspec.structs import replace

from agent import gate
from agent.actions import Action, spec
from agent.daemon.means import Means
from agent.daemon.scenes import scene_of
from agent.model import Decision, Effect, Refusal


class AtGate:
    """Remembers what it last had judged: nothing starts that was not."""

    def __init__(self, means: Means, decision: Decision, action: Action) -> None:
        self._means = means
        self._decision = decision
        self._action = action
        self._judged: gate.Scene | None = None

    async def objection(self, plan: Effect | None) -> Refusal | None:
        """The gate's answer on what is seen now; `plan` None asks only what needs no plan."""
        scene = await self._scene()
        if isinstance(scene, Refusal):
            return scene
        claims = plan is not None and bool(self._action.scopes(plan))
        if self._means.ledger.failed:
            return Refusal("journal", self._means.ledger.failed)
        self._judged = replace(scene, plan=plan, claims=claims)
        return gate.judge(self._judged)

    async def unwanted(self) -> Refusal | None:
        """Why it need not wait any more: rules or a person no longer want this."""
        scene = await self._scene()
        if isinstance(scene, Refusal):
            return scene
        reason = gate.mode(scene)
        return None if reason is None else Refusal("mode", reason)

    def objection_by_now(self) -> Refusal | None:
        """The gate's answer on what it last looked at, with what was written down since."""
        assert self._judged is not None, "nothing starts that was not judged"
        means = self._means
        now = {"now": means.clock(), "boot": means.boot(), "history": means.ledger.history}
        return gate.judge(replace(self._judged, **now))

    async def _scene(self) -> gate.Scene | Refusal:
        means, decision, action = self._means, self._decision, spec(type(self._action))
        local = await means.local()
        scene = scene_of(means.sight(), decision, action, means.ledger.history, means.clock(), local)
        if isinstance(scene, Refusal):
            return scene
        return replace(scene, boot=means.boot(), planned_at=means.planned.get(decision.incident))
