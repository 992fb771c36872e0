"""What a live session owes the log now: adoptions, what went with a lost tail, votes, beats (coordination.md
section 4, rules 7 to 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.control.adopter import Able, Adopter, anyone, own_orphans
from agent.control.agreement import Agreement
from agent.control.beats import epoch_jitter
from agent.control.fold import Verdict
from agent.control.hold import Hold
from agent.control.lost import Lost, Restorer
from agent.control.outbox import Outbox
from agent.control.snapshot_duty import SnapshotDuty
from agent.control.state import Claim, State
from agent.control.times import EVERY
from agent.control.witness import Witness

Duty = tuple[str, Mapping[str, object]]  # type and body of a record
Heard = tuple[int, int | None]  # when an own record was last seen accepted, and since when something fails


class Duties:
    """Mutable, without I/O. Instants are own boot times in ms."""

    def __init__(self, agent: str, mark_every: int = EVERY) -> None:
        self.hold = Hold()
        self.agreement = Agreement()
        self.outbox = Outbox()
        self.snapshots = SnapshotDuty(mark_every)
        self.restorer = Restorer()
        self.able: Able = anyone
        self._witness = Witness()
        self._adopter = Adopter()
        self._agent = agent
        self._mark_every = mark_every
        self._epoch = -1
        self._epoch_at = 0  # when it was seen

    def saw(self, state: State, verdict: Verdict, session: int | None, boot: int) -> None:
        """One folded record and the state after it; `session` is the own one."""
        self._witness.saw(state, verdict, boot)
        self._adopter.saw(verdict, boot)
        self.hold.saw(state, verdict, session)
        self.agreement.saw(state, verdict, self._agent, session)
        self.snapshots.saw(state, verdict, boot)
        if state.epoch != self._epoch:
            self._epoch, self._epoch_at = state.epoch, boot

    def drop(self) -> None:
        """The session ended."""
        self.hold.drop()
        self.agreement.drop()

    def refold(self) -> None:
        """The state was dropped, and the log is folded again."""
        self.drop()
        self.snapshots = SnapshotDuty(self._mark_every)
        self.restorer = Restorer()
        self._witness = Witness()
        self._adopter = Adopter()
        self._epoch = -1

    def to_adopt(self, state: State, session: int, boot: int) -> Claim | None:
        """What others left, where it is this session's turn; only once peers agree on the log: by its word it
        is undone."""
        if self.not_ready(state) is not None:
            return None
        return next(self._adopter.others_orphans(state, session, boot, self.able), None)

    def own_left(self, state: State, session: int) -> Claim | None:
        """What the own former life left, to be adopted at once."""
        return next(own_orphans(state, session, self.able), None)

    def next(
        self,
        state: State,
        session: int,
        heard: Heard,
        boot: int,
        *,
        reaches: bool = True,
        lost: Sequence[Lost] = (),
    ) -> Duty | None:
        """What session `session` should write now; None while nothing is due. `reaches`: whether this agent
        could undo what others left; `lost`: what the log does not know any more."""
        if (own := self.own_left(state, session)) is not None:
            return "adopt", {"id": own.id, "token": own.token}
        if reaches and (left := self.to_adopt(state, session, boot)) is not None:
            return "adopt", {"id": left.id, "token": left.token}
        votes = list(self._witness.votes(state, session))
        silent = {state.sessions[vote.session].agent for vote in votes}
        if (found := self.restorer.next(state, session, lost, boot, silent)) is not None:
            return "found", found
        for vote in votes:
            return "expire", vote.body()
        return ("beat", self.outbox.beat()) if self.due(state, session, heard) <= boot else None

    def due(self, state: State, session: int, heard: Heard) -> int:
        """When the next beat is due; at once, but for some jitter, under a new leader and where something
        failed since the last one: it tells whether the log can be used, and idle agents beat seldom."""
        accepted_at, failed_at = heard
        due = self.outbox.due(state, accepted_at, holds(state, session))
        at_once = [self._epoch_at] if session in state.barrier else []
        at_once += [] if failed_at is None else [failed_at]
        return min([due, *(at + epoch_jitter(state, session) for at in at_once)])

    def not_ready(self, state: State) -> str | None:
        """Why this agent begins nothing yet, however well its claim stands."""
        return self.agreement.differing() or self.agreement.missing(state, self._agent)


def holds(state: State, session: int | None) -> bool:
    """Whether the session has claims, queued ones included."""
    return any(claim.session == session for claim in state.claims.values())
