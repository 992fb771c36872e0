"""What has room: caps, rates and who occupies what (coordination.md section 2, "Scopes")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from agent.control.state import Claim, ClaimState, State
from agent.control.times import Budget

EXCLUSIVE = Budget(cap=1)
NO_BUDGET = Budget(cap=0)
# What stands in the world, or may; a granted claim has a place kept free for it besides.
STANDING = (ClaimState.DIRTY, ClaimState.ORPHAN, ClaimState.STUCK)
OCCUPYING = (ClaimState.GRANTED, *STANDING)
WAITING = (ClaimState.QUEUED, ClaimState.GRANTED)


def budget_of(state: State, scope: str) -> Budget:
    """Exclusive scopes: 1. Else the budget of this name, or the longest `prefix/*`; unknown: nothing."""
    if scope.startswith("x:"):
        return EXCLUSIVE
    if scope in state.budgets:
        return state.budgets[scope]
    wild = (name for name in state.budgets if name.endswith("/*") and scope.startswith(name[:-1]))
    return state.budgets.get(max(wild, key=len, default=""), NO_BUDGET)


def occupied(claims: Iterable[Claim], *states: ClaimState) -> Counter[str]:
    """How many of these claims in one of `states` hold each scope."""
    return Counter(scope for claim in claims if claim.state in states for scope in claim.scopes)


def over_cap(state: State, claim: Claim) -> str | None:
    """The scope whose cap in force leaves no room for `claim` beside what others may have in the world."""
    others = (c for c in state.claims.values() if c.id != claim.id)
    standing = occupied(others, *STANDING)
    return next((s for s in claim.scopes if standing[s] + 1 > budget_of(state, s).cap), None)


def rates(state: State, claim: Claim) -> Iterator[tuple[str, int, int]]:
    """The (name, rate, window) that `claim` is held to: its scopes', and its remedy's own with whatever a
    budget record says of that; where there are both, the lower one decides."""
    for scope in claim.scopes:
        budget = budget_of(state, scope)
        if budget.rate:
            yield scope, budget.rate, budget.window
    if claim.limit:
        name = _limited(claim)
        yield name, claim.limit.rate, claim.limit.window
        budget = budget_of(state, name)
        if budget.rate:
            yield name, budget.rate, budget.window


def _limited(claim: Claim) -> str:
    return f"limit/{claim.limit.name}" if claim.limit else ""


def rated_names(state: State, claim: Claim) -> tuple[str, ...]:
    """What must be remembered of it once it became dirty."""
    return tuple(dict.fromkeys(name for name, _, _ in rates(state, claim)))


def over_rate(state: State, claim: Claim) -> str | None:
    """The rate that one more like `claim` would exceed, in words; what waits or was granted counts too."""
    for name, rate, window in rates(state, claim):
        began = [b.at for b in state.began if name in b.names and b.at > state.clock - window]
        waiting = sum(
            name in other.scopes or name == _limited(other)
            for other in state.claims.values()
            if other.id != claim.id and other.state in WAITING
        )
        if len(began) + waiting >= rate:
            free = f", one is free in {(began[0] + window - state.clock) // 1_000} s" if began else ""
            told = f"{len(began)} began, {waiting} wait{free}"
            return f"{name} allows {rate} in {window // 1_000} s: {told}"
    return None
