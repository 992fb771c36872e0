"""Until when effects may start, by the own boot time (coordination.md section 4, rule 2), and what else keeps
an effect from starting that the log knows (rule 4)."""

from __future__ import annotations

from agent.control.budgets import STANDING, budget_of, occupied
from agent.control.claims import DIRTY
from agent.control.fold import Verdict
from agent.control.pauses import paused
from agent.control.state import Claim, State


class Hold:
    """Mutable, without I/O. The hold ends H after the creation of the newest own record that was seen
    accepted while no barrier stood: peers count W from a later instant, and H is the shorter one."""

    def __init__(self) -> None:
        self._created: dict[tuple[int, int], int] = {}  # (session, n) → own boot time, of what is under way
        self.since: int | None = None  # creation of that record

    def created(self, session: int, n: int, boot: int) -> None:
        """An own record is about to be written."""
        self._created[session, n] = boot

    def saw(self, state: State, verdict: Verdict, session: int | None) -> None:
        """One folded record and the state after it; `session` is the own one."""
        record = verdict.record
        if record is None or record.s != session or record.s < 0:
            return
        created = self._created.get((record.s, record.n))
        self._created = {key: at for key, at in self._created.items() if key[1] > record.n}
        if created is not None and verdict.void is None and not state.barrier:
            self.since = created if self.since is None else max(self.since, created)

    def drop(self) -> None:
        """The session ended: nothing may start."""
        self._created.clear()
        self.since = None

    def until(self, state: State) -> int | None:
        """Own boot time at which the hold ends; None where there is none."""
        return None if self.since is None or not state.log else self.since + state.params["h"]


def objection(
    state: State, claim_id: int, session: int | None, hold: int | None, boot: int, *, undo: bool = False
) -> str | None:
    """Why no effect of this claim may start now, in words; `hold` is the end of the hold time.

    What undoes the claim's own effect takes nothing: no pause and no lowered cap stops it.
    """
    claim = state.claims.get(claim_id)
    if claim is None or claim.session != session or claim.state is not DIRTY:
        return "the claim is not this agent's any more"
    if hold is None or boot >= hold:
        return "the hold time is over: no own record was accepted in time"
    if state.barrier:
        return "the leader changed, and not all agents have been heard since"
    return None if undo else _no_more(state, claim)


def _no_more(state: State, claim: Claim) -> str | None:
    """What keeps a claim from taking more: a pause, or a cap that was lowered since."""
    if selector := paused(state, claim):
        return f"{selector} is paused by {state.pauses[selector].by}: {state.pauses[selector].reason}"
    standing = occupied(state.claims.values(), *STANDING)
    full = next((s for s in claim.scopes if standing[s] > budget_of(state, s).cap), None)
    return f"{full} has no room any more: {standing[full]} hold it" if full else None
