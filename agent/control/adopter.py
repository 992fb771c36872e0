"""Whose turn it is to adopt an orphan (coordination.md section 4, rule 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.control.claims import ORPHAN, in_order
from agent.control.fold import Verdict
from agent.control.state import Claim, State
from agent.control.witness import RANK_STEP, rank

Able = Callable[[Claim], bool]  # whether this agent could finish or undo what it would adopt
OTHERS = 10_000  # ms that the patient's own host is ahead of the others


def anyone(_: Claim) -> bool:
    """Able to finish whatever there is."""
    return True


def own_orphans(state: State, own: int, able: Able = anyone) -> Iterator[Claim]:
    """What this agent's former life, or its own session in a barrier, left: to be adopted at once."""
    session = state.sessions[own]
    for claim in in_order(state):
        left = claim.state is ORPHAN and claim.holder == session.agent
        if left and claim.host in ("", session.host) and able(claim):
            yield claim


def adopts_after(state: State, claim: Claim, own: int) -> int | None:
    """How many ms after it became an orphan session `own` should adopt it; None: never.

    The patient's own agent comes first, others later and by rank; `host` set: only that one.
    """
    session = state.sessions[own]
    if claim.state is not ORPHAN or claim.host not in ("", session.host):
        return None
    if session.agent in (claim.holder, claim.agent):
        return 0
    return OTHERS + RANK_STEP * rank(state, claim.id, own)


class Adopter:
    """Mutable, without I/O: since when (own boot time in ms) each orphan is one."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}

    def saw(self, verdict: Verdict, boot: int) -> None:
        """One folded record."""
        for move in verdict.moves:
            self._since.pop(move.claim, None)
            if move.after is ORPHAN:
                self._since[move.claim] = boot

    def others_orphans(self, state: State, own: int, boot: int, able: Able = anyone) -> Iterator[Claim]:
        """What others left, where it is session `own`'s turn and it is able to finish it. One with neither
        an effect nor a plan that says where its stamp would stand is left to who made it: what it did, if
        anything, only that agent's journal knows."""
        for claim in in_order(state):
            if claim.state is not ORPHAN:
                continue
            after = adopts_after(state, claim, own)
            since = self._since.setdefault(claim.id, boot)
            known = claim.effect is not None or claim.plan
            if after is not None and known and boot - since >= after and able(claim):
                yield claim
