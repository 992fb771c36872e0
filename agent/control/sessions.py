"""Sessions: heard, silent, ended; the barrier after a change of leader (coordination.md section 3)."""

from __future__ import annotations

from msgspec.structs import replace

from agent.control.claims import DIRTY, ORPHAN, STUCK, in_order, move
from agent.control.records import Record
from agent.control.state import Claim, Session, State


def use_up(state: State, r: Record) -> State:
    """A refused record's number is gone: no late copy of it may be accepted after all."""
    return _with(state, replace(state.sessions[r.s], n=r.n))


def hear(state: State, r: Record) -> State:
    """An accepted record renews its session, clears the votes against it, and takes it out of the barrier if
    its writer had seen the new leader's epoch."""
    session = replace(state.sessions[r.s], n=r.n, last=state.offset, heard=state.time, votes=())
    state = _with(state, session)
    if r.b >= state.epoch_start and r.s in state.barrier:
        return replace(state, barrier=state.barrier - {r.s})
    return state


def _with(state: State, session: Session) -> State:
    sessions = dict(state.sessions)
    sessions[session.id] = session
    return replace(state, sessions=sessions)


def witnessed(state: State, session: Session, votes: tuple[str, ...]) -> State:
    """The session with these votes against it."""
    return _with(state, replace(session, votes=votes))


def begin_epoch(state: State, epoch: int) -> State:
    """Another leader, cleanly elected or not, one cannot tell: a barrier for all, and time to settle."""
    settled_at = state.clock + state.params.get("settle", 0)
    barrier = frozenset(state.sessions)
    return replace(state, epoch=epoch, epoch_start=state.offset, barrier=barrier, settled_at=settled_at)


def silence(state: State, session: Session) -> int:
    """W of this session: how long it must be silent before it can be expired."""
    busy = session.id in state.barrier or any(c.session == session.id for c in state.claims.values())
    return state.params["w" if busy else "w_idle"]


def end(state: State, session: Session) -> State:
    """What it had in the world keeps its room; what waited is dropped, unless that may be there too."""
    for claim in in_order(state):
        if claim.session == session.id and claim.state not in (ORPHAN, STUCK):
            state = move(state, claim, _event(state, claim))
    sessions = dict(state.sessions)
    del sessions[session.id]
    return replace(state, sessions=sessions, barrier=state.barrier - {session.id})


def _event(state: State, claim: Claim) -> str:
    if claim.state is DIRTY:
        last = claim.adoptions >= state.params["adoptions"]
        return "session ended after the last adoption" if last else "session ended"
    return "session ended in the barrier" if claim.session in state.barrier else "session ended"
