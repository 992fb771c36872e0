"""What has room: caps, rates and who occupies what (coordination.md section 2, "Scopes")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from agent.control.lapsing import beginnings
from agent.control.open_claims import LIMIT, counted, limit_of
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
    own = state.claims.get(claim.id)
    for scope in claim.scopes:
        standing = held(state, scope, STANDING)
        if own is not None and own.state in STANDING:
            standing -= own.scopes.count(scope)
        if standing + 1 > budget_of(state, scope).cap:
            return scope
    return None


def held(state: State, scope: str, states: Iterable[ClaimState]) -> int:
    """How many open claims in one of `states` hold the scope."""
    claims = counted(state.claims)
    return sum([claims.with_scope(each, scope) for each in states])


def rates(state: State, claim: Claim) -> Iterator[tuple[str, int, int]]:
    """The (name, rate, window) that `claim` is held to: its scopes', and its remedy's own with whatever a
    budget record says of that; where there are both, the lower one decides."""
    for scope in claim.scopes:
        budget = budget_of(state, scope)
        if budget.rate:
            yield scope, budget.rate, budget.window
    if claim.limit:
        name = limit_of(claim)
        yield name, claim.limit.rate, claim.limit.window
        budget = budget_of(state, name)
        if budget.rate:
            yield name, budget.rate, budget.window


def counted_names(claim: Claim) -> tuple[str, ...]:
    """What must be remembered of it once it became dirty: all that has a rate, or that a person may give one.
    Exclusive scopes have none."""
    names = [scope for scope in claim.scopes if not scope.startswith("x:")]
    return tuple(dict.fromkeys([*names, limit_of(claim)] if claim.limit else names))


def is_rated(state: State, name: str) -> bool:
    """Whether a rate counts what began under this name; a remedy's own limit does wherever it is named."""
    return name.startswith(LIMIT) or bool(budget_of(state, name).rate)


def rated_names(state: State) -> frozenset[str]:
    """The names of what began that a rate counts now."""
    return frozenset(name for name in beginnings(state.began).names if is_rated(state, name))


def over_rate(state: State, claim: Claim) -> str | None:
    """The rate that one more like `claim` would exceed, in words; what waits or was granted counts too."""
    for name, rate, window in rates(state, claim):
        began = beginnings(state.began).of(name, state.clock - window)
        waiting = sum(counted(state.claims).with_name(each, name) for each in WAITING)
        own = state.claims.get(claim.id)
        if own is not None and own.state in WAITING and (name in own.scopes or name == limit_of(own)):
            waiting -= 1
        if len(began) + waiting >= rate:
            free = f", one is free in {(began[0] + window - state.clock) // 1_000} s" if began else ""
            told = f"{len(began)} began, {waiting} wait{free}"
            return f"{name} allows {rate} in {window // 1_000} s: {told}"
    return None
