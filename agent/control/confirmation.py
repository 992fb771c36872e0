"""Whether a state may be started from: what a snapshot must be, and who else came to it (coordination.md 6).

A snapshot's bytes prove only that somebody wrote them. The fold accepts one where it is of the fold's own
mark, and that verdict is part of the digest from there on: so a later stamp of another agent, at or behind
the snapshot's record, that agrees with what is folded from its state says that this state is that agent's,
too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.control.admission import OTHER_HISTORY
from agent.control.carried import Carried
from agent.control.fold import Verdict
from agent.control.records import BadRecord, Record, decode
from agent.control.snapshot import BadSnapshot, load
from agent.control.state import State

OWN_JOURNAL = "this agent's own journal"


def read(value: bytes, offset: int) -> Record:
    """The snapshot in these bytes of that offset. Raises BadSnapshot."""
    try:
        record = decode(value)
    except BadRecord as error:
        raise BadSnapshot(f"it is no record: {error}") from error
    if record.t != "snapshot":
        raise BadSnapshot(f"it is a {record.t}")
    if not 0 < record.x["at"] < offset:
        raise BadSnapshot(f"its place, offset {record.x['at']}, does not lie before it")
    return record


def state_of(x: Mapping[str, Any], log: str, log_start: int, fold_max: int, every: int) -> State:
    """The state of a snapshot's body, if a release that knows `fold_max` can go on from it in the topic
    `log`, which begins at `log_start` by now. Raises BadSnapshot."""
    if x["at"] % every:
        raise BadSnapshot(f"no state is marked at offset {x['at']}")
    if x["at"] < log_start:
        raise BadSnapshot(f"the log begins at offset {log_start} now, behind its place {x['at']}")
    state = load(x)
    if state.log != log:
        raise BadSnapshot(f"it is of the log {state.log or 'before its birth'}")
    if state.version > fold_max:
        raise BadSnapshot(
            f"its fold version is {state.version}, but this release knows {fold_max}: update it"
        )
    return state


class Confirmation:
    """Mutable, without I/O; told of each record that is folded upon a snapshot's state. `offset` is that of
    the snapshot that was found, `own` what this agent's journal has kept."""

    def __init__(self, snapshot: Record, offset: int, own: Carried) -> None:
        self.by = ""  # who came to this state, too; empty: nobody yet
        self._place = snapshot.x["at"], snapshot.x["hash"]
        self._found = offset
        self._own = own
        self._accepted: int | None = None  # offset of the first snapshot of this mark that the fold took …
        self._writer = ""  # … and whose it is
        self._void = ""  # why the one that was found was not taken
        self._agrees = self._differs = False  # the own journal; some other agent

    def saw(self, state: State, verdict: Verdict) -> None:
        """One folded record and the state after it."""
        record = verdict.record
        if self._accepted is None:
            self._look(state, verdict)
        elif record is not None and record.a != self._writer and record.b >= self._accepted:
            if verdict.void is None:
                self.by = self.by or record.a
            self._differs |= verdict.void == OTHER_HISTORY and record.s in state.sessions
        if self._accepted is not None and (state.log, state.offset) == (self._own.log, self._own.offset):
            self._agrees = state.digest == self._own.digest

    def _look(self, state: State, verdict: Verdict) -> None:
        record = verdict.record
        if record is None or record.t != "snapshot" or (record.x["at"], record.x["hash"]) != self._place:
            return
        if verdict.void is None:
            self._accepted, self._writer = state.offset, record.a
        elif state.offset >= self._found:
            self._void = verdict.void

    def refused(self, state: State) -> str:
        """Why reading on has no sense, as far as the log was read; empty: it may still be confirmed."""
        if self._accepted is not None or state.offset < self._found:
            return ""
        return f"the log does not take it: {self._void or 'it is not there any more'}"

    def at_the_end(self) -> str:
        """All is read and no other agent agreed: why it is no start, or empty where the own journal says so
        and nobody else's stamp says otherwise."""
        if self._agrees and not self._differs:
            self.by = OWN_JOURNAL
            return ""
        return f"nobody but its writer, {self._writer or 'unknown'}, has confirmed it yet"
