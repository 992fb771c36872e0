"""What a join brings back after a lost tail: its agent's effects (coordination.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.control.canonical import canonical
from agent.control.claims import (
    DIRTY,
    GRANTED,
    ORPHAN,
    QUEUED,
    changes_of,
    keys_of,
    move,
    open_claim,
    redeclared_id,
)
from agent.control.memory import remembered
from agent.control.records import Record
from agent.control.state import Claim, Closed, State


def redeclare(state: State, r: Record) -> State:
    """Each item is adopted, left alone, dropped, or becomes a new dirty claim of the session that joins."""
    for index, item in enumerate(r.x["redeclare"]):
        known = _known(state, r.a, item)
        if known is None:
            state = state if _held(state, item) else _anew(state, r, item, index)
        elif isinstance(known, Claim) and _is_taken_back(state, r.a, known):
            state = move(
                state,
                known,
                "redeclared",
                session=state.offset,
                holder=r.a,
                token=state.offset,
                adoptions=known.adoptions + 1,
                effect=_both(known.effect, item["effect"]),
            )
    return state


def _known(state: State, agent: str, item: Mapping[str, Any]) -> Claim | Closed | None:
    """The open or remembered claim with this identity (offset and leader epoch), problem and agent."""
    found = state.claims.get(item["claim"]) or remembered(state, item["claim"])
    same = found and (found.epoch, found.problem, found.agent) == (item["epoch"], item["problem"], agent)
    return found if same else None


def _is_taken_back(state: State, agent: str, claim: Claim) -> bool:
    """Not where a live adopter holds it, not where it is stuck, and each claim once."""
    if claim.state is DIRTY:
        return claim.holder == agent and claim.session != state.offset
    return claim.state in (QUEUED, GRANTED, ORPHAN)


def _held(state: State, item: Mapping[str, Any]) -> bool:
    """Whether an open claim with the same stamp has a change of the same thing: it is the same effect."""
    keys = set(keys_of(canonical(item["effect"])))
    return any(
        claim.stamp == item["stamp"] and not keys.isdisjoint(keys_of(claim.effect))
        for claim in state.claims.values()
    )


def _anew(state: State, r: Record, item: Mapping[str, Any], index: int) -> State:
    """It keeps the stamp that stands in the world, and may exceed a cap: it *is* in the world."""
    claim = Claim(
        id=redeclared_id(state.offset, index),
        epoch=state.epoch,
        stamp=item["stamp"],
        agent=r.a,
        holder=r.a,
        session=state.offset,
        kind=item["kind"],
        scopes=tuple(dict.fromkeys(item["scopes"])),
        problem=item["problem"],
        host=item["host"],
        priority=0,
        why="redeclared after a lost tail",
        limit=None,
        queued=state.clock,
        token=state.offset,
        at=state.time,
        effect=canonical(item["effect"]),
    )
    return open_claim(state, claim, "redeclared")


def _both(before: str | None, effect: Mapping[str, Any]) -> str:
    """The journal's effect, with whatever the log's has beyond it: no change is ever dropped."""
    kept = [change for change in changes_of(before) if change not in effect["changes"]]
    merged = {**effect, "changes": [*kept, *effect["changes"]]}
    return canonical(merged)
