"""The state in words for people: who holds what a claim waits for, since when, and what it does there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from agent.control.claims import DIRTY, GRANTED, QUEUED, budget_of
from agent.control.state import Claim, State


def clock_time(at: int) -> str:
    """Milliseconds since the epoch as hh:mm:ss, UTC."""
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%H:%M:%S")


def blockers(state: State, claim_id: int) -> tuple[str, ...]:
    """Why a queued claim waits, one sentence for each holder; empty where it does not wait."""
    claim = state.claims.get(claim_id)
    if claim is None or claim.state is not QUEUED:
        return ()
    holders = tuple(line for scope in claim.scopes for line in _holders(state, scope))
    return holders or tuple(_before(state, claim))


def _holders(state: State, scope: str) -> Iterator[str]:
    cap = budget_of(state, scope).cap
    held = [c for c in state.claims.values() if scope in c.scopes and c.state in (GRANTED, DIRTY)]
    if len(held) < cap:
        return
    for other in held:
        did = "intent" if other.state is DIRTY else "granted"
        room = "" if cap == 1 else f" ({cap} at once)"
        yield (
            f"{scope}{room} is held by {other.agent} since offset {other.token} "
            f"({did} {clock_time(other.at)}): {_doing(state, other)}"
        )


def _before(state: State, claim: Claim) -> Iterator[str]:
    for other in state.claims.values():
        shared = [scope for scope in claim.scopes if scope in other.scopes]
        first = (other.priority, other.id) < (claim.priority, claim.id)
        if other.state is QUEUED and first and shared:
            yield (
                f"{other.agent} waits for {', '.join(shared)} before it "
                f"(claim {other.id}, {clock_time(other.at)}): {_doing(state, other)}"
            )


def _doing(state: State, claim: Claim) -> str:
    left = (
        "" if claim.session in state.sessions else f"; {claim.agent} left, and keeps it until it joins again"
    )
    return f"{claim.kind}: {claim.why}{left}"
