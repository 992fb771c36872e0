"""What the control topic tells, as far as this agent has read it: of itself, of claims, of the fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.control import words
from agent.control.budgets import WAITING
from agent.control.carried import lost_effect
from agent.control.claims import ORPHAN, STUCK
from agent.control.gossip import Peer
from agent.control.lost import Lost
from agent.control.orders import current_name
from agent.control.overview import overview
from agent.control.past import identity, number_of
from agent.control.state import Claim, State
from agent.control.times import Settings
from agent.control_topic.life import Life
from agent.model import Called


class AsRead:
    """Answers at once: nothing here waits or writes."""

    def __init__(self, life: Life, settings: Settings) -> None:
        self._agent = settings.agent
        self._host = settings.host
        self._life = life

    @property
    def state(self) -> State:
        """The folded state."""
        return self._life.reader.state

    @property
    def degraded(self) -> str | None:
        """Why nothing may be claimed now, in words; None while all is well."""
        return self._life.member.degraded or self.differing

    @property
    def differing(self) -> str | None:
        """Which peer comes to another state from the same log, in words; nobody acts meanwhile."""
        return self._life.duties.agreement.differing()

    def unrest(self) -> list[str]:
        """What goes on too often in the log, a sentence each: joins under one name, changes of its leader."""
        return list(self._life.hearing.unrest.words(self.state))

    def held_back(self) -> list[str]:
        """Why this agent begins nothing yet in a log that was made again, a sentence; mostly none."""
        why = None if self.degraded else self._life.permission.not_heard()
        return [why] if why else []

    @property
    def caught_up(self) -> bool:
        """Whether everything readable was read."""
        return self._life.reader.caught_up

    @property
    def joins(self) -> int:
        """How many processes joined the log under this agent's name so far: its incarnation."""
        return self.state.incarnations.get(self._agent, 0)

    @property
    def notes_dropped(self) -> int:
        """How many notes were too long, too many or void."""
        return self._life.duties.outbox.dropped

    def snapshots(self) -> dict[str, Any]:
        """How the log stands for joiners: the place of its `newest` snapshot (-1: none was seen) and the
        `bytes` of one, the `log_start` that retention has left, from where this agent `folded`, how many it
        `refused`, and what a person should know (`faults`, a sentence each)."""
        return self._life.snapshots.standing()

    @property
    def params(self) -> Mapping[str, int]:
        """The times in force (coordination.md section 5), in ms."""
        return self._life.permission.params

    @property
    def params_read(self) -> bool:
        """Whether `params` are the log's, and not the own settings'."""
        return bool(self.state.params)

    @property
    def joining(self) -> bool:
        """Whether `degraded` is only that a join is under way, with nothing known to stand in its way."""
        return self._life.member.joining

    @property
    def act(self) -> int:
        """How long an effect may take to leave (ms)."""
        return self._life.permission.act

    def act_by(self) -> int:
        """Own boot time (ms) by which an effect that is about to start must have left this process."""
        return self._life.permission.act_by()

    @property
    def boot(self) -> int:
        """Own boot time in ms, suspends included."""
        return self._life.hearing.boot()

    @property
    def host(self) -> str:
        """Of this agent, as its claims have it."""
        return self._host

    def own_claims(self) -> Mapping[int, Claim]:
        """This agent's open claims: those it holds, and those that its former life left dirty, which are
        orphans until it has adopted them. What only a person can close is no longer its own."""
        return {claim.id: claim for claim in self.state.claims.values() if self._is_own(claim)}

    def _is_own(self, claim: Claim) -> bool:
        adoptable = claim.state is not ORPHAN or claim.host in ("", self._host)
        return claim.holder == self._agent and claim.state is not STUCK and adoptable

    def own_claim(self, name: Called) -> Claim | None:
        """The own open claim that is called so, or was before a lost tail: it was declared again since."""
        return self._life.hearing.past.called(self.own_claims(), name)

    def in_hand(self, name: Called) -> bool:
        """Whether this life of the agent holds it: it has joined, and adopted what a former one had."""
        claim = self.own_claim(name)
        return claim is not None and claim.session == self._life.member.session

    def claim_called(self, name: Called) -> Claim | None:
        """The open claim that is called so, or was before a lost tail, whoever holds it."""
        return self._life.hearing.past.called(self.state.claims, name)

    def is_called(self, claim: Claim, name: Called) -> bool:
        """Whether the claim is called so, or was before a lost tail."""
        return self._life.hearing.past.is_called(claim, name)

    def current_name(self, claim: str) -> str:
        """The name that an open claim has now, where this is the only one that was called so."""
        return current_name(self.state, self._life.hearing.past, claim)

    def named(self, claim_id: int) -> Called:
        """What an open claim is called whatever becomes of the log: ids are used again."""
        claim = self.state.claims.get(claim_id)
        return claim_id if claim is None else identity(claim)

    def former_holders(self, claim: Claim) -> frozenset[str]:
        """The agents that held it before who has it now, as far as this one has read the log."""
        return self._life.hearing.past.holders(claim)

    def end_of(self, name: Called) -> str:
        """Why a claim was closed, as far as is remembered."""
        return self._life.hearing.ended.get(number_of(name), "closed")

    def blockers(self, claim_id: int) -> tuple[str, ...]:
        """For whom or what a claim waits that has not begun, one sentence each."""
        claim = self.state.claims.get(claim_id)
        if claim is None or claim.state not in WAITING:
            return ()
        more = self._life.duties.not_ready(self.state), self._life.permission.lost_holds(claim_id)
        return (*words.blockers(self.state, claim_id), *(why for why in more if why))

    def objection(self, name: Called, *, undo: bool = False) -> str | None:
        """Why no effect of the claim, or no undo of it, may start at this instant, as far as was read."""
        claim = self.own_claim(name)
        return self._life.permission.objection(claim.id if claim else -1, undo=undo)

    def lost(self) -> tuple[Lost, ...]:
        """Claims of which something stood, and of which the log knows nothing since it, or its tail, was
        lost: others', and own ones for which a join had no room."""
        return self._life.permission.lost()

    def lost_effect(self, claim: Claim) -> str | None:
        """The effect (JSON) of a claim whose intent went with a lost tail, where this agent had read it."""
        return lost_effect(self._life.hearing.keeping.kept, claim)

    def pauses(self) -> list[str]:
        """What people have paused for all agents, a sentence each."""
        return words.pauses(self.state)

    def peers(self) -> Mapping[str, Peer]:
        """The other live agents by name, and what they last said."""
        return self._life.hearing.gossip.peers(self.state, self._agent)

    def overview(self) -> dict[str, Any]:
        """The fleet as plain data, as far as the log was read; see agent.control.overview."""
        return overview(self.state, self._life.hearing.gossip)
