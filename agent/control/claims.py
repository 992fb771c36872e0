"""The transition table of claims, what has room, and what is granted next (coordination.md 2 and 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from agent.control.state import Claim, ClaimState, Move, State
from agent.control.times import Budget

QUEUED, GRANTED, DIRTY, CLOSED = ClaimState

# Nothing else ever moves a claim; above all, nothing but its holder's release closes a dirty one.
TRANSITIONS: Mapping[tuple[ClaimState, str], ClaimState] = MappingProxyType(
    {
        (QUEUED, "room"): GRANTED,
        (QUEUED, "cancelled"): CLOSED,
        (QUEUED, "session ended"): CLOSED,
        (QUEUED, "problem was handled"): CLOSED,
        (GRANTED, "intent"): DIRTY,
        (GRANTED, "cancelled"): CLOSED,
        (GRANTED, "session ended"): CLOSED,
        (GRANTED, "problem was handled"): CLOSED,
        (DIRTY, "intent"): DIRTY,  # extends the effect
        (DIRTY, "session ended"): DIRTY,  # what may stand in the world keeps its room
        (DIRTY, "joined again"): DIRTY,  # its agent's own anew
        (DIRTY, "done"): CLOSED,
        (DIRTY, "undone"): CLOSED,
    }
)
EXCLUSIVE = Budget(cap=1)
NO_BUDGET = Budget(cap=0)


def move(state: State, claim: Claim, event: str, **changes: Any) -> State:
    """`claim` moved by `event` with `changes` made to it; KeyError where the table has no such row."""
    after = TRANSITIONS[claim.state, event]
    claims = dict(state.claims)
    if after is CLOSED:
        del claims[claim.id]
    else:
        claims[claim.id] = replace(claim, state=after, at=state.time, **changes)
    return replace(
        state, claims=claims, moves=(*state.moves, Move(claim.id, claim.state, after, event, claim.session))
    )


def budget_of(state: State, scope: str) -> Budget:
    """Exclusive scopes: 1. Else the budget of this name, or the longest `prefix/*`; unknown: nothing."""
    if scope.startswith("x:"):
        return EXCLUSIVE
    wild = (name for name in state.budgets if name.endswith("/*") and scope.startswith(name[:-1]))
    name = scope if scope in state.budgets else max(wild, key=len, default="")
    return state.budgets.get(name, NO_BUDGET)


def occupied(claims: Iterable[Claim], *states: ClaimState) -> Counter[str]:
    """How many of these claims in one of `states` hold each scope."""
    return Counter(scope for claim in claims if claim.state in states for scope in claim.scopes)


def rates(state: State, claim: Claim) -> Iterator[tuple[str, int, int]]:
    """The (name, rate, window) that `claim` is held to: its scopes' and its remedy's own."""
    for scope in claim.scopes:
        budget = budget_of(state, scope)
        if budget.rate:
            yield scope, budget.rate, budget.window
    if claim.limit:
        name = f"limit/{claim.limit.name}"
        budget = budget_of(state, name)
        yield name, min(claim.limit.rate, budget.rate or claim.limit.rate), claim.limit.window


def over_rate(state: State, claim: Claim) -> str | None:
    """The rate that one more like `claim` would exceed, in words; what waits or was granted counts too."""
    for name, rate, window in rates(state, claim):
        began = sum(name in names for at, names in state.dirtied if at > state.clock - window)
        waiting = sum(
            name in (held for held, _, _ in rates(state, other))
            for other in state.claims.values()
            if other.id != claim.id and other.state in (QUEUED, GRANTED)
        )
        if began + waiting >= rate:
            return f"{name} allows {rate} in {window // 1_000} s: {began} began, {waiting} wait"
    return None


def schedule(state: State) -> State:
    """Grants what has room, by priority and age; a claim that waits keeps younger ones from what it lacks."""
    queue = [claim for claim in state.claims.values() if claim.state is QUEUED]
    if not queue:
        return state
    taken = occupied(state.claims.values(), GRANTED, DIRTY)
    gone = occupied((c for c in state.claims.values() if c.session not in state.sessions), DIRTY)
    blocked: set[str] = set()
    for claim in sorted(queue, key=lambda c: (c.priority, c.id)):
        full = {scope for scope in claim.scopes if taken[scope] >= budget_of(state, scope).cap}
        lacking = full | blocked.intersection(claim.scopes)
        if not lacking:
            state = move(state, claim, "room", token=state.offset)
            taken.update(claim.scopes)
        elif state.clock - claim.queued >= state.params["age"] and not any(gone[scope] for scope in full):
            blocked.update(claim.scopes)  # no starvation; but who waits for the dead must not stop the living
        else:
            blocked.update(lacking)
    return state
