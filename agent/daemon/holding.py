"""The claim of one incident while something of it may stand: by what it writes, and when it is given back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from agent.actions import Ports, spec
from agent.control.state import ClaimState
from agent.control.words import claim_name
from agent.control_topic import ControlTopic, ControlUnavailable, NotAccepted
from agent.daemon.fence import ClaimWrites
from agent.daemon.last_look import before_undo, last_look, still_fires, stop_file
from agent.daemon.means import Means
from agent.daemon.settling import settle
from agent.daemon.world_guard import Elsewhere, elsewhere, objection
from agent.history import Incident, Phase
from agent.model import Boot, Seen

log = logging.getLogger(__name__)
Observe = Callable[[], Awaitable[Seen]]
Undo = Callable[[], Awaitable[object]]


class Broken(Exception):
    """An action's own code failed, or its claim keeps it from going on; the text says how."""


class Holding:
    """One incident's claim; without a claim, or without a fence, its effects are sent as they are.

    `told` hears what it waits for, in words; empty once it waits no more.
    """

    def __init__(self, means: Means, incident: Callable[[], Incident], told: Callable[[str], None]) -> None:
        self._means = means
        self._incident = incident
        self._told = told
        self._resumed = False
        self._writes: ClaimWrites | None = None
        self._elsewhere: Elsewhere | None = None
        self.ports: Ports = means.ports

    def begin(self, *, resumed: bool, unwritten: bool = False) -> None:
        """Once the incident is carried; `resumed`: it was begun by a former life or carrier, which may have
        ended with a request under way, as one of an undo that is `unwritten`."""
        means, one = self._means, self._incident()
        if one.claimed is None or means.fence is None:
            return
        self._resumed = resumed
        self._writes = ClaimWrites(means.fence, one.claimed, means.ports.node_id)
        self.ports = self._writes.ports(means.ports, self._look, self._look_back)
        if resumed and (unwritten or in_its_midst(one, means.clock(), means.boot())):
            self._writes.suspect()

    @property
    def may_have_begun(self) -> bool:
        """Whether something was sent; without a fence, and of a former life, nobody knows."""
        return self._resumed or self._writes is None or self._writes.begun

    @property
    def is_fenced(self) -> bool:
        """Whether what it sends is fenced, and so may be in doubt."""
        return self._writes is not None

    async def look_around(self) -> None:
        """What the world guard goes by, where the first effect is yet to come."""
        if self._writes is not None and not self._resumed:
            sign = spec(type(self._means.actions[self._incident().decision.do])).sign
            self._elsewhere = await elsewhere(self._means.ports, sign)

    @property
    def unseen(self) -> str:
        """Which brokers the world guard had to leave out, as the end of a sentence."""
        silent = self._elsewhere.silent if self._elsewhere else ""
        return f"; the world guard: {silent}" if silent else ""

    async def stop_file(self) -> str | None:
        """The stop file in words: it stops an undo, too."""
        return await stop_file(self._means)

    def not_begun(self) -> str | None:
        """Why nothing was sent at all, where the last look, or the log, kept it from that."""
        return self._writes.refused or None if self._writes and not self.may_have_begun else None

    async def ours(self) -> None:
        """Waits for the log to say so, or that it cannot. Raises Broken while another has the claim: who has
        adopted it undoes it, and nobody else touches anything meanwhile (rule 6); or while it is stuck."""
        if (control := self._fenced_by()) is None:
            return
        await control.joined()
        claim = self._incident().claimed or -1
        other = None if control.degraded else control.claim_called(claim)
        if other is not None and other.state is ClaimState.STUCK:
            by_hand = f"put right what stands, then ottla fleet resolve {claim_name(other.id)} --reason WHY"
            raise Broken(f"its claim is stuck, no agent undoes it any more: {by_hand}")
        if other is not None and control.own_claim(claim) is None:
            raise Broken(f"{other.holder or other.agent} has its claim, and closes it: {other.state}")

    def closed(self) -> str | None:
        """How the claim ended, where the log can be read and has it open no more; None where it may be."""
        control, claim = self._fenced_by(), self._incident().claimed or -1
        if control is None or control.degraded or not control.caught_up:
            return None
        return control.end_of(claim) if control.claim_called(claim) is None else None

    async def give_back(self, outcome: str, undo: Undo | None, observe: Observe) -> None:
        """Releases the claim once nothing of it can land any more (rule 5). What landed late is put back by
        `undo`; None where it may stand."""
        control, claim = self._means.control, self._incident().claimed
        if claim is None or control is None:
            return
        self._means.claims.add(claim)  # its incident has ended, and yet no sweep may close it
        try:
            await self._settled(undo, observe)
            await control.release(claim, outcome)
        except (NotAccepted, ControlUnavailable) as error:
            one = self._incident()
            log.info("%s: claim %s is left to the sweep: %s", one.id, one.claim, error)
        finally:
            self._means.claims.discard(claim)

    async def _settled(self, undo: Undo | None, observe: Observe) -> None:
        while (fence := self._means.fence) and self._writes and (sent := self._writes.doubt):
            if self.closed() is not None:
                break
            await settle(fence, sent, observe, self._told)
            self._writes.settled(sent)
            if undo is not None:  # whatever is seen: a copy under way is not `ours` before it is swapped
                await undo()
        self._told("")

    def _fenced_by(self) -> ControlTopic | None:
        return self._means.control if self._writes else None

    async def _look_back(self) -> str | None:
        return await before_undo(self._means, self._incident().effect)

    async def _look(self) -> str | None:
        """The last look before one more effect; the first one wants the symptom, too."""
        means, one = self._means, self._incident()
        begun = self.may_have_begun
        if not begun and not still_fires(means, one.decision):
            return "the alert ended before anything was done"
        refusal = await last_look(means, one, begun=begun)
        if refusal is None and not begun:
            refusal = objection(means.control, one.claimed or -1, self._elsewhere)
        return f"{refusal.question}: {refusal.reason}" if refusal else None


def in_its_midst(one: Incident, now: int, boot: Boot) -> bool:
    """Whether a former life may have had a request under way. That something is set or put back is written
    down before; the latter not where the journal could not be written, and then a lease that may have ended
    tells, whatever the wall clock was set to."""
    ended = one.phase is Phase.HELD if one.until is None else _may_have_ended(one, now, boot)
    return ended or one.phase in (Phase.ACTING, Phase.UNDOING)


def _may_have_ended(one: Incident, now: int, boot: Boot) -> bool:
    passed = one.boot.passed(boot) if one.boot is not None else None
    if passed is None or one.until is None or one.started_at is None:
        return True
    return max(now - one.started_at, passed) >= one.until - one.started_at
