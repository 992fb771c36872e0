"""Closes claims of this agent that nothing of it holds: those of a former life, those not given back in time,
and those that it adopted because their holder died."""

from __future__ import annotations

import asyncio
import logging

from agent.actions import Stopped
from agent.control.past import Identity, identity
from agent.control.records import BadRecord
from agent.control_topic import Claim, ClaimState, ControlTopic, ControlUnavailable, NotAccepted
from agent.daemon.adoption import Adoption
from agent.daemon.means import Means
from agent.history import Incident
from agent.kafka.errors import KafkaError
from agent.model import Entry, Kind
from agent.wire import BadEntry, encode_effect

log = logging.getLogger(__name__)
LOOK_S = 1.0
LOOKS = 3  # a claim that nobody holds may just be changing hands


class Sweep:
    """Looks at the own claims, and closes each in a task of its own: it may wait for its effect to settle."""

    def __init__(self, means: Means, control: ControlTopic) -> None:
        self._means = means
        self._control = control
        self._unheld: dict[Identity, int] = {}  # claim → how many looks in a row found nobody holding it
        self._closing: dict[Identity, asyncio.Task[None]] = {}
        self._adoptions: dict[int, Adoption] = {}  # by token
        self._told: dict[Identity, str] = {}  # what keeps each from being closed: said once
        control.adopts_where(self._is_able)

    async def run(self) -> None:
        """For ever: a claim holds its budget until it is closed, so this is never given up."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                if not self._control.degraded and self._control.caught_up:
                    self._look()
                for task in [task for task in self._closing.values() if task.done()]:
                    task.result()  # a journal that failed: the ledger shows it, and the sweep begins anew
                self._closing = {n: task for n, task in self._closing.items() if not task.done()}
        finally:
            for task in self._closing.values():
                task.cancel()
            await asyncio.gather(*self._closing.values(), return_exceptions=True)

    def _look(self) -> None:
        own = self._control.own_claims().values()  # an orphan is adopted before anybody closes it
        open_ = [claim for claim in own if claim.state is not ClaimState.ORPHAN]
        unheld = {identity(claim): claim for claim in open_ if not self._held(claim)}
        tokens = {claim.token for claim in unheld.values()}
        self._adoptions = {token: one for token, one in self._adoptions.items() if token in tokens}
        self._unheld = {name: self._unheld.get(name, 0) + 1 for name in unheld}
        renamed = map(self._control.own_claim, self._closing)  # by a join, since it is being closed
        closing = {claim.id for claim in renamed if claim is not None}
        for name, looks in self._unheld.items():
            claim = unheld[name]
            if (looks >= LOOKS or claim.adoptions) and claim.id not in closing:
                work = self._close(name, claim)
                self._closing[name] = asyncio.create_task(work, name=f"closing of claim {claim.id}")

    def _held(self, claim: Claim) -> bool:
        standing = self._means.ledger.history.standing()
        held = (i.claimed for i in standing if i.claimed is not None)
        return any(self._control.is_called(claim, name) for name in (*self._means.claims, *held))

    async def _close(self, name: Identity, claim: Claim) -> None:
        number = claim.id
        try:
            words, outcome = await self._end(claim)
            await self._control.release(name, outcome)
        except (KafkaError, Stopped, OSError, BadEntry, BadRecord, NotAccepted, ControlUnavailable) as error:
            self._tell(claim, f"claim {number} is not closed yet: {error}")
            return
        self._told.pop(name, None)
        entry = Entry(self._means.clock(), Kind.AGENT, f"claim {number} closed: {words}")
        await self._means.ledger.record(entry)

    async def _end(self, claim: Claim) -> tuple[str, str]:
        """Why it may be closed, and its outcome. Not dirty: cancelled. Else as its incident ended, once
        nothing of it can land any more, since who carried it may have left it in doubt. Unknown: undone from
        its intent's effect; where that went with a lost tail (it only waited when its session ended in a
        barrier), from what the journal or the lost log had, or by its stamp."""
        known = self._latest(claim)
        if claim.state is not ClaimState.DIRTY:
            return "nothing was begun under it", "cancelled"
        if claim.token not in self._adoptions:  # what is tried again need not settle again
            self._adoptions[claim.token] = self._adoption(claim, known)
        return await self._adoptions[claim.token].finish(known)

    def _adoption(self, claim: Claim, known: Incident | None) -> Adoption:
        """Raises BadEntry where this agent cannot finish it."""
        effect = claim.effect or self._effect_of(known) or self._control.lost_effect(claim)
        return Adoption(self._means, self._control, claim, effect)

    def _is_able(self, claim: Claim) -> bool:
        """Before it is adopted: who holds what it cannot finish keeps peers and people from closing it."""
        try:
            self._adoption(claim, self._latest(claim))
        except BadEntry as error:
            self._tell(claim, f"claim {claim.id} of {claim.agent} is not adopted here: {error}")
            return False
        return True

    def _tell(self, claim: Claim, words: str) -> None:
        name = identity(claim)
        if self._told.get(name) != words:
            log.warning("%s", words)
        self._told[name] = words

    @staticmethod
    def _effect_of(known: Incident | None) -> str | None:
        return encode_effect(known.effect) if known and known.effect else None

    def _latest(self, claim: Claim) -> Incident | None:
        incidents = self._means.ledger.history.incidents.values()
        known = [i for i in incidents if i.claimed and self._control.is_called(claim, i.claimed)]
        return known[-1] if known else None


async def sweep_claims(means: Means, control: ControlTopic) -> None:
    """For ever."""
    await Sweep(means, control).run()
