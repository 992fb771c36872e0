"""Writes what a live session owes the log by itself, one record at a time, and knows when the next is due."""

from __future__ import annotations

import logging

from agent.control.duties import Duty
from agent.control.records import BadRecord
from agent.control.state import State
from agent.control_topic.hearing import Hearing
from agent.control_topic.permission import Permission
from agent.control_topic.ports import NotAccepted, Surroundings
from agent.control_topic.reader import Reader
from agent.control_topic.writer import Writer

_LOG = logging.getLogger(__name__)


class Due:
    """Ends of claims that nobody waits for, adoptions, votes, beats, notes, in this order."""

    def __init__(
        self,
        around: Surroundings,
        hearing: Hearing,
        reader: Reader,
        permission: Permission,
        writer: Writer,
    ) -> None:
        self._reaches = around.reaches
        self._hearing = hearing
        self._duties = hearing.duties
        self._reader = reader
        self._permission = permission
        self._writer = writer

    async def write(self, session: int) -> None:
        """The first that is due, if any. Raises NotAccepted, ControlUnavailable and BadRecord."""
        if self._hearing.ghosts:
            await self._cancel(self._hearing.ghosts.pop())
        elif duty := await self._duty(self._reader.state, session):
            await self._writer.write(*duty)
        elif (line := self._duties.outbox.next_note()) is not None:
            await self._write_note(line)

    def wait(self, session: int, boot: int) -> int:
        """Ms until something is due; not above 0 where it is."""
        state = self._reader.state
        if self._hearing.ghosts or self._duties.outbox.next_note() is not None:
            return 0
        if self._duties.own_left(state, session) is not None:
            return 0
        due = self._duties.due(state, session, self._hearing.member.heard)
        lost = self._duties.restorer.due(state, session, self._permission.lost(), boot)
        return (due if lost is None else min(due, lost)) - boot

    async def _duty(self, state: State, session: int) -> Duty | None:
        """Who does not reach the brokers leaves what others left to whoever does."""
        boot, reaches = self._hearing.boot(), True
        if self._reaches and self._duties.to_adopt(state, session, boot) is not None:
            reaches = await self._reaches()
        boot, lost = self._hearing.boot(), self._permission.lost()
        heard = self._hearing.member.heard
        return self._duties.next(state, session, heard, boot, reaches=reaches, lost=lost)

    async def _cancel(self, ghost: int) -> None:
        if claim := self._reader.state.claims.get(ghost):
            await self._writer.write("release", {"id": ghost, "token": claim.token, "outcome": "cancelled"})

    async def _write_note(self, line: str) -> None:
        accepted = False
        try:
            await self._writer.write("note", {"entry": line})
            accepted = True
        except (NotAccepted, BadRecord) as error:
            _LOG.warning("control topic: a note was dropped: %s", error)
        self._duties.outbox.noted(accepted)
