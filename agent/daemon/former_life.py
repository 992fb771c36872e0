"""What a former life of this agent left of an action that it was about to apply, or had begun."""

from __future__ import annotations

import asyncio

from agent.control_topic import ControlTopic
from agent.daemon.early import Early
from agent.daemon.insisting import Insisting
from agent.daemon.standing import Standing
from agent.daemon.undoing import Undoing
from agent.model import Settle

LOOK_S = 0.5


class FormerLife:
    """Asks the world, once the log tells whose the claim is."""

    def __init__(
        self,
        control: ControlTopic | None,
        one: Standing,
        early: Early,
        undoing: Undoing,
        insisting: Insisting,
    ) -> None:
        self._control = control
        self._one = one
        self._early = early
        self._undoing = undoing
        self._insisting = insisting

    async def outcome(self) -> tuple[Settle, str]:
        """What a crash left, and what was found in words; the world is asked until it answers."""
        await self._claim_known()
        seen = await self._insisting.until_answered(self._undoing.observe)
        effect = self._one.effect
        settle = self._one.action.settle(effect, seen)
        if settle is Settle.APPLY and (why := await self._not_in_hand()) is not None:
            return Settle.UNDO, f"unfinished, and {why}"
        ours, theirs, every = len(seen.ours), len(seen.theirs), len(effect.changes)
        return settle, f"{ours} of {every} changes stand as ours, {theirs} as others'"

    async def _claim_known(self) -> None:
        control = self._control
        while self._one.incident.claim is not None and control is not None and not control.caught_up:
            self._insisting.tell("the control topic must be read to its end first")
            if self._early.asked is not None:
                break
            await asyncio.sleep(LOOK_S)
        self._insisting.tell("")

    async def _not_in_hand(self) -> str | None:
        """Why what is unfinished may not be applied on. Waits while its claim, a former life's, is yet to be
        adopted: until then whatever is sent is refused."""
        control, claim, gone = self._control, self._one.incident.claimed, "its claim is not held any more"
        if claim is None or control is None:
            return None if claim is None else gone
        why: str | None = None
        while why is None and not control.in_hand(claim):
            if control.own_claim(claim) is None:
                why = gone
            elif (why := self._early.why()) is None:
                self._insisting.tell("its claim must be adopted first")
                await asyncio.sleep(LOOK_S)
        self._insisting.tell("")
        return why
