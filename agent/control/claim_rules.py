"""When claim, intent and release are accepted, and what they do (coordination.md section 2)."""

from __future__ import annotations

import json
from dataclasses import replace

from agent.control.bodies import MAX_EFFECT
from agent.control.claims import (
    DIRTY,
    GRANTED,
    QUEUED,
    TRANSITIONS,
    budget_of,
    move,
    occupied,
    over_rate,
    rates,
)
from agent.control.records import Record, canonical
from agent.control.session_rules import hear
from agent.control.state import Claim, Limit, Refused, State

CLAIMS_A_SESSION = 6
QUEUE = 256
MEMORIES = 4_096  # of handled problems, and of what became dirty
LONGEST_WINDOW = 7 * 24 * 3_600_000


def claim(state: State, r: Record) -> State:
    """Queued; its id is its offset."""
    x, limit = r.x, r.x.get("limit")
    claim = Claim(
        id=state.offset,
        agent=r.a,
        session=r.s,
        kind=x["kind"],
        scopes=tuple(x["scopes"]),
        problem=x["problem"],
        host=x["host"],
        priority=x["priority"],
        why=x["why"],
        limit=Limit(**limit) if limit else None,
        queued=state.clock,
        token=state.offset,
        at=state.time,
    )
    _check_scopes(state, claim)
    _check_room(state, claim)
    return hear(replace(state, claims={**state.claims, claim.id: claim}), r)


def _check_scopes(state: State, claim: Claim) -> None:
    if not claim.scopes:
        raise Refused("no scope is named")  # nothing named must not mean everything, nor nothing
    if len(set(claim.scopes)) != len(claim.scopes):
        raise Refused("a scope is named twice")
    for scope in claim.scopes:
        if budget_of(state, scope).cap == 0:
            raise Refused(f"no budget: {scope}")


def _check_room(state: State, claim: Claim) -> None:
    if state.handled.get(claim.problem, -1) > state.clock:
        raise Refused(f"problem was handled: {claim.problem}")
    if sum(c.session == claim.session for c in state.claims.values()) >= CLAIMS_A_SESSION:
        raise Refused("too many claims of this session")
    if sum(c.state is QUEUED for c in state.claims.values()) >= QUEUE:
        raise Refused("the queue is full")
    remembered = sum(until > state.clock for until in state.handled.values()) + len(state.claims)
    if max(remembered, len(_recent(state))) >= MEMORIES:
        raise Refused("the memory is full")  # forgetting instead would let a problem be handled twice
    if over := over_rate(state, claim):
        raise Refused(f"rate: {over}")


def _held(state: State, r: Record, event: str) -> Claim:
    """The claim that the record names, if its session and token hold it and the table knows the move."""
    claim = state.claims.get(r.x["id"])
    if claim is None:
        raise Refused("no such open claim")
    if claim.session != r.s:
        raise Refused(f"not the holder: {claim.agent} is")
    if claim.token != r.x["token"]:
        raise Refused("not the token")
    if (claim.state, event) not in TRANSITIONS:
        raise Refused(f"no such move: {event} of a {claim.state} claim")
    return claim


def intent(state: State, r: Record) -> State:
    """Dirty from here on; upon an own dirty claim it extends the effect and never drops a change."""
    claim = _held(state, r, "intent")
    effect = canonical(r.x["effect"])
    if len(effect) > MAX_EFFECT:
        raise Refused("the effect is too long")
    if claim.state is GRANTED:
        state = _dirtied(state, claim)
    elif claim.effect is not None:
        _check_extends(claim.effect, r)
    return hear(move(state, claim, "intent", effect=effect, via=r.x["via"]), r)


def _dirtied(state: State, claim: Claim) -> State:
    dirty = occupied(state.claims.values(), DIRTY)
    for scope in claim.scopes:
        if dirty[scope] + 1 > budget_of(state, scope).cap:
            raise Refused(f"no room: {scope}")
    if over := over_rate(state, claim):
        raise Refused(f"rate: {over}")
    names = tuple(name for name, _, _ in rates(state, claim))
    return replace(state, dirtied=(*_recent(state), (state.clock, names))) if names else state


def _recent(state: State) -> tuple[tuple[int, tuple[str, ...]], ...]:
    return tuple(began for began in state.dirtied if began[0] > state.clock - LONGEST_WINDOW)


def _check_extends(before: str, r: Record) -> None:
    if any(change not in r.x["effect"]["changes"] for change in json.loads(before)["changes"]):
        raise Refused("it drops a change")


def release(state: State, r: Record) -> State:
    """Closed; what was dirty is remembered as handled."""
    claim = _held(state, r, r.x["outcome"])
    state = hear(move(state, claim, r.x["outcome"]), r)
    return _remember(state, claim.problem) if claim.state is DIRTY else state


def _remember(state: State, problem: str) -> State:
    """Handled stays handled: no claim on it is accepted for the cool-down; those that wait are dropped."""
    handled = {p: until for p, until in state.handled.items() if until > state.clock}
    handled[problem] = state.clock + state.params["cooldown"]
    state = replace(state, handled=handled)
    for other in [c for c in state.claims.values() if c.problem == problem and c.state is not DIRTY]:
        state = move(state, other, "problem was handled")
    return state
