"""Who works at which incident: a task that attempts to start, then one that carries what may stand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from agent.daemon.attempt import Attempt
from agent.daemon.carry import Carrier
from agent.daemon.means import Means
from agent.daemon.this_life import ThisLife
from agent.daemon.tries import Tries
from agent.history import Incident, Phase
from agent.model import Decision, Operation

UNDO_S = 30.0  # what stopping may take


class Crew:
    """One task an incident; an attempt goes by its patient, since its incident may not be written yet.

    `ended` is called with each that is over.
    """

    def __init__(self, means: Means, ended: Callable[[str, asyncio.Task[None]], None]) -> None:
        self._means = means
        self._ended = ended
        self.carriers: dict[str, Carrier] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}  # by patient, then by incident
        self.deciding: dict[str, Attempt] = {}  # by incident: theirs until the start is written and looked at
        self._tries = Tries()
        self._life = ThisLife(means)
        self._stopping = False

    def recover(self) -> None:
        """After a start: what stands was begun by a former life."""
        self._life.begin()

    def standing(self) -> tuple[str, ...]:
        """The incidents of which something may stand."""
        return self._life.standing()

    def busy(self, incident: str) -> bool:
        """Whether one of them works at it."""
        return incident in self.tasks or incident in self.deciding

    def carry_on(self, now: int) -> None:
        """What stands is carried by somebody, however the one before ended."""
        for incident in self.standing():
            if not self.busy(incident) and not self._stopping and self._tries.again(incident, now):
                self._carry(incident, resumed=True)

    def may_begin(self, decision: Decision, now: int) -> bool:
        """Whether nobody attempts it, nor did a moment ago; to be asked this counts as a try."""
        patient = _patient(decision)
        return not (patient in self.tasks or self._stopping) and self._tries.again(patient, now)

    def begin(self, decision: Decision) -> None:
        """Attempt it, and carry what comes of that."""
        self._spawn(_patient(decision), self._attempt(decision))

    def ask_undo(self, incident: str, reason: str) -> None:
        """Undo it soon: now, where nobody carries it yet; where its start is just written, after that.

        Whoever carries it is asked, until nothing of it stands: who cannot write down what it did ends.
        """
        self._life.undo_asked[incident] = reason
        if incident in self.carriers:
            self.carriers[incident].ask_undo(reason)
        elif incident not in self.deciding:
            self._carry(incident, resumed=True)

    async def stop(self, *, handover: bool) -> None:
        """Begin nothing new; put back what is reversible (30 s at most), or leave all to a successor."""
        self._stopping = True
        attempts = [task for key, task in self.tasks.items() if key not in self.carriers]
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        standing = self.standing()
        waiting = [self.tasks[i] for i in self.carriers if i not in standing]  # giving back their claims
        for one in self._means.ledger.history.standing():
            if not handover and not _moves_data(one):  # a move of data goes on by itself, and is found again
                self.ask_undo(one.id, "the agent stops")
                waiting.append(self.tasks[one.id])
            elif one.id in self.tasks:
                self.tasks[one.id].cancel()
        if waiting:
            await asyncio.wait(waiting, timeout=UNDO_S)
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _attempt(self, decision: Decision) -> None:
        name = decision.incident
        self._life.begin_step(name)
        attempt, started = Attempt(self._means, decision), False
        self.deciding[name] = attempt
        try:
            started = await attempt.start()
        finally:
            del self.deciding[name]
            self._life.end_start(name, attempt.taken_back)
        if started:
            self._carry(name, resumed=False)

    def _carry(self, incident: str, *, resumed: bool) -> None:
        """There from now on, so that no order to it is lost before its task first runs."""
        evidence = self._life.evidence(incident, resumed=resumed)
        carrier = self.carriers[incident] = Carrier(self._means, incident, evidence)
        if (asked := self._life.undo_asked.get(incident)) is not None:
            carrier.ask_undo(asked)
        self._spawn(incident, carrier.carry(resumed=resumed))

    def _spawn(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=key)
        self.tasks[key] = task
        task.add_done_callback(lambda ended: self._is_over(key, ended))

    def _is_over(self, key: str, task: asyncio.Task[None]) -> None:
        if self.tasks.get(key) is task:
            del self.tasks[key]
            self.carriers.pop(key, None)
            self._life.forget(key)
        self._ended(key, task)


def _patient(decision: Decision) -> str:
    """What an attempt is at: there is one at a time."""
    return f"{decision.alert}/{decision.target}"


def _moves_data(incident: Incident) -> bool:
    changes = incident.effect.changes if incident.effect else ()
    return incident.phase is Phase.ACTING and any(c.operation is Operation.MOVE for c in changes)
