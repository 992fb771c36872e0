"""Whether peers come to the same state (coordination.md section 4, rule 12; section 6, joining)."""

from __future__ import annotations

from agent.control.admission import OTHER_HISTORY
from agent.control.digests import digest_at
from agent.control.fold import Verdict
from agent.control.state import State

CONFIRMED = 2  # peers whose stamps must have agreed before this agent acts
STAMPS = 3  # in a row that differ: one may have been under way while a tail was lost


class Agreement:
    """Mutable, without I/O: which peers' stamps, written since this agent's join, agreed with its digests."""

    def __init__(self) -> None:
        self._agreed: set[str] = set()
        self._differing: dict[str, int] = {}  # peer → how many stamps in a row

    def saw(self, state: State, verdict: Verdict, own: str, session: int | None) -> None:
        """One folded record and the state after it; `session` is the own one."""
        record = verdict.record
        if self._differing:  # who is gone keeps nobody from acting
            live = {s.agent for s in state.sessions.values()}
            self._differing = {peer: times for peer, times in self._differing.items() if peer in live}
        if record is None or record.a == own or session is None or record.b < session:
            return
        if verdict.void is None:
            self._agreed.add(record.a)
            self._differing.pop(record.a, None)
        elif verdict.void == OTHER_HISTORY and record.s in state.sessions and record.b >= state.epoch_start:
            if digest_at(state.digests, state.offset, record.b) is None:
                return  # a copy of long ago, or of what is yet to come: nobody can tell how it was stamped
            self._differing[record.a] = self._differing.get(record.a, 0) + 1

    def drop(self) -> None:
        """The session ended, or the log is folded again."""
        self._agreed.clear()
        self._differing.clear()

    def agrees(self, peer: str) -> bool:
        """Whether its stamps were seen to agree since this agent's join."""
        return peer in self._agreed

    def differs(self) -> str | None:
        """Which peer folds to another state, again and again; None while nobody does."""
        return next((peer for peer, times in sorted(self._differing.items()) if times >= STAMPS), None)

    def differing(self) -> str | None:
        """The same in words."""
        peer = self.differs()
        return f"{peer} comes to another state from the same log: one of us is wrong" if peer else None

    def missing(self, state: State, own: str) -> str | None:
        """Why this agent does not act yet: two peers must agree, or the one that there is, or nobody if alone
        (the log was folded from its start, or from a snapshot that others or the own journal confirmed)."""
        peers = {s.agent for s in state.sessions.values()} - {own}
        lacking = min(CONFIRMED, len(peers)) - len(self._agreed & peers)
        return f"{lacking} more peers must be seen to agree on the log" if lacking > 0 else None
