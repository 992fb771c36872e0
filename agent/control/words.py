"""The state in words for people: who holds what a claim waits for, since when, and what it does there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from agent.control.budgets import OCCUPYING, budget_of
from agent.control.claims import GRANTED, ORPHAN, QUEUED, REDECLARED, STUCK
from agent.control.pauses import in_force, paused
from agent.control.state import Claim, State


def clock_time(at: int) -> str:
    """Milliseconds since the epoch as hh:mm:ss, UTC."""
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%H:%M:%S")


def claim_name(claim: int) -> str:
    """A claim's id: its offset, or `join's offset.number` where it was redeclared."""
    number, offset = divmod(claim, REDECLARED)
    return f"{offset}.{number}" if number else str(offset)


def blockers(state: State, claim_id: int) -> tuple[str, ...]:
    """Why a claim may not begin yet, one sentence for each holder or cause; empty where nothing keeps it."""
    claim = state.claims.get(claim_id)
    if claim is None or claim.state not in (QUEUED, GRANTED):
        return ()
    if claim.state is GRANTED:
        return tuple(_stops(state, claim))
    holders = tuple(line for scope in claim.scopes for line in _holders(state, scope))
    return (*_stops(state, claim), *(holders or _before(state, claim)))


def pause_words(selector: str, by: str, reason: str) -> str:
    """What is paused, by whom and why."""
    return f"{selector} is paused by {by}: {reason}"


def pauses(state: State) -> list[str]:
    """Those in force, a sentence each."""
    told = ((selector, state.pauses[selector]) for selector in in_force(state))
    return [pause_words(selector, pause.by, pause.reason) for selector, pause in told]


def _stops(state: State, claim: Claim) -> Iterator[str]:
    """What keeps any claim from beginning, however much room there is."""
    if selector := paused(state, claim):
        pause = state.pauses[selector]
        yield pause_words(selector, pause.by, pause.reason)
    if state.barrier:
        silent = sorted(state.sessions[s].agent for s in state.barrier)
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        yield f"the leader changed, and {', '.join(silent[:3])}{more} has yet to be heard since"
    elif state.clock < state.settled_at:
        yield "the log settles after its birth or a change of its leader"
    if (session := state.sessions.get(claim.session)) is not None:
        probation = state.params["probation"]
        if state.clock - session.joined < probation:
            yield f"{claim.holder} has just joined, and begins nothing in its first {probation // 1_000} s"


def _holders(state: State, scope: str) -> Iterator[str]:
    cap = budget_of(state, scope).cap
    held = [c for c in state.claims.values() if scope in c.scopes and c.state in OCCUPYING]
    if cap == 0:
        yield f"{scope} allows 0 at once: ottla fleet budget {scope} --cap … changes it"
    if len(held) < cap:
        return
    for other in held:
        did = "granted" if other.state is GRANTED else "intent"
        room = "" if cap <= 1 else f" ({cap} at once)"
        yield (
            f"{scope}{room} is held by {other.holder or other.agent} since offset {other.token} "
            f"({did} {clock_time(other.at)}): {_doing(other)}"
        )


def _before(state: State, claim: Claim) -> Iterator[str]:
    for other in state.claims.values():
        shared = [scope for scope in claim.scopes if scope in other.scopes]
        first = (other.priority, other.id) < (claim.priority, claim.id)
        if other.state is QUEUED and first and shared:
            yield (
                f"{other.agent} waits for {', '.join(shared)} before it "
                f"(claim {claim_name(other.id)}, {clock_time(other.at)}): {_doing(other)}"
            )


def _doing(claim: Claim) -> str:
    left = {
        ORPHAN: f"; {claim.holder or 'nobody'} left it, and it is kept until an agent has closed it",
        STUCK: "; it is stuck, and kept until a person resolves it",
    }
    return f"{claim.kind}: {claim.why}{left.get(claim.state, '')}"
