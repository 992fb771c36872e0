"""This agent's share in snapshots: writes one where it is due, and tells how the log stands for joiners
(coordination.md section 6)."""

from __future__ import annotations

from typing import Any

from agent.control_topic.hearing import Hearing
from agent.control_topic.ports import Log
from agent.control_topic.reader import Reader
from agent.control_topic.snapshot_pen import SnapshotPen

LEAST = 100  # ms between two looks whether a snapshot can be written: something else may be in its way


class Snapshots:
    """Written by the way: nothing waits for them."""

    def __init__(self, log: Log, hearing: Hearing, reader: Reader) -> None:
        self._log = log
        self._hearing = hearing
        self._reader = reader
        self._pen = SnapshotPen(log, self._beat_at_once)

    def standing(self) -> dict[str, Any]:
        """As ControlTopic tells it."""
        duty, log_start = self._hearing.duties.snapshots, self._log.log_start
        return {
            "newest": duty.newest,
            "bytes": duty.size,
            "log_start": log_start,
            "folded": self._reader.began,
            "refused": self._reader.refused,
            "faults": list(duty.faults(self._reader.state, log_start)),
        }

    def tell_faults(self) -> None:
        """What a person should know of them, once."""
        self._pen.tell(self.standing()["faults"])

    def wait(self, session: int, boot: int) -> int | None:
        """Ms until one can be written, or it is looked again whether it can; None while none is due."""
        wait = self._hearing.duties.snapshots.wait(self._reader.state, session, boot)
        return None if wait is None or self._hearing.pen.busy else max(wait, LEAST)

    def write(self, session: int) -> None:
        """Where one is due, and the next beat is not soon. Its number is above those of all records that are
        under way; one that overtakes it makes it void, and waits for nothing."""
        member, duties = self._hearing.member, self._hearing.duties
        state, boot = self._reader.state, self._hearing.boot()
        wait = duties.snapshots.wait(state, session, boot)
        if wait is None or wait > 0 or self._hearing.pen.busy or self._pen.busy:
            return
        heard = member.heard
        if boot - heard[0] >= duties.due(state, session, heard) - boot:
            return
        duties.snapshots.tried(state, boot)
        key, raw = member.stamp_snapshot(state, duties.snapshots.text)
        duties.hold.created(key[1], key[2], boot)
        self._pen.write(raw)

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._pen.close()

    def _beat_at_once(self) -> None:
        """Each poll reads the last record again: a snapshot must not stay the last one."""
        self._hearing.duties.outbox.hurry()
        self._hearing.nudge()
