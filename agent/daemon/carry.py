"""Carries one incident from its start to the point where nothing of it stands: act, verify, hold, undo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from agent.daemon.early import Early
from agent.daemon.evidence import Evidence
from agent.daemon.former_life import FormerLife
from agent.daemon.holding import Broken, Holding
from agent.daemon.insisting import Insisting
from agent.daemon.means import Means
from agent.daemon.standing import Standing
from agent.daemon.undoing import Undoing
from agent.history import Incident, Phase
from agent.model import Kind, Refusal, Settle

LOOK_S = 0.5


class Carrier:
    """One incident with an effect that may stand, through its phases. `evidence`: what was seen of it while
    another carried it in this life."""

    def __init__(self, means: Means, incident: str, evidence: Evidence | None = None) -> None:
        self._means = means
        self._one = Standing(means, incident)
        self._insisting = Insisting(incident)
        self._holding = Holding(means, lambda: self.incident, self._insisting.tell)
        self._early = Early(means, self._one, self._holding)
        self._evidence = evidence or Evidence(means, incident)
        self._undoing = Undoing(self._one, self._holding, self._insisting, self._evidence)
        self._resumed = False

    @property
    def incident(self) -> Incident:
        """It, as it stands now."""
        return self._one.incident

    @property
    def trouble(self) -> str:
        """What keeps it from going on; empty where nothing does."""
        return self._insisting.trouble

    def ask_undo(self, reason: str) -> None:
        """Undo it soon, whatever it does now."""
        self._early.asked = reason

    async def carry(self, *, resumed: bool = False) -> None:
        """Until nothing stands; then the claim is given back. Raises JournalFailed."""
        resumed = resumed and self._evidence.refused is None  # who carried it before sent nothing
        self._resumed = resumed
        self._holding.begin(resumed=resumed, unwritten=self._evidence.must_go is not None)
        self._evidence.begin(resumed=resumed, begun=self._holding.may_have_begun)
        while self.incident.stands:
            if (known := self._evidence.untold()) is not None:
                await self._undoing.must_go(*known)
            else:
                await _HANDLERS[self.incident.phase](self)
        await self._release()

    async def act(self) -> None:
        """ACTING: apply, watching that nothing gets worse meanwhile."""
        if self._evidence.refused is not None:
            await self._refuse(self._evidence.refused)
            return
        if await self._over():
            return
        work = asyncio.ensure_future(self._insisting.once(self._apply()))
        try:
            stop = await self._watch(work)
        finally:  # also where the agent stops: nothing goes on acting behind its back
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if stop is not None:
            await self._undoing.must_go(*stop)
            return
        try:
            work.result()
        except Broken as error:
            if (why := self._holding.not_begun()) is not None:
                await self._refuse(Refusal("the instant of effect", why))
            else:
                await self._undoing.must_go(Kind.FAILED, str(error))
        else:
            self._evidence.stands()
            await self._one.record(Kind.DONE, f"the effect stands{self._holding.unseen}")

    async def _refuse(self, why: Refusal) -> None:
        """Nothing was sent, so that nothing of an order to undo it is left but to tell of it. Raises
        JournalFailed; whoever carries it next writes the same."""
        self._evidence.refused = why
        ordered = "" if self._early.asked is None else f"; {self._early.asked}"
        await self._one.record(Kind.REFUSED, why.reason + ordered, question=why.question)

    async def _over(self) -> bool:
        """Whether there is nothing to apply any more: its end is due, or a former life left an outcome."""
        if self._early.why() is None and self._resumed and await self._settled():
            return True
        if (early := self._early.why()) is not None:
            await self._undoing.must_go(Kind.UNDOING, early)
        return early is not None

    async def _apply(self) -> None:
        await self._holding.look_around()
        await self._one.action.apply(self._one.effect, self._holding.ports)

    async def verify(self) -> None:
        """VERIFYING: wait for the verdict, the end of the lease, or a person."""
        while (early := self._early.why()) is None:
            found = self._evidence.verdict()
            if found.verdict is Kind.HEALED:
                await self._one.record(found.verdict, found.reason)
                return
            if found.verdict is not None:
                await self._undoing.must_go(found.verdict, found.reason)
                return
            await asyncio.sleep(LOOK_S)
        await self._undoing.must_go(Kind.UNDOING, early)

    async def hold(self) -> None:
        """HELD: it helped. Kept for good, or until the lease ends or it does harm, or put back at once."""
        if self._one.keeps:
            await self._one.record(Kind.CLOSED, "healed; what was mended stays")
            return
        if self.incident.until is None:
            why = self._early.why() or "healed: what it needed meanwhile is put back"
            await self._undoing.must_go(Kind.UNDOING, why)
            return
        while (early := self._early.why()) is None:
            if worse := self._harm():
                await self._undoing.must_go(Kind.WORSE, worse)
                return
            await asyncio.sleep(LOOK_S)
        await self._undoing.must_go(Kind.UNDOING, early)

    async def put_back(self) -> None:
        """UNDOING: until it is gone; only the stop file stops that."""
        await self._undoing.undo(self.incident.why_undone)

    async def _watch(self, work: asyncio.Future[Any]) -> tuple[Kind, str] | None:
        """None once the work has ended by itself; else why it must be stopped."""
        while not (await asyncio.wait({work}, timeout=LOOK_S))[0]:
            early = self._early.why()
            if early is not None:
                return Kind.UNDOING, early
            if worse := self._harm():
                return Kind.WORSE, worse
        return None

    def _harm(self) -> str:
        return self._evidence.harm(begun=self._holding.may_have_begun)

    async def _settled(self) -> bool:
        """After a restart: True where what was found is the outcome, False where it must be applied on."""
        former = FormerLife(self._means.control, self._one, self._early, self._undoing, self._insisting)
        settle, words = await former.outcome()
        self._resumed = False
        if settle is Settle.APPLY:
            return False
        found = f"found when it was taken up again: {words}"
        if settle is Settle.DONE:
            await self._one.record(Kind.DONE, found)
        else:
            await self._undoing.must_go(Kind.FAILED, found)
        return True

    async def _release(self) -> None:
        """As it ended; but for what healed and is kept nothing of it stands then."""
        healed = self.incident.verdict is Kind.HEALED
        keeps = self.incident.mended and self._one.keeps
        undo = None if keeps else lambda: self._insisting.until_answered(self._undoing.once)
        await self._holding.give_back("done" if healed else "undone", undo, self._undoing.observe)


_HANDLERS: Mapping[Phase, Callable[[Carrier], Coroutine[Any, Any, None]]] = {
    Phase.ACTING: Carrier.act,
    Phase.VERIFYING: Carrier.verify,
    Phase.HELD: Carrier.hold,
    Phase.UNDOING: Carrier.put_back,
}
