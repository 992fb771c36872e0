"""What is asked of every record before its type's row (coordination.md section 3, "Before the table")."""

from __future__ import annotations

from collections.abc import Mapping

from agent.control.bodies import FOLD, OLDEST, fault
from agent.control.digests import digest_at
from agent.control.records import Record
from agent.control.rule import Condition
from agent.control.state import State

OTHER_HISTORY = "stale, or from a history that was lost"
UNKNOWN_FOLD = "of a fold version that this release does not know"


def born(state: State, r: Record) -> str | None:
    """A log begins with its genesis."""
    return None if state.log or r.t == "genesis" else "no log is born"


def same_log(state: State, r: Record) -> str | None:
    """Nothing of another topic that had this name."""
    return "another log" if state.log and r.log != state.log else None


def same_fold(state: State, r: Record) -> str | None:
    """The rules are state themselves, named by the log's first record and raised since."""
    version = state.version or r.x.get("fold")
    return None if r.f == version else "another fold version"


def rules_known(state: State, r: Record) -> str | None:
    """A log is not born here under rules that this release does not have: see `born_elsewhere`."""
    return None if state.version or OLDEST <= r.f <= FOLD else f"{UNKNOWN_FOLD}: {r.f}"


def has_body(_: State, r: Record) -> str | None:
    """As the version in force has it, whatever else this release knows."""
    return fault(r.t, r.x, r.f)


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


ADMISSION: tuple[Condition, ...] = (
    born,
    same_log,
    same_fold,
    rules_known,
    has_body,
    same_history,
    live_session,
)


def born_elsewhere(log: str, voids: Mapping[str, int]) -> str | None:
    """That a log was born for other releases, in words: nothing may be begun in it, least of all it anew."""
    if log or UNKNOWN_FOLD not in voids:
        return None
    return "the log was born under a fold version that this release does not know: update it"
