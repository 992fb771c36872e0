"""The transition table of claims, and what each move leaves behind (coordination.md sections 2 and 3)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from agent.control.budgets import STANDING, WAITING
from agent.control.memory import begin, handle, remember_closed
from agent.control.open_claims import counted
from agent.control.state import Claim, ClaimState, Move, State

QUEUED, GRANTED, DIRTY, ORPHAN, STUCK, CLOSED = ClaimState
STAMPS = 100_000
REDECLARED = 10**15  # the first of a join's redeclared claims is its offset and this, the second twice this

# Nothing else ever moves a claim. Above all: what may stand in the world is closed only by a release of its
# holder or by a person, and time alone moves nothing.
TRANSITIONS: Mapping[tuple[ClaimState | None, str], ClaimState] = MappingProxyType(
    {
        (None, "claimed"): QUEUED,
        (None, "found"): ORPHAN,
        (None, "redeclared"): DIRTY,
        (QUEUED, "room"): GRANTED,
        (QUEUED, "cancelled"): CLOSED,
        (QUEUED, "problem was handled"): CLOSED,
        (QUEUED, "session ended"): CLOSED,
        (QUEUED, "session ended in the barrier"): ORPHAN,  # its intent may have been lost with a tail
        (QUEUED, "redeclared"): DIRTY,
        (GRANTED, "intent"): DIRTY,
        (GRANTED, "cancelled"): CLOSED,
        (GRANTED, "problem was handled"): CLOSED,
        (GRANTED, "session ended"): CLOSED,
        (GRANTED, "session ended in the barrier"): ORPHAN,
        (GRANTED, "redeclared"): DIRTY,
        (DIRTY, "intent"): DIRTY,  # extends the effect
        (DIRTY, "done"): CLOSED,
        (DIRTY, "undone"): CLOSED,
        (DIRTY, "session ended"): ORPHAN,
        (DIRTY, "session ended after the last adoption"): STUCK,
        (DIRTY, "redeclared"): DIRTY,
        (ORPHAN, "adopted"): DIRTY,
        (ORPHAN, "redeclared"): DIRTY,
        (ORPHAN, "resolved"): CLOSED,
        (STUCK, "resolved"): CLOSED,
    }
)


def move(state: State, claim: Claim, event: str, **changes: Any) -> State:
    """`claim` moved by `event` with `changes` made to it; KeyError where the table has no such row."""
    after = TRANSITIONS[claim.state, event]
    moved = replace(claim, state=after, at=state.time, **changes)
    state = _noted(state, moved, claim.state, event, claim.session)
    if after is CLOSED:
        state = remember_closed(state, claim)
    return begin(state, moved) if claim.state in WAITING and after in STANDING else state


def open_claim(state: State, claim: Claim, event: str) -> State:
    """A new claim; what may stand in the world already counts as begun."""
    claim = replace(claim, state=TRANSITIONS[None, event])
    state = _noted(state, claim, None, event, claim.session)
    return begin(state, claim) if claim.state in STANDING else state


def _noted(state: State, claim: Claim, before: ClaimState | None, event: str, session: int) -> State:
    claims = counted(state.claims).changed(claim)
    told = Move(claim.id, before, claim.state, event, session)
    return replace(state, claims=claims, moves=(*state.moves, told))


def handled(state: State, problem: str, until: int) -> State:
    """Handled stays handled: no claim on it is accepted until then, and those that wait are dropped, but for
    those whose session has yet to leave the barrier: they may be dirty, with the intent lost."""
    state = handle(state, problem, until)
    for other in in_order(state):
        if other.problem == problem and other.state in WAITING and other.session not in state.barrier:
            state = move(state, other, "problem was handled")
    return state


def in_order(state: State) -> list[Claim]:
    """The open claims by id: the same order on every agent, whether it folded a snapshot or the whole log."""
    return sorted(state.claims.values(), key=lambda claim: claim.id)


def changes_of(effect: str | None) -> list[dict[str, Any]]:
    """The changes of an effect as a claim keeps it."""
    changes: list[dict[str, Any]] = json.loads(effect)["changes"] if effect else []
    return changes


def keys_of(effect: str | None) -> Iterator[tuple[str, str]]:
    """The (resource, key) of each change."""
    return ((change["resource"], change["key"]) for change in changes_of(effect))


def is_called(claim: Claim, number: int) -> bool:
    """Whether this is the claim's id, or was when it was claimed, before a join brought it back: it kept its
    stamp. The id that a join gave tells nothing of a stamp."""
    return claim.id == number or (number < REDECLARED <= claim.id and claim.stamp == number % STAMPS)


def redeclared_id(offset: int, index: int) -> int:
    """The id of the claim that item `index` of the join at `offset` became."""
    return (index + 1) * REDECLARED + offset
