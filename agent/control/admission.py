"""What is asked of every record before its type's row (coordination.md section 3, "Before the table")."""

from __future__ import annotations

from agent.control.bodies import since
from agent.control.digests import digest_at
from agent.control.records import Record
from agent.control.rule import Condition
from agent.control.state import State

OTHER_HISTORY = "stale, or from a history that was lost"


def born(state: State, r: Record) -> str | None:
    """A log begins with its genesis."""
    return None if state.log or r.t == "genesis" else "no log is born"


def same_log(state: State, r: Record) -> str | None:
    """Nothing of another topic that had this name."""
    return "another log" if state.log and r.log != state.log else None


def same_fold(state: State, r: Record) -> str | None:
    """The rules are state themselves; what a later version brings is void below it."""
    version = state.version or r.x["fold"]
    if r.f != version:
        return "another fold version"
    return "of a later fold version" if since(r.t, r.x) > version else None


def same_history(state: State, r: Record) -> str | None:
    """The history stamp: what was written upon a history that was lost, or long ago, has no effect."""
    return None if digest_at(state.digests, state.offset - 1, r.b) == r.d else OTHER_HISTORY


def live_session(state: State, r: Record) -> str | None:
    """All but genesis and join come in a live session, each with a number above the last."""
    if r.t in ("genesis", "join"):
        return None if (r.s, r.n) == (-1, 0) else "a session before its join"
    session = state.sessions.get(r.s)
    if session is None or session.agent != r.a:
        return "its session is not live"
    return "a copy" if r.n <= session.n else None


ADMISSION: tuple[Condition, ...] = (born, same_log, same_fold, same_history, live_session)
