"""Keeps durably what must outlive a lost log (coordination.md section 4, rules 1 and 11)."""

from __future__ import annotations

import asyncio
import logging

from msgspec.structs import replace

from agent.control.carried import (
    Carried,
    carried,
    is_lost,
    lost_changes,
    owing,
    pack,
    told,
    unpack,
)
from agent.control.fold import Verdict
from agent.control.former import Followed, followed
from agent.control.state import State
from agent.control_topic.ports import ControlUnavailable, Memory

_LOG = logging.getLogger(__name__)


class Keeping:
    """What is kept, and whether that is all. Without a memory it lives as long as we do."""

    def __init__(self, memory: Memory | None, agent: str) -> None:
        self.kept = Carried()
        self._memory = memory
        self._agent = agent
        self._stale = True
        self._followed: Followed | None = None
        self._saving = asyncio.Lock()
        self._telling = False  # a join is under way that tells what is owed, and its log was not lost since
        self._there: str | None = None  # the digest at the kept offset, in the log as it was folded

    async def load(self) -> None:
        """What a former life kept. Raises ControlUnavailable."""
        try:
            self.kept = unpack(await self._memory.load() if self._memory else None)
        except OSError as error:
            raise ControlUnavailable(f"what this agent kept of the log cannot be read: {error}") from error

    def saw(self, state: State, verdict: Verdict) -> None:
        """A folded record, and the state after it: what moved a claim, or a person ordered, is worth keeping;
        and that this agent came to the same state as a snapshot, by which it may start from it alone."""
        if state.offset == self.kept.offset:
            self._there = state.digest
        record = verdict.record
        telling = record is not None and ("expect" in record.x or record.t == "snapshot")
        self._stale |= bool(verdict.moves) or (telling and verdict.void is None)

    def stranger(self, state: State) -> str | None:
        """Why this agent does nothing at all with a log: it belongs to another one."""
        pinned = self.kept.log
        if not pinned or pinned in (state.log, state.after):
            return None
        return (
            f"this agent belongs to the log {pinned}, and the topic's is {state.log or 'not born'}: "
            f"let a person say that it replaces it (ottla control init --after {pinned})"
        )

    async def join(self, state: State) -> Carried:
        """What the next join must tell: durable before it is told. Raises ControlUnavailable."""
        async with self._saving:
            if (owed := self._owed_in(state)) is not self.kept:
                await self._save(owed)
            self._telling = True
            return self.kept

    def _owed_in(self, state: State) -> Carried:
        """What is kept; owed where this log is another one, shorter or of another history."""
        another = bool(self.kept.log) and self.kept.log != state.log
        lost = not self.kept.owed and (another or is_lost(self.kept, state, self._there))
        return owing(self.kept) if lost else self.kept

    def gone(self, state: State, newest: int | None, boot: int) -> None:
        """The log is gone; `newest` as `followed` has it."""
        self._followed = followed(state, self._agent, self.kept.followed, newest, boot)

    async def losing(self, state: State, *, foreign: bool = False) -> None:
        """The state is about to be dropped. A log that was not read as far as a former life had read it knows
        less than what is kept; one that is not this agent's (`foreign`: it is another cluster's) nothing at
        all: what is kept is of its own, and so is the pin. Raises ControlUnavailable."""
        self._telling = False
        if foreign or (state.log and self.stranger(state)):
            return
        async with self._saving:
            if state.log and (state.log != self.kept.log or state.offset >= self.kept.offset):
                lost = owing(carried(state, self._agent, self._owed_in(state)))
                await self._save(replace(lost, followed=self._followed) if self._followed else lost)
            elif self.kept.log:
                await self._save(owing(self.kept))
            self._there = None

    async def joined(self, state: State) -> None:
        """A join that carried it was accepted: no other one owes it any more, unless that went with the log's
        tail before this was called. Raises ControlUnavailable."""
        async with self._saving:
            if not self._telling:
                return
            for name in lost_changes(self.kept, state) if self.kept.owed else ():
                _LOG.warning("control topic: an operator's change was lost with its tail: %s", name)
            await self._save(carried(state, self._agent, told(self.kept, state, self._agent)))

    async def keep(self, state: State) -> None:
        """Saves what is stale. Raises ControlUnavailable."""
        async with self._saving:
            if self._stale:
                await self._save(carried(state, self._agent, self.kept))

    async def _save(self, kept: Carried) -> None:
        self._stale = False
        try:
            if self._memory:
                await self._memory.save(pack(kept))
        except OSError as error:
            self._stale = True
            raise ControlUnavailable(f"what must outlive the log cannot be kept: {error}") from error
        if kept.offset != self.kept.offset:
            self._there = kept.digest  # all that is kept is of the log that is read
        self.kept = kept
