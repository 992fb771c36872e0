"""When genesis, join, beat, leave and note are accepted, and what they do (coordination.md section 2)."""

from __future__ import annotations

from dataclasses import replace

from agent.control.claims import move
from agent.control.records import Record
from agent.control.state import Refused, Session, State
from agent.control.times import Budget

MINUTE = 60_000
NOTES_A_MINUTE = 12
AGENTS = 2_048


def genesis(state: State, r: Record) -> State:
    """The log is born; racing ones are equal, so the first counts."""
    if state.log:
        raise Refused("the log is born already")
    if r.x["log"] != r.log:
        raise Refused("another log")
    if not {"age", "cooldown"} <= r.x["params"].keys():
        raise Refused("params are missing")
    budgets = {scope: Budget(**budget) for scope, budget in r.x["budgets"].items()}
    return replace(state, log=r.log, version=r.x["fold"], params=r.x["params"], budgets=budgets)


def join(state: State, r: Record) -> State:
    """A new session, its offset the id; ends this agent's older ones and takes over what they left dirty."""
    last = state.incarnations.get(r.a, 0)
    if r.x["incarnation"] <= last:
        raise Refused(f"incarnation is not above the last: {r.x['incarnation']}, was {last}")
    if r.x["fold_max"] < state.version:
        raise Refused("fold too old")
    if last == 0 and len(state.incarnations) >= AGENTS:
        raise Refused("too many agents")
    for session in [s for s in state.sessions.values() if s.agent == r.a]:
        state = _end(state, session)
    joined = Session(state.offset, r.a, r.x["host"], r.x["nonce"], 0, state.time)
    state = replace(
        state,
        sessions={**state.sessions, joined.id: joined},
        incarnations={**state.incarnations, r.a: r.x["incarnation"]},
    )
    for claim in [c for c in state.claims.values() if c.agent == r.a]:
        state = move(state, claim, "joined again", session=joined.id, token=state.offset)
    return state


def _end(state: State, session: Session) -> State:
    """Without its session a waiting claim is dropped; a dirty one keeps its room."""
    for claim in [c for c in state.claims.values() if c.session == session.id]:
        state = move(state, claim, "session ended")
    return replace(state, sessions={i: s for i, s in state.sessions.items() if i != session.id})


def beat(state: State, r: Record) -> State:
    """Alive; status and firing are kept beside the state, in neither it nor its digest."""
    return hear(state, r)


def leave(state: State, r: Record) -> State:
    """The session ends; what it left dirty keeps its room until the agent joins again."""
    return _end(state, state.sessions[r.s])


def note(state: State, r: Record) -> State:
    """Fleet-wide history; nothing but its rate concerns the fold."""
    session = state.sessions[r.s]
    recent = tuple(at for at in session.notes if at > state.clock - MINUTE)
    if len(recent) >= NOTES_A_MINUTE:
        raise Refused("too many notes in a minute")
    noted = replace(session, notes=(*recent, state.clock))
    return hear(replace(state, sessions={**state.sessions, r.s: noted}), r)


def hear(state: State, r: Record) -> State:
    """An accepted record of a live session renews it."""
    heard = replace(state.sessions[r.s], heard=state.time)
    return replace(state, sessions={**state.sessions, r.s: heard})
