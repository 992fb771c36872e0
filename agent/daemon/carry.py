"""Carries one incident from its start to the point where nothing of it stands: act, verify, hold, undo."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from agent.actions import spec
from agent.daemon.freshness import Freshness, begun
from agent.daemon.holding import Broken, Holding
from agent.daemon.lease import Lease
from agent.daemon.means import Means
from agent.daemon.verification import Verification
from agent.history import Incident, Phase
from agent.journal import JournalFailed
from agent.model import Effect, Entry, Kind, Seen, Settle
from agent.verify import Before, judge, worsened

log = logging.getLogger(__name__)
LOOK_S = 0.5
RETRY_S = (1, 2, 5, 10, 30)
_Answer = TypeVar("_Answer")


class Carrier:
    """One incident with an effect that may stand. `troubles` says what keeps it from going on."""

    def __init__(self, means: Means, incident: str) -> None:
        self._means = means
        self._id = incident
        self._before = Before()
        self._resumed = False
        self._undo_asked: str | None = None
        self._lease = Lease()
        self._began = Freshness(self.incident.started_at or 0, _ran())
        self._stood = _ran()  # since when at the latest, once it is DONE
        self._holding = Holding(means, lambda: self.incident, self._tell)
        self.trouble = ""

    @property
    def incident(self) -> Incident:
        """It, as it stands now."""
        return self._means.ledger.history.incidents[self._id]

    def ask_undo(self, reason: str) -> None:
        """Undo it soon, whatever it does now."""
        self._undo_asked = reason

    async def carry(self, *, resumed: bool = False) -> None:
        """Until nothing stands; then the claim is given back. Raises JournalFailed."""
        world = self._means.sight().world()
        if world is not None:
            self._before = Before(world.offline, world.under_min_isr)
        self._resumed = resumed
        if resumed:
            self._began = begun(self.incident, self._means.clock(), self._means.boot(), _ran())
        self._holding.begin(resumed=resumed)
        while self.incident.stands:
            await _HANDLERS[self.incident.phase](self)
        await self._release()

    async def act(self) -> None:
        """ACTING: apply, watching that nothing gets worse meanwhile."""
        if await self._over():
            return
        work = asyncio.ensure_future(self._run(self._apply()))
        try:
            stop = await self._watch(work)
        finally:  # also where the agent stops: nothing goes on acting behind its back
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if stop is not None:
            kind, reason = stop
            await (self._undo(reason) if kind is Kind.UNDONE else self._record(kind, reason))
            return
        try:
            work.result()
        except Broken as error:
            if (why := self._holding.not_begun()) is not None:
                await self._record(Kind.REFUSED, why, question="the instant of effect")
            else:
                await self._record(Kind.FAILED, str(error))
        else:
            self._stood = _ran()
            await self._record(Kind.DONE, f"the effect stands{self._holding.unseen}")

    async def _over(self) -> bool:
        """Whether there is nothing to apply any more: its end is due, or a former life left an outcome."""
        if (early := self._early()) is None:
            if self._resumed and await self._settled():
                return True
            early = self._early()
        if early is not None:
            await self._undo(early)
        return early is not None

    async def _apply(self) -> None:
        await self._holding.look_around()
        await self._action.apply(self._effect, self._holding.ports)

    async def verify(self) -> None:
        """VERIFYING: wait for the verdict, the end of the lease, or a person."""
        clock, since = Verification(), None
        stood = Freshness(self.incident.done_at or 0, self._stood)
        while True:
            early = self._early()
            if early is not None:
                await self._undo(early)
                return
            one, now = self.incident, self._means.clock()
            view = self._means.sight().view(one.decision, self._began, stood, now, _ran())
            passed = replace(view, now=clock.now(one, now, _ran()))  # samples are of the wall clock
            found = judge(one.decision, self._before, passed, one.done_at, since)
            since = found.since
            if found.verdict is not None:
                await self._record(found.verdict, found.reason)
                return
            await asyncio.sleep(LOOK_S)

    async def hold(self) -> None:
        """HELD: it helped. Kept for good, or until the lease ends, or put back at once."""
        if spec(type(self._action)).keeps:
            await self._record(Kind.CLOSED, "healed; what was mended stays")
            return
        while True:
            early = self._early()
            if early is not None:
                await self._undo(early)
                return
            if self.incident.until is None:
                await self._undo("healed: what it needed meanwhile is put back")
                return
            await asyncio.sleep(LOOK_S)

    async def put_back(self) -> None:
        """UNDOING: until it is gone; only the stop file stops that."""
        await self._undo(self.incident.why_undone)

    @property
    def _action(self) -> Any:  # an Action; its class is known only by its name
        return self._means.actions[self.incident.decision.do]

    @property
    def _effect(self) -> Effect:
        effect = self.incident.effect
        assert effect is not None, "what started has an effect"
        return effect

    def _early(self) -> str | None:
        """Why it ends before its verdict: a person, the lease, or who has ended it already."""
        if self._undo_asked is not None:
            return self._undo_asked
        if self._lease.ended(self.incident, self._means.clock(), _ran()):
            return "the lease ended"
        return "another ended it" if self._holding.closed() is not None else None

    async def _watch(self, work: asyncio.Future[Any]) -> tuple[Kind, str] | None:
        """None once the work has ended by itself; else why it must be stopped."""
        while not (await asyncio.wait({work}, timeout=LOOK_S))[0]:
            early = self._early()
            if early is not None:
                return Kind.UNDONE, early
            decision, now = self.incident.decision, self._means.clock()
            view = self._means.sight().view(decision, self._began, None, now, _ran())
            if worse := worsened(decision, self._before, view):
                return Kind.WORSE, worse
        return None

    async def _settled(self) -> bool:
        """After a restart: True where what was found is the outcome, False where it must be applied on."""
        settle, words = await self._settle()
        self._resumed = False
        if settle is Settle.APPLY:
            return False
        kind = Kind.DONE if settle is Settle.DONE else Kind.FAILED
        await self._record(kind, f"found after a restart: {words}")
        return True

    async def _settle(self) -> tuple[Settle, str]:
        """What a crash left: asked of the world until it answers."""
        await self._claim_known()
        seen = await self._insist(self._observe)
        settle = self._action.settle(self._effect, seen)
        if settle is Settle.APPLY and (why := await self._not_in_hand()) is not None:
            return Settle.UNDO, f"unfinished, and {why}"
        ours, theirs, every = len(seen.ours), len(seen.theirs), len(self._effect.changes)
        return settle, f"{ours} of {every} changes stand as ours, {theirs} as others'"

    async def _claim_known(self) -> None:
        control = self._means.control
        while self.incident.claim is not None and control is not None and not control.caught_up:
            self.trouble = "the control topic must be read to its end first"
            if self._undo_asked is not None:
                break
            await asyncio.sleep(LOOK_S)
        self.trouble = ""

    async def _not_in_hand(self) -> str | None:
        """Why what is unfinished may not be applied on. Waits while its claim, a former life's, is yet to be
        adopted: until then whatever is sent is refused."""
        control, claim, gone = self._means.control, self.incident.claimed, "its claim is not held any more"
        if claim is None or control is None:
            return None if claim is None else gone
        why: str | None = None
        while why is None and not control.in_hand(claim):
            if control.own_claim(claim) is None:
                why = gone
            elif (why := self._early()) is None:
                self.trouble = "its claim must be adopted first"
                await asyncio.sleep(LOOK_S)
        self.trouble = ""
        return why

    async def _undo(self, reason: str) -> None:
        """Idempotent, repeated until it is done; what is not ours any more is left alone and named."""
        await self._write_down(reason)
        found: Seen | str = await self._insist(self._undo_once)
        end = left_alone(found) if isinstance(found, Seen) else found
        await self._record(Kind.UNDONE, reason + end)

    async def _write_down(self, reason: str) -> None:
        """Before the first request of an undo that no verdict told of: a crash in its midst leaves it in
        doubt. A journal that cannot be written keeps nothing from being put back."""
        before = self.incident
        if before.phase is Phase.UNDOING or not self._holding.is_fenced:
            return
        try:
            await self._record(Kind.UNDOING, reason)
        except JournalFailed as error:
            if self.incident is not before:  # what failed before was written all the same: look again
                raise
            log.warning("%s: it is put back without being written down: %s", self._id, error)

    async def _undo_once(self) -> Seen | str:
        """What then stands; in words why nothing was undone, where another closed the claim: asked each time,
        since that may happen between one try and the next."""
        await self._holding.ours()
        if (end := self._holding.closed()) is not None:
            return f"; its claim is not ours any more ({end}): left alone"
        if (why := await self._holding.stop_file()) is not None:
            raise Broken(why)
        seen: Seen = await self._action.undo(self._effect, self._holding.ports)
        return seen

    async def _observe(self) -> Seen:
        seen: Seen = await self._action.observe(self._effect, self._holding.ports)
        return seen

    def _tell(self, words: str) -> None:
        self.trouble = words

    async def _insist(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Again and again, slower each time: an effect that stands is never given up."""
        for attempt in range(1_000_000):
            try:
                answer = await self._run(ask())
            except Broken as error:
                if str(error) != self.trouble:
                    log.warning("%s: %s", self._id, error)
                self.trouble = str(error)
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            else:
                self.trouble = ""
                return answer
        raise Broken(self.trouble)

    async def _run(self, work: Awaitable[_Answer]) -> _Answer:
        try:
            return await work
        except Broken:
            raise
        except Exception as error:
            if not str(error):
                log.exception("%s", self._id)
            raise Broken(f"{type(error).__name__}: {error}") from error

    async def _record(self, kind: Kind, reason: str, *, question: str = "") -> None:
        entry = Entry(self._means.clock(), kind, reason, self._id, question=question)
        await self._means.ledger.record(entry)

    async def _release(self) -> None:
        """As it ended; but for what healed and is kept nothing of it stands then."""
        healed = self.incident.verdict is Kind.HEALED
        keeps = healed and spec(type(self._action)).keeps
        undo = None if keeps else lambda: self._insist(self._undo_once)
        await self._holding.give_back("done" if healed else "undone", undo, self._observe)


def _ran() -> float:
    """Ms that this process ran, since any instant."""
    return asyncio.get_running_loop().time() * 1_000


def left_alone(seen: Seen) -> str:
    """What an undo found changed by somebody else, as the end of a sentence; empty where there is nothing."""
    return "".join(
        f"; {c.key} of {c.resource} is {value!r} now, which is not ours: left alone"
        for c, value in seen.theirs
    )


_HANDLERS: Mapping[Phase, Callable[[Carrier], Coroutine[Any, Any, None]]] = {
    Phase.ACTING: Carrier.act,
    Phase.VERIFYING: Carrier.verify,
    Phase.HELD: Carrier.hold,
    Phase.UNDOING: Carrier.put_back,
}
