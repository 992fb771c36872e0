"""Who writes the last mark as a snapshot and when, and how the log stands for snapshots (coordination.md
6)."""

from __future__ import annotations

from agent.control.beats import SPREAD, snapshot_delay
from agent.control.fold import Verdict
from agent.control.records import MAX_SNAPSHOT
from agent.control.snapshot import ROOM, fits
from agent.control.state import State

FEWEST = 5  # ranks that an attempt waits for before the next one, however few sessions there are
NEAR = 0.8  # of the room of a snapshot: people are told
MISSING = 3  # marks without a snapshot


class SnapshotDuty:
    """Mutable, without I/O; `boot` is the own boot time in ms. Keeps the canonical text of the last mark
    until a snapshot of it was accepted."""

    def __init__(self, every: int) -> None:
        self.newest = -1  # the mark's offset of the newest snapshot that was seen accepted
        self.size = 0  # bytes of a snapshot of the last mark
        self.text = ""  # what is to be written
        self._since = 0  # from when on the ranks count
        self._every = every

    def saw(self, state: State, verdict: Verdict, boot: int) -> None:
        """One folded record and the state after it."""
        record = verdict.record
        if verdict.marked is not None:
            self.size, self._since = len(verdict.marked) + ROOM, boot
            self.text = verdict.marked if state.offset and fits(verdict.marked) else ""
        if record is not None and record.t == "snapshot" and verdict.void is None:
            self.newest, self.text = record.x["at"], ""

    def wait(self, state: State, session: int, boot: int) -> int | None:
        """Milliseconds until session `session`'s turn, at most 0: it is now; None: nothing is to write."""
        return self._since + snapshot_delay(state, session) - boot if self.text else None

    def tried(self, state: State, boot: int) -> None:
        """This agent's attempt is under way: if it comes to nothing, all others have their turn first."""
        self._since = boot + max(len(state.sessions), FEWEST) * SPREAD

    def faults(self, state: State, log_start: int) -> tuple[str, ...]:
        """What a person should know, a sentence each; `log_start` is the first offset that is still there."""
        said, kib, most = [], -(-self.size // 1024), MAX_SNAPSHOT // 1024
        if self.size > MAX_SNAPSHOT:
            said.append(
                f"the state takes {kib} KiB, and no snapshot of it is written: {most} KiB are the most"
            )
        elif self.size > NEAR * MAX_SNAPSHOT:
            said.append(f"a snapshot of the state takes {kib} KiB, and {most} KiB are the most")
        place = (
            f"the newest snapshot is of offset {self.newest}" if self.newest >= 0 else "there is no snapshot"
        )
        if state.mark.offset - max(self.newest, 0) >= MISSING * self._every:
            said.append(f"{place}, and none was accepted at the last {MISSING} marks")
        if log_start > 0 and self.newest - log_start < self._every:
            said.append(
                f"the log begins at offset {log_start}, and {place}: once that is deleted nobody can join"
            )
        return tuple(said)
