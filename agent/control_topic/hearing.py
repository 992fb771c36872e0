"""What each record that was read, and each failure to read, means for this agent's part in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from agent.control.claims import CLOSED
from agent.control.duties import Duties
from agent.control.fold import Verdict
from agent.control.gossip import Gossip
from agent.control.membership import JOINING, READING, Membership
from agent.control.past import Past
from agent.control.state import State
from agent.control.times import Settings
from agent.control.unrest import Unrest
from agent.control_topic.keeping import Keeping
from agent.control_topic.own_cluster import other_cluster
from agent.control_topic.pen import Pen
from agent.control_topic.ports import RETRY, ControlUnavailable, Log, Surroundings

_LOG = logging.getLogger(__name__)
PATIENCE = 10.0  # seconds until a writer is told that its record was not seen
REMEMBERED = 1_024  # ends of claims


class Hearing:
    """The parts of a life that follow the log; the reader's listener. `nudge` is called where something is to
    be written soon, `fold_again` where the state may be wrong."""

    def __init__(self, log: Log, settings: Settings, around: Surroundings, nudge: Callable[[], None]) -> None:
        self.boot = around.boot or around.clock
        self.member = Membership(settings, self.boot())
        self.duties = Duties(settings.agent, settings.mark_every)
        self.gossip, self.unrest, self.past = Gossip(), Unrest(), Past()
        self.keeping = Keeping(around.memory, settings.agent)
        self.pen = Pen(log, PATIENCE, self.failed)
        self.ended: dict[int, str] = {}  # why claims were closed, the latest ones
        self.ghosts: list[int] = []  # claims that were accepted after their writer had given up
        self.fold_again: Callable[[str], None] = lambda _: None
        self._folded_again = ""  # because of the stamps of this peer
        self._log = log
        self._clock = around.clock
        self.nudge = nudge

    def saw(self, state: State, verdict: Verdict) -> None:
        """One record, and the state after it."""
        record = verdict.record
        key = self.member.key(record) if record else None
        if state.log not in (self._log.topic_id, ""):
            self.member.halt(f"its genesis names the log {state.log}, but the topic is {self._log.topic_id}")
        self.member.saw(state, verdict, self.boot())
        self.duties.saw(state, verdict, self.member.session, self.boot())
        self.gossip.saw(state, verdict)
        self.unrest.saw(state, verdict)
        self.past.saw(state, verdict)
        self.keeping.saw(state, verdict)
        self._compare()
        if verdict.marked is not None:
            self.nudge()
        self._remember_ends(verdict)
        awaited = key is not None and self.pen.saw(key, (state.offset, verdict.void))
        if key and record and record.t == "claim" and verdict.void is None and not awaited:
            self.ghosts.append(state.offset)
        self.after_trouble()

    def _remember_ends(self, verdict: Verdict) -> None:
        for move in verdict.moves:
            if move.after is CLOSED:
                self.ended[move.claim] = move.event
        while len(self.ended) > REMEMBERED:
            del self.ended[next(iter(self.ended))]

    def _compare(self) -> None:
        """A peer that comes to another state: one of us is wrong, so fold again, once until it agrees."""
        differs = self.duties.agreement.differs()
        if self.duties.agreement.agrees(self._folded_again):
            self._folded_again = ""
        if differs and not self._folded_again:
            self._folded_again = differs
            self.fold_again(self.duties.agreement.differing() or "")

    def failed(self, why: str, what: str = READING) -> None:
        """A read or a write failed, or JOINING did; it is tried again."""
        self.member.fail(why, self.boot(), self._clock(), what)
        self.after_trouble()

    def looked(self) -> None:
        """A second has passed, in which something may have gone on failing."""
        self.member.watch(self.boot(), self._clock())
        self.after_trouble()

    async def losing(self, state: State, why: str) -> None:
        """The state is about to be dropped; what only it knows is kept first, however long that takes."""
        _LOG.warning("control topic: its tail was lost: %s", why)
        foreign = other_cluster(state, self.member.cluster) is not None
        while True:
            try:
                return await self.keeping.losing(state, foreign=foreign)
            except ControlUnavailable as error:
                self.failed(str(error), JOINING)
                await asyncio.sleep(RETRY)

    def lost(self, why: str) -> None:
        """The state was dropped: no earlier join counts any more."""
        self.member.lose_tail(why)
        self.duties.refold()
        self.gossip, self.unrest = Gossip(), Unrest()
        self.ended.clear()
        self.pen.abandon(why, joins=True)
        self.after_trouble()

    def gone(self, state: State) -> None:
        """The log is gone: whether it was followed to its end counts in the one that is made in its place."""
        self.keeping.gone(state, self.duties.hold.since, self.boot())

    def halted(self, why: str) -> None:
        """Nothing is read any more."""
        _LOG.error("control topic: %s", why)
        self.member.halt(why)
        self.after_trouble()

    def after_trouble(self) -> None:
        """Without a session whatever waits for the log is told so, and a fresh join comes first."""
        if self.member.session is None:
            self.duties.drop()
            self.ghosts.clear()  # a fresh join drops whatever waits
            self.pen.abandon(self.member.degraded or "")
            self.nudge()
