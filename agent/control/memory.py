"""What outlives a claim: its identity, and that its problem was handled (coordination.md section 2).

All memories are limited. Where one is full no claim is accepted: forgetting instead would let a problem be
handled twice.
"""

from __future__ import annotations

from msgspec.structs import replace

from agent.control.bodies import WEEK
from agent.control.budgets import counted_names, is_rated, rated_names
from agent.control.lapsing import beginnings, closed_claims, handled_problems
from agent.control.state import Began, Claim, Closed, State

MEMORIES = 4_096


def cooldown(state: State, kind: str) -> int:
    """How long a handled problem of this kind is remembered."""
    return state.params.get(f"cooldown/{kind}", state.params["cooldown"])


def is_handled(state: State, problem: str) -> bool:
    """Whether a claim on it would handle it twice."""
    return state.handled.get(problem, -1) > state.clock


def handle(state: State, problem: str, until: int) -> State:
    """The problem is remembered until then, or as long as it was already."""
    until = max(until, state.handled.get(problem, 0))
    return replace(state, handled=handled_problems(state.handled).having(problem, until, state.clock))


def remember_closed(state: State, claim: Claim) -> State:
    """Its identity and stamp, for the cool-down: it may be redeclared, its values may still be found."""
    until = state.clock + cooldown(state, claim.kind)
    one = Closed(claim.epoch, claim.stamp, claim.agent, claim.problem, until)
    return replace(state, closed=closed_claims(state.closed).having(claim.id, one, state.clock))


def remembered(state: State, claim: int) -> Closed | None:
    """A closed claim, as long as it is remembered."""
    closed = state.closed.get(claim)
    return closed if closed and closed.until > state.clock else None


def begin(state: State, claim: Claim) -> State:
    """Something of it may stand from now on: its rates count that, however it came to be, and those that a
    person sets later. Where there is no room, the oldest goes that no rate counts now."""
    names = counted_names(claim)
    one = Began(state.clock, names) if names else None
    began = beginnings(state.began).having(one, state.clock - WEEK)
    if len(began) > MEMORIES:
        idle = (n for n, b in enumerate(began) if not any(is_rated(state, name) for name in b.names))
        began = began.without(next(idle, None))
    return replace(state, began=began)


def is_full(state: State, more: int = 1) -> bool:
    """Whether so many problems more could not be remembered; what is open will have to be, too."""
    if (
        max(max(len(state.handled), len(state.closed)) + len(state.claims), len(state.began)) + more
        <= MEMORIES
    ):
        return False  # not even with those that lapsed
    handled = sum(until > state.clock for until in state.handled.values())
    closed = sum(c.until > state.clock for c in state.closed.values())
    rated = rated_names(state)
    began = sum(b.at > state.clock - WEEK and not rated.isdisjoint(b.names) for b in state.began)
    return max(max(handled, closed) + len(state.claims), began) + more > MEMORIES


def cooldown_most(state: State) -> int:
    """The longest cool-down of any kind: no memory that is brought back lasts longer."""
    return max(v for name, v in state.params.items() if name.partition("/")[0] == "cooldown")
