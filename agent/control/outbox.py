"""What an agent has to say: notes, firing alerts; and when its next beat is due (coordination.md 5)."""

from __future__ import annotations

from collections import deque

from agent.control.bodies import MAX_FIRING, MAX_NOTE, MAX_STATUS
from agent.control.session_rules import MINUTE, NOTES_A_MINUTE
from agent.control.state import State
from agent.control.times import beat_pause
from agent.model import AND_MORE

FIRING_PAUSE = 2_000  # ms between two beats, the second of which only a change of `firing` calls for


class Outbox:
    """Mutable, without I/O; `now` is the own boot time in ms."""

    def __init__(self) -> None:
        self.dropped = 0  # notes: too long, too many or void
        self._notes: deque[str] = deque()
        self._taken: deque[int] = deque(maxlen=NOTES_A_MINUTE)  # when
        self._firing: tuple[str, ...] = ()
        self._status = ""
        self._changed = False
        self._at_once = False

    def note(self, line: str, now: int) -> None:
        """Takes a note, or drops and counts it: the log carries only so many a minute."""
        full = len(self._taken) == NOTES_A_MINUTE and self._taken[0] > now - MINUTE
        if len(line) > MAX_NOTE or full or len(self._notes) >= NOTES_A_MINUTE:
            self.dropped += 1
            return
        self._taken.append(now)
        self._notes.append(line)

    def next_note(self) -> str | None:
        """The oldest note that waits; it stays until `noted`."""
        return self._notes[0] if self._notes else None

    def noted(self, accepted: bool) -> None:
        """The oldest note was written, or is void."""
        self._notes.popleft()
        self.dropped += not accepted

    def say(self, firing: tuple[str, ...], status: str) -> None:
        """What the beats carry from now on; where not all names have room, the last one says so."""
        if len(firing) > MAX_FIRING:
            firing = *firing[: MAX_FIRING - 1], AND_MORE
        self._changed |= firing != self._firing
        self._firing, self._status = firing, status[:MAX_STATUS]

    def hurry(self) -> None:
        """The next beat is due at once."""
        self._at_once = True

    def beat(self) -> dict[str, object]:
        """The body of a beat that is about to be written."""
        self._changed = self._at_once = False
        return {"firing": list(self._firing), "status": self._status}

    def due(self, state: State, accepted_at: int, busy: bool) -> int:
        """When the next beat is due, after the last own record was accepted."""
        if self._at_once:
            return accepted_at
        pause = beat_pause(state.params, len(state.sessions), busy)
        return accepted_at + (min(pause, FIRING_PAUSE) if self._changed else pause)
