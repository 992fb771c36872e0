"""Who is granted next (coordination.md section 3, `schedule`), and whether that may have changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from agent.control.budgets import OCCUPYING, budget_of, held, occupied
from agent.control.claims import ORPHAN, QUEUED, STUCK, move
from agent.control.open_claims import OpenClaims, counted
from agent.control.pauses import paused
from agent.control.state import Claim, State


def schedule(before: State, state: State) -> State:
    """Grants what has room, by priority and age; `before` is the state before this record, scheduled."""
    if not state.claims or state.barrier or state.clock < state.settled_at or not _may_differ(before, state):
        return state
    queue = [c for c in _candidates(before, state) if c.state is QUEUED and not _stopped(state, c)]
    if not queue:
        return state
    taken, claims = _holding(state, queue), counted(state.claims)
    blocked: set[str] = set()
    for claim in sorted(queue, key=lambda c: (c.priority, c.id)):
        full = {scope for scope in claim.scopes if taken[scope] >= budget_of(state, scope).cap}
        lacking = full | blocked.intersection(claim.scopes)
        if not lacking:
            state = move(state, claim, "room", token=state.offset)
            taken.update(claim.scopes)
        elif state.clock - claim.queued >= state.params["age"] and not _left_behind(claims, full):
            blocked.update(claim.scopes)  # no starvation; but who waits for the dead must not stop the living
        else:
            blocked.update(lacking)
    return state


def _stopped(state: State, claim: Claim) -> bool:
    """A person lets it not begin, by a pause or a cap of 0: it waits for them, and nobody waits for it."""
    return paused(state, claim) is not None or any(budget_of(state, s).cap == 0 for s in claim.scopes)


def _candidates(before: State, state: State) -> Iterable[Claim]:
    """Those that may be granted now. Where all that changed is that one claim came, only that one, if nobody
    else waits for a scope of its; for the others less is free than before."""
    if len(state.moves) == 1 and not _rules_differ(before, state):
        (only,) = state.moves
        new = state.claims.get(only.claim)
        if new is not None and (only.before, only.after) == (None, QUEUED):
            claims = counted(state.claims)
            alone = all(claims.with_scope(QUEUED, scope) == 1 for scope in new.scopes)
            if alone or any(_is_full(state, scope) for scope in new.scopes):
                return (new,)
    return state.claims.values()


def _holding(state: State, queue: Sequence[Claim]) -> Counter[str]:
    """How many claims occupy each scope that somebody in the queue waits for."""
    if len(queue) > 1:
        return occupied(state.claims.values(), *OCCUPYING)
    return Counter({scope: held(state, scope, OCCUPYING) for scope in queue[0].scopes})


def _left_behind(claims: OpenClaims, scopes: Iterable[str]) -> bool:
    """Whether one of these scopes is held by an orphan, or by what is stuck."""
    return any(claims.with_scope(ORPHAN, scope) or claims.with_scope(STUCK, scope) for scope in scopes)


def _is_full(state: State, scope: str) -> bool:
    return held(state, scope, OCCUPYING) >= budget_of(state, scope).cap


def _may_differ(before: State, state: State) -> bool:
    """Whether anything that a grant depends on changed."""
    return before.claims is not state.claims or _rules_differ(before, state)


def _rules_differ(before: State, state: State) -> bool:
    """Whether anything else than claims did. Time alone only blocks more, but for these ends."""
    if not (
        before.budgets is state.budgets
        and before.pauses is state.pauses
        and before.barrier is state.barrier
        and before.params is state.params
    ):
        return True
    ends = (state.settled_at, *(pause.until for pause in state.pauses.values()))
    return any(before.clock < end <= state.clock for end in ends)
