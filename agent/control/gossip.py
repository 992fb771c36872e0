"""What the live agents last said of themselves; kept beside the state, and no part of its digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.control.fold import Verdict
from agent.control.state import State


@dataclass(frozen=True, slots=True)
class Peer:
    """Another live agent. `at` is the append time of its last accepted record."""

    at: int
    firing: tuple[str, ...]
    status: str


class Gossip:
    """The last beat of each live session."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[tuple[str, ...], str]] = {}

    def saw(self, state: State, verdict: Verdict) -> None:
        """One folded record and the state after it."""
        record = verdict.record
        if record is None or verdict.void is not None:
            return
        if record.t == "beat":
            self._said[record.s] = tuple(record.x["firing"]), record.x["status"]
        elif len(self._said) > len(state.sessions):
            self._said = {s: said for s, said in self._said.items() if s in state.sessions}

    def said(self, session: int) -> tuple[tuple[str, ...], str]:
        """What fires there and its status, as its last beat told."""
        return self._said.get(session, ((), ""))

    def peers(self, state: State, own: str) -> Mapping[str, Peer]:
        """Every live agent but `own`, by name."""
        return {s.agent: Peer(s.heard, *self.said(s.id)) for s in state.sessions.values() if s.agent != own}
