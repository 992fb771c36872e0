"""Who is granted next (coordination.md section 3, `schedule`), and whether that may have changed."""

from __future__ import annotations

from agent.control.budgets import OCCUPYING, budget_of, occupied
from agent.control.claims import ORPHAN, QUEUED, STUCK, move
from agent.control.pauses import paused
from agent.control.state import State


def schedule(before: State, state: State) -> State:
    """Grants what has room, by priority and age; `before` is the state before this record, scheduled."""
    if not state.claims or state.barrier or state.clock < state.settled_at or not _may_differ(before, state):
        return state
    queue = [c for c in state.claims.values() if c.state is QUEUED and not paused(state, c)]
    taken = occupied(state.claims.values(), *OCCUPYING)
    left = occupied(state.claims.values(), ORPHAN, STUCK)
    blocked: set[str] = set()
    for claim in sorted(queue, key=lambda c: (c.priority, c.id)):
        full = {scope for scope in claim.scopes if taken[scope] >= budget_of(state, scope).cap}
        lacking = full | blocked.intersection(claim.scopes)
        if not lacking:
            state = move(state, claim, "room", token=state.offset)
            taken.update(claim.scopes)
        elif state.clock - claim.queued >= state.params["age"] and not any(left[scope] for scope in full):
            blocked.update(claim.scopes)  # no starvation; but who waits for the dead must not stop the living
        else:
            blocked.update(lacking)
    return state


def _may_differ(before: State, state: State) -> bool:
    """Whether anything that a grant depends on changed. Time alone only blocks more, but for these ends."""
    if not (
        before.claims is state.claims
        and before.budgets is state.budgets
        and before.pauses is state.pauses
        and before.barrier is state.barrier
        and before.params is state.params
    ):
        return True
    ends = (state.settled_at, *(pause.until for pause in state.pauses.values()))
    return any(before.clock < end <= state.clock for end in ends)
