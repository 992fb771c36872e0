"""Who was silent for how long by this agent's own clock, and when it votes (coordination.md 4, rule 7).

Boot time counts only while the log advanced: between two accepted records not more than two beats apart. A
log that stood still, or a process that slept, makes nobody silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from agent.control.digests import sha256
from agent.control.fold import Verdict
from agent.control.session_rules import ALONE
from agent.control.sessions import silence
from agent.control.state import Session, State
from agent.control.times import beat_pause

RANK_STEP = 500  # ms between the votes of two witnesses
_ENDS = frozenset({"join", "leave", "expire"})  # what may end a session


class Vote(Struct, frozen=True):
    """The body of an `expire` record that is due."""

    session: int
    last: int
    waited: int

    def body(self) -> dict[str, object]:
        """As it is written."""
        return {"session": self.session, "last": self.last, "waited": self.waited}


class Witness:
    """Mutable, without I/O; `boot` is the own boot time in ms."""

    def __init__(self) -> None:
        self._advanced = 0  # ms of own boot time during which the log advanced
        self._heard_at: int | None = None  # own boot time of the last accepted record
        self._since: dict[int, int] = {}  # session → `_advanced` at its last record, the oldest first

    def saw(self, state: State, verdict: Verdict, boot: int) -> None:
        """One folded record and the state after it."""
        record = verdict.record
        if record is None or verdict.void is not None:
            return
        if self._heard_at is None:  # who is live in a snapshot was heard, as far as this agent can tell, now
            self._since = dict.fromkeys(sorted(state.sessions), 0)
        elif state.log:
            gap = boot - self._heard_at
            most = 2 * beat_pause(state.params, len(state.sessions), busy=False)
            self._advanced += gap if gap <= most else 0
        self._heard_at = boot
        session = state.offset if record.t == "join" else record.s
        self._since.pop(session, None)
        if session in state.sessions:
            self._since[session] = self._advanced
        if record.t in _ENDS:
            self._since = {s: since for s, since in self._since.items() if s in state.sessions}

    def votes(self, state: State, own: int) -> Iterator[Vote]:
        """What session `own` should write now."""
        for session, since in self._since.items():
            waited = self._advanced - since
            if not state.log or waited < min(state.params["w"], state.params["w_idle"]):
                return  # all that follow were heard later
            target = state.sessions.get(session)
            if target is not None and session != own and _due(state, target, own, waited):
                yield Vote(session, target.last, waited)


def _due(state: State, target: Session, own: int, waited: int) -> bool:
    """W and 1 %, and this witness's turn; once it voted, again only when its word alone suffices."""
    w = silence(state, target)
    patience = w + (w + 99) // 100
    if state.sessions[own].agent in target.votes:
        return waited >= ALONE * w + (w + 99) // 100
    return waited >= patience and waited >= patience + RANK_STEP * rank(state, target.id, own)


def rank(state: State, of: int, own: int) -> int:
    """The ordinal of session `own` by hash among the live ones but `of`: no herd."""
    mine = _hash(of, own)
    return sum(_hash(of, other) < mine for other in state.sessions if other not in (of, own))


def _hash(of: int, session: int) -> str:
    return sha256(f"{of}/{session}")
