"""What a log that is folded shows beyond its state: whose stamps differ, false snapshots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.control.agreement import STAMPS
from agent.control.canonical import canonical
from agent.control.digests import digest_at
from agent.control.fold import Verdict
from agent.control.records import Record
from agent.control.snapshot import AsMarked, BadSnapshot, load
from agent.control.state import State


@dataclass
class Differing:
    """Records of one agent whose history stamp is not this log's."""

    first: int
    count: int = 0
    live: int = 0  # of them, those of a live session on offsets of the present leader

    def words(self, agent: str) -> str:
        """A sentence."""
        many = "record" if self.count == 1 else "records"
        return f"{agent}: {self.count} {many} stamped with another history, the first at offset {self.first}"


class Audit:
    """Mutable, without I/O; told of each record that is folded, from the first one on or from that behind the
    snapshot of offset `begun`, which was proved before."""

    def __init__(self, begun: int = -1) -> None:
        self._begun = begun
        self.accepted: Counter[str] = Counter()  # by type
        self.differing: dict[str, Differing] = {}  # by agent
        self.snapshots: list[dict[str, Any]] = []
        self._marked: str | None = None

    def saw(self, state: State, verdict: Verdict) -> None:
        """One folded record and the state after it."""
        record = verdict.record
        if record is not None and verdict.void is None:
            self.accepted[record.t] += 1
            if record.t == "snapshot":
                self._snapshot(state, record)
        elif record is not None:
            self._stamp(state, record)
        self._marked = verdict.marked or self._marked

    def _stamp(self, state: State, record: Record) -> None:
        known = digest_at(state.digests, state.offset, record.b)
        if record.b >= state.offset or known is None or known == record.d:
            return
        found = self.differing.setdefault(record.a, Differing(state.offset))
        found.count += 1
        found.live += record.s in state.sessions and record.b >= state.epoch_start

    def _snapshot(self, state: State, record: Record) -> None:
        fault = "" if isinstance(record.x["state"], AsMarked) else self._fault(record)
        told = {"offset": state.offset, "at": record.x["at"], "agent": record.a, "fault": fault}
        self.snapshots.append(told)

    def _fault(self, record: Record) -> str:
        try:
            load(record.x)
        except BadSnapshot as error:
            return str(error)
        if record.x["at"] != self._begun and canonical(record.x["state"]) != self._marked:
            return "it is not what the log folds to"
        return ""

    def faults(self) -> Iterator[str]:
        """What must not be in a log that all agents fold alike, a sentence each."""
        for snapshot in self.snapshots:
            if snapshot["fault"]:
                yield f"the snapshot at offset {snapshot['offset']} is false: {snapshot['fault']}"
        for agent, found in sorted(self.differing.items()):
            if found.live >= STAMPS:
                yield f"{found.words(agent)}: it folds to another state, so one release is wrong"

    def remarks(self) -> Iterator[str]:
        """What may be there, after a lost tail or from a confused writer, and has no effect."""
        for agent, found in sorted(self.differing.items()):
            if found.live < STAMPS:
                yield f"{found.words(agent)}: void"
