"""Puts back what an incident's action set: what is not ours any more is left alone, and named."""

from __future__ import annotations

import logging

from agent.daemon.evidence import Evidence
from agent.daemon.holding import Broken, Holding
from agent.daemon.insisting import Insisting
from agent.daemon.standing import Standing
from agent.history import Phase
from agent.journal import JournalFailed
from agent.model import Kind, Seen

log = logging.getLogger(__name__)


class Undoing:
    """The undo of one incident's effect, and the look that tells what of it stands."""

    def __init__(self, one: Standing, holding: Holding, insisting: Insisting, evidence: Evidence) -> None:
        self._one = one
        self._holding = holding
        self._insisting = insisting
        self._evidence = evidence

    async def must_go(self, kind: Kind, why: str) -> None:
        """By that verdict, or, where `kind` is UNDOING, by none. Where that cannot be written it is put back
        all the same, and written then. Raises JournalFailed; whoever carries it next goes on with the same.
        """
        self._evidence.must_go = kind, why
        if kind is Kind.UNDOING:
            await self.undo(why)
        elif not await self._written(kind, why):
            await self._insisting.until_answered(self.once)
            # What failed may have been written all the same, and another's entry have found it meanwhile.
            await self._one.record(kind, why, still=lambda: self._evidence.untold() == (kind, why))

    async def undo(self, reason: str) -> None:
        """Idempotent, repeated until it is done. Raises JournalFailed."""
        await self._write_down(reason)
        found: Seen | str = await self._insisting.until_answered(self.once)
        end = left_alone(found) if isinstance(found, Seen) else found
        await self._one.record(Kind.UNDONE, reason + end)

    async def once(self) -> Seen | str:
        """What then stands; in words why nothing was undone, where another closed the claim: asked each time,
        since that may happen between one try and the next."""
        await self._holding.ours()
        if (end := self._holding.closed()) is not None:
            return f"; its claim is not ours any more ({end}): left alone"
        if (why := await self._holding.stop_file()) is not None:
            raise Broken(why)
        seen: Seen = await self._one.action.undo(self._one.effect, self._holding.ports)
        return seen

    async def observe(self) -> Seen:
        """What of it stands now."""
        seen: Seen = await self._one.action.observe(self._one.effect, self._holding.ports)
        return seen

    async def _write_down(self, reason: str) -> None:
        """Before the first request of an undo that no verdict told of: a crash in its midst leaves it in
        doubt."""
        if self._one.incident.phase is not Phase.UNDOING and self._holding.is_fenced:
            await self._written(Kind.UNDOING, reason)

    async def _written(self, kind: Kind, reason: str) -> bool:
        """False where the journal cannot be written, which keeps nothing from being put back."""
        before = self._one.incident
        try:
            await self._one.record(kind, reason)
        except JournalFailed as error:
            if self._one.incident is not before:  # what failed before was written all the same: look again
                raise
            log.warning("%s: it is put back without being written down: %s", self._one.id, error)
            return False
        return True


def left_alone(seen: Seen) -> str:
    """What an undo found changed by somebody else, as the end of a sentence; empty where there is nothing."""
    return "".join(
        f"; {c.key} of {c.resource} is {value!r} now, which is not ours: left alone"
        for c, value in seen.theirs
    )
