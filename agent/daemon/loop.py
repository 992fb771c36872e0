"""The daemon: samples in, one round of decisions whenever something changed, one task an incident."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from agent.daemon.attempt import Attempt, Means
from agent.daemon.carry import Carrier
from agent.daemon.sight import Sight
from agent.decide import ESCALATE, decide, endings
from agent.history import Incident, Phase
from agent.journal import JournalFailed
from agent.model import Decision, Entry, Kind, Operation, Sample

log = logging.getLogger(__name__)
ROUND_S = 1.0  # the longest time between two rounds
AGAIN_MS = 3_000  # between two tries of a decision that was refused
JUDGE_MS = 5_000  # between two judgements of all rules, new samples or not
UNDO_S = 30.0  # what stopping may take


class Daemon:
    """Turns what is seen into entries and tasks. Everything here runs on one event loop."""

    def __init__(self, means: Means, sight: Sight) -> None:
        self._means = means
        self.sight = sight
        self.carriers: dict[str, Carrier] = {}
        self.beat_at = means.clock()  # of the newest round: whether the loop turns
        self._down: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tried: dict[str, int] = {}
        self._judged_at = 0
        self._wake = asyncio.Event()
        self._stopping = False

    def take(self, samples: list[Sample]) -> None:
        """One reading of a source, its own series `ottla_source_up` included."""
        for sample in samples:
            if sample.name == "ottla_source_up":
                (self._down.discard if sample.value else self._down.add)(dict(sample.labels)["source"])
        self.sight.take(samples, self._means.clock(), frozenset(self._down))
        self._wake.set()

    def replace(self, sight: Sight) -> None:
        """New rules from now on. Incidents that are under way keep what opened them."""
        self.sight = sight
        self._wake.set()

    async def recover(self) -> None:
        """After a start: claims that waited are gone; what may stand is carried on by the first round."""
        for incident in list(self._means.ledger.history.incidents.values()):
            if incident.phase is Phase.WAITING:
                reason = "the agent restarted while the claim waited"
                entry = Entry(self._means.clock(), Kind.REFUSED, reason, incident.id, question="restart")
                await self._means.ledger.record(entry)

    async def run(self) -> None:
        """Rounds until `stop`."""
        while not self._stopping:
            try:
                await self._round()
            except JournalFailed as error:
                log.error("nothing new is begun: %s", error)
                await asyncio.sleep(ROUND_S)
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), ROUND_S)
            except TimeoutError:
                continue

    async def stop(self, *, handover: bool) -> None:
        """Begin nothing new; put back what is reversible (30 s at most), or leave all to a successor."""
        self._stopping = True
        self._wake.set()
        waiting = []
        for key, task in list(self._tasks.items()):
            carrier = self.carriers.get(key)
            if carrier is None or handover or _moves_data(carrier.incident):
                task.cancel()  # a move of data goes on by itself, and is found again
            else:
                carrier.ask_undo("the agent stops")
                waiting.append(task)
        if waiting:
            await asyncio.wait(waiting, timeout=UNDO_S)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(self) -> None:
        now = self._means.clock()
        self.beat_at = now
        due = self.sight.alerts.next_deadline(now)
        if now - self._judged_at >= JUDGE_MS:  # absence and sliding windows show only in time
            self._judged_at = now
            self.sight.judge(now, None, frozenset(self._down))
        elif due is not None and due <= now:
            self.sight.judge(now, frozenset(), frozenset(self._down))
        alerts, remedies = self.sight.alerts.active(), self.sight.book.remedies
        for entry in endings(alerts, remedies, self._means.ledger.history, now):
            if entry.incident not in self._tasks:
                await self._means.ledger.record(entry)
        for incident in self._means.ledger.history.standing():
            if incident.id not in self._tasks and now - self._tried.get(incident.id, 0) >= AGAIN_MS:
                self._tried[incident.id] = now  # a carrier that fails at once must not spin
                self._spawn(incident.id, self._carry(incident.id, resumed=True))
        for decision in decide(alerts, remedies, self._means.ledger.history, now):
            await self._propose(decision, now)
        if self._means.control is not None:
            self._means.control.set_firing(sorted({a.rule for a in self.sight.firing()}))

    async def _propose(self, decision: Decision, now: int) -> None:
        patient = f"{decision.alert}/{decision.target}"
        busy = decision.incident in self._tasks or patient in self._tasks
        if busy or now - self._tried.get(patient, 0) < AGAIN_MS:
            return
        self._tried[patient] = now
        if decision.do == ESCALATE:
            words = "the rule's last step: a person is needed"
            await self._means.ledger.record(
                Entry(now, Kind.ESCALATED, words, decision.incident, decision=decision)
            )
            return
        self._spawn(patient, self._attempt(decision))

    async def _attempt(self, decision: Decision) -> None:
        if await Attempt(self._means, decision).start():
            self._tried[decision.incident] = self._means.clock()
            self._spawn(decision.incident, self._carry(decision.incident, resumed=False))

    async def _carry(self, incident: str, *, resumed: bool) -> None:
        carrier = self.carriers[incident] = Carrier(self._means, incident)
        try:
            await carrier.carry(resumed=resumed)
        finally:
            del self.carriers[incident]

    def _spawn(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=key)
        self._tasks[key] = task
        task.add_done_callback(lambda ended: self._ended(key, ended))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        self._wake.set()
        if task.cancelled() or task.exception() is None:
            return
        if isinstance(task.exception(), JournalFailed):
            log.error("%s waits for the journal: %s", key, task.exception())
            return
        log.error("%s ended by a fault of ours", key, exc_info=task.exception())


def _moves_data(incident: Incident) -> bool:
    changes = incident.effect.changes if incident.effect else ()
    return incident.phase is Phase.ACTING and any(c.operation is Operation.MOVE for c in changes)
