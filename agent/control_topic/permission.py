"""What the log, as far as it was read, lets this agent begin, and until when an effect may leave."""

from __future__ import annotations

from collections.abc import Mapping

from agent.control.former import not_heard
from agent.control.hold import objection
from agent.control.lost import Lost, no_room, unexplained
from agent.control.times import Settings
from agent.control_topic.hearing import Hearing
from agent.control_topic.reader import Reader


class Permission:
    """Asked at the instant; neither writes nor waits."""

    def __init__(self, settings: Settings, hearing: Hearing, reader: Reader) -> None:
        self._settings = settings
        self._hearing = hearing
        self._reader = reader

    def objection(self, claim: int, *, undo: bool = False) -> str | None:
        """Why no effect of this claim may start at this instant, as far as the log knows."""
        member, duties = self._hearing.member, self._hearing.duties
        state, boot = self._reader.state, self._hearing.boot()
        hold = duties.hold.until(state)
        differing = None if undo else duties.agreement.differing()
        why = differing or objection(state, claim, member.session, hold, boot, undo=undo)
        return why if why or undo else self.lost_holds(claim)

    def not_heard(self, kind: str | None = None) -> str | None:
        """Why nothing of that kind, or of any, is begun yet in a log that was made again, in words."""
        return not_heard(self._reader.state, self._hearing.keeping.kept.followed, kind)

    def lost(self) -> tuple[Lost, ...]:
        """As ControlTopic tells it."""
        return unexplained(self._hearing.keeping.kept.lost, self._reader.state)

    def lost_holds(self, claim: int) -> str | None:
        """Which of them may hold the room that this claim has, in words."""
        found = self._reader.state.claims.get(claim)
        return no_room(self._reader.state, self.lost(), found) if found else None

    @property
    def params(self) -> Mapping[str, int]:
        """The times in force; the own settings' where no log is known."""
        return self._reader.state.params or self._settings.times.params()

    @property
    def act(self) -> int:
        """How long an effect may take to leave (ms): a shorter one that is ordered holds at once for what is
        sent, and late for what is in doubt."""
        coming = self._reader.state.coming.get("act")
        return min(self.params["act"], coming.value) if coming is not None else self.params["act"]

    def act_by(self) -> int:
        """Own boot time in ms by which an effect that is about to start must have left this process: ACT from
        now, or the end of the hold time where that is earlier and one runs."""
        state, boot = self._reader.state, self._hearing.boot()
        hold = self._hearing.duties.hold.until(state)
        return boot + self.act if hold is None else min(hold, boot + self.act)
