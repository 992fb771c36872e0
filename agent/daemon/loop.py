"""The daemon: samples in, one round of decisions whenever something changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

from agent.daemon.alert_log import AlertLog
from agent.daemon.carry import Carrier
from agent.daemon.crew import Crew
from agent.daemon.down_now import DownNow
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.decide import ESCALATE, decide, endings
from agent.history import History, Phase
from agent.journal import JournalFailed
from agent.model import Decision, Entry, Kind, RuleHealth, Sample
from agent.report import doing
from agent.series import Touched

log = logging.getLogger(__name__)
ROUND_S = 1.0  # the longest time between two rounds

Judge = Callable[[Sight, int, Touched | None, frozenset[str]], None]  # as Sight.judge


class Daemon:
    """Turns what is seen into entries and tasks. Everything here runs on one event loop.

    `judge` is called when rules are due; it may do so later, and then has to `wake` us. `unread`: the sources
    that were not read yet; what rests on them cannot be judged before.
    """

    def __init__(
        self, means: Means, sight: Sight, judge: Judge = Sight.judge, unread: Iterable[str] = ()
    ) -> None:
        self._means = means
        self._judge = judge
        self.sight = sight
        self.alert_log = AlertLog()
        self.crew = Crew(means, self._ended)
        self.beat_at = means.clock()  # of the newest round: whether the loop turns
        self._down = DownNow(unread)
        self._seen: Sight | None = None  # whose rules were all judged once
        self._told: tuple[tuple[str, ...], str] | None = None  # to the peers
        self._wake = asyncio.Event()
        self._stopping = False

    def take(self, samples: list[Sample], began: float) -> None:
        """One reading of a source, what it tells of itself included; it `began` by the loop's time."""
        switched = self._down.hear(samples)
        now = self._means.clock()
        # New samples wake just the rules that read them, a source that went or came those that need it.
        touched = self.sight.take(samples, began * 1_000, now)
        touched |= Touched.by_change(self.sight.given_by(switched))
        self._judge(self.sight, now, touched, self._down.all())
        self.wake()

    def wake(self) -> None:
        """Something has changed: the next round is now."""
        self._wake.set()

    def replace(self, sight: Sight) -> None:
        """New rules from now on. What has begun goes on as it was decided."""
        self.sight = sight
        self._wake.set()

    async def recover(self) -> None:
        """After a start: claims that waited are gone; what may stand is carried on by the first round."""
        self.crew.recover()
        with suppress(JournalFailed):  # the ledger shows it; each round tries again
            await self._stop_waiting("the agent restarted while the claim waited")

    @property
    def carriers(self) -> Mapping[str, Carrier]:
        """Who carries what stands, by incident."""
        return self.crew.carriers

    def standing(self) -> tuple[str, ...]:
        """The incidents of which something may stand."""
        return self.crew.standing()

    def ask_undo(self, incident: str, reason: str) -> None:
        """Undo it soon: see Crew."""
        self.crew.ask_undo(incident, reason)

    async def run(self) -> None:
        """Rounds until `stop`."""
        while not self._stopping:
            try:
                await self._round()
            except JournalFailed as error:
                log.error("nothing new is begun: %s", error)
                await asyncio.sleep(ROUND_S)
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(ROUND_S):  # wait_for would make a task each time
                    await self._wake.wait()

    async def stop(self, *, handover: bool) -> None:
        """Begin nothing new; put back what is reversible (30 s at most), or leave all to a successor."""
        self._stopping = True
        self._wake.set()
        await self.crew.stop(handover=handover)

    async def _round(self) -> None:
        now = self._means.clock()
        self.beat_at = now
        due = self.sight.alerts.next_deadline(now)
        if self._seen is not self.sight:  # from then on samples and the rules' own timers wake them
            self._seen = self.sight
            self._judge(self.sight, now, None, self._down.all())
        elif due is not None and due <= now:
            self._judge(self.sight, now, Touched(), self._down.all())
        alerts, remedies = self.sight.alerts.active(), self.sight.book.remedies
        self.crew.carry_on(now)  # first: it needs no entry, and what follows may fail with the journal
        self.alert_log.look(alerts, now)
        await self._stop_waiting("the wait for the claim was cut short")
        known = self._means.ledger.history
        for entry in endings(alerts, remedies, known, now, self.sight.end_of):
            if self._is_as(known, entry.incident) and self._judged(entry.incident):
                await self._record_as(known, entry)
        known = self._means.ledger.history
        for decision in decide(alerts, remedies, known, now):
            if self._is_as(known, decision.incident):
                await self._propose(known, decision, now)
        self._tell_peers(now)

    def _tell_peers(self, now: int) -> None:
        """What fires and what is done: only what is new, since each word wakes the control topic's writer."""
        acted_on = self.sight.book.remedies  # of these a peer asks whether others show the same
        names = sorted({a.rule for a in self.sight.firing()}, key=lambda name: (name not in acted_on, name))
        told = tuple(names), doing(self._means.ledger.history, now)
        if self._means.control is not None and told != self._told:
            self._means.control.set_firing(*told)
            self._told = told

    async def _propose(self, known: History, decision: Decision, now: int) -> None:
        if not self.crew.may_begin(decision, now):
            return
        if decision.do == ESCALATE:
            words = "the rule's last step: a person is needed"
            entry = Entry(now, Kind.ESCALATED, words, decision.incident, decision=decision)
            await self._record_as(known, entry)
            return
        self.crew.begin(decision)

    async def _record_as(self, known: History, entry: Entry) -> None:
        """Where its incident is still so by its turn: an entry of a cancelled attempt may come before."""
        await self._means.ledger.record(entry, partial(self._is_as, known, entry.incident))

    def _is_as(self, known: History, incident: str) -> bool:
        """Whether it is nobody's, and still as it was when this round looked: while an entry is written, an
        attempt may end with one of its own."""
        now = self._means.ledger.history.incidents.get(incident)
        return not self.crew.busy(incident) and now == known.incidents.get(incident)

    def _judged(self, incident: str) -> bool:
        """Whether its rule, if there still is one, can be judged, or was given up: no other ends anything."""
        decision = self._means.ledger.history.incidents[incident].decision
        if decision.alert not in self.sight.book.remedies:
            return True
        alerts, which = self.sight.alerts, (decision.alert, decision.labels)
        return alerts.health(*which) is RuleHealth.OK or bool(alerts.given_up(*which))

    async def _stop_waiting(self, reason: str) -> None:
        """Who waits for a claim without an attempt would wait for ever. Each is looked at right before its
        entry: while that of another is written, an attempt may end with one of its own."""
        for name in list(self._means.ledger.history.incidents):
            known = self._means.ledger.history
            one = known.incidents.get(name)
            if one is not None and one.phase is Phase.WAITING and not self.crew.busy(name):
                entry = Entry(self._means.clock(), Kind.REFUSED, reason, name, question="claim")
                await self._record_as(known, entry)

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._wake.set()
        if task.cancelled() or task.exception() is None:
            return
        if isinstance(task.exception(), JournalFailed):
            log.error("%s waits for the journal: %s", key, task.exception())
            return
        log.error("%s ended by a fault of ours", key, exc_info=task.exception())
