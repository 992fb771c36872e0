"""This agent's part in the control topic: reads, beats, joins again, and does what the daemon asks of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from agent.control import words
from agent.control.bodies import MAX_PLAN, SINCE
from agent.control.budgets import WAITING
from agent.control.carried import lost_effect
from agent.control.claims import DIRTY, GRANTED, ORPHAN, QUEUED, STUCK
from agent.control.gossip import Peer
from agent.control.lost import Lost
from agent.control.orders import current_name
from agent.control.overview import overview
from agent.control.past import identity, number_of
from agent.control.state import Claim, Limit, State
from agent.control.times import Settings
from agent.control_topic.life import Life
from agent.control_topic.ports import ClaimVoid, ControlUnavailable, Log, NotAccepted, Surroundings
from agent.model import Called

MAX_WORDS = 512  # of a claim's `why`
GOODBYE = 2.0  # seconds for the last record


class ControlTopic:
    """Everything here is on one event loop. What waits ends with ControlUnavailable in degraded mode."""

    def __init__(self, log: Log, settings: Settings, around: Surroundings) -> None:
        self._agent = settings.agent
        self._host = settings.host
        self._node = int(settings.agent.removeprefix("broker-"))
        self._life = Life(log, settings, around)

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

    async def start(self) -> None:
        """Joins the log; returns when that is done, or cannot be for now (`degraded`). It goes on trying."""
        await self._life.start()

    async def close(self, *, leave: bool = True) -> None:
        """Leave, as well as that can be done in two seconds. What is dirty is its own to adopt again, and
        where it does not `leave`, its own alone until peers take it for dead."""
        if leave:
            with suppress(ControlUnavailable, NotAccepted, TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await self._life.write("leave", {})
        await self._life.stop()

    async def claim(  # noqa: PLR0913  what a claim's record holds
        self,
        kind: str,
        scopes: Sequence[str],
        problem: str,
        why: str,
        *,
        limit: Limit | None = None,
        by_anyone: bool = False,
        plan: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Queues a claim; its id. Raises NotAccepted (no budget, rate, handled, `held_back` …) and
        ControlUnavailable.

        `by_anyone`: where its holder dies, any agent may finish or undo it, from the effect in its intent;
        else only one on this host. `plan`: where (resource, key) its stamp would stand, so that it is found
        there even where its intent is lost.
        """
        body: dict[str, object] = {
            "kind": kind,
            "scopes": list(scopes),
            "problem": problem,
            "host": "" if by_anyone else self._host,
            "priority": 5,
            "why": why[:MAX_WORDS],
        }
        if limit:
            body["limit"] = {"name": limit.name, "rate": limit.rate, "window": limit.window}
        if plan and SINCE["claim", "plan"] <= self.state.version:
            body["plan"] = [{"resource": resource, "key": key} for resource, key in plan[:MAX_PLAN]]
        return await self._life.write("claim", body)

    async def found(
        self, kind: str, scopes: Sequence[str], problem: str, effect_json: str, *, host: str
    ) -> int:
        """Tells of an effect that stands in the cluster although no open claim holds it: an orphan from now
        on, even beyond a cap. Its id; errors are those of `claim`. `host`: only that one may close it; empty:
        any."""
        body = {
            "kind": kind,
            "scopes": list(scopes),
            "problem": problem,
            "host": host,
            "effect": json.loads(effect_json),
        }
        return await self._life.write("found", body)

    def adopts_where(self, able: Callable[[Claim], bool]) -> None:
        """Orphans of which this is not so are left to whoever is able to finish them, or to a person."""
        self._life.duties.able = able

    @property
    def host(self) -> str:
        """Of this agent, as its claims have it."""
        return self._host

    def lost(self) -> tuple[Lost, ...]:
        """Claims of which something stood, and of which the log knows nothing since it, or its tail, was
        lost: others', and own ones for which a join had no room."""
        return self._life.permission.lost()

    def lost_effect(self, claim: Claim) -> str | None:
        """The effect (JSON) of a claim whose intent went with a lost tail, where this agent had read it."""
        return lost_effect(self._life.hearing.keeping.kept, claim)

    def named(self, claim_id: int) -> Called:
        """What an open claim is called whatever becomes of the log: ids are used again."""
        claim = self.state.claims.get(claim_id)
        return claim_id if claim is None else identity(claim)

    async def granted(self, name: Called) -> int:
        """Waits till the log's order grants the claim and its effect may begin; its token.

        A granted claim still waits behind a barrier, while the log settles, in its session's probation, while
        it is paused, till peers agree on the log, and while what went with a lost tail may have its room.
        Raises ClaimVoid, ControlUnavailable.
        """
        await self._life.until(lambda: not self._waits(name))
        claim = self.own_claim(name)
        if claim is None:
            raise ClaimVoid(self._why_none(name))
        if claim.state is ORPHAN or claim.adoptions:
            raise ClaimVoid("its session ended while it may have begun: it is only closed now")
        if self.degraded or self._waits(name):
            raise ControlUnavailable(self.degraded or "the control topic was closed")
        return claim.token

    def _waits(self, name: Called) -> bool:
        claim = self.own_claim(name)
        if claim is None or self.degraded:
            return False
        return claim.state is QUEUED or (claim.state is GRANTED and bool(self.blockers(claim.id)))

    def blockers(self, claim_id: int) -> tuple[str, ...]:
        """For whom or what a claim waits that has not begun, one sentence each."""
        claim = self.state.claims.get(claim_id)
        if claim is None or claim.state not in WAITING:
            return ()
        more = self._life.duties.not_ready(self.state), self._life.permission.lost_holds(claim_id)
        return (*words.blockers(self.state, claim_id), *(why for why in more if why))

    async def intent(self, name: Called, effect_json: str, *, via: int | None = None) -> None:
        """The effect (as wire.encode_effect writes it) is in the log before it is in the world.

        On a claim that is dirty already it extends the effect. `via` is the node the effect is sent to, the
        own one unless named. Raises NotAccepted; after ControlUnavailable the claim may be dirty.
        """
        claim = self._own(name)
        node = self._node if via is None else via
        effect = json.loads(effect_json)
        await self._life.write(
            "intent", {"id": claim.id, "token": claim.token, "effect": effect, "via": node}
        )
        await self._life.keep()

    async def barrier(self, name: Called | None = None, *, undo: bool = False) -> None:
        """A beat, written and seen accepted: all that was in the log before it has been folded.

        With a claim it waits as long as the barrier after a change of leader stands, and raises NotAccepted
        where no effect of the claim may start then: it is another's, the hold time is over, it is paused, or
        there is no room under the cap in force; the last two stop no `undo`.
        """
        await self._beat()
        while name is not None and self.state.barrier:
            await self._life.until(lambda: not self.state.barrier or self.degraded is not None)
            await self._beat()
        if name is not None and (why := self.objection(name, undo=undo)):
            raise NotAccepted(why)

    async def _beat(self) -> None:
        await self._life.write("beat", self._life.duties.outbox.beat())

    def objection(self, name: Called, *, undo: bool = False) -> str | None:
        """Why no effect of the claim, or no undo of it, may start at this instant, as far as was read."""
        claim = self.own_claim(name)
        return self._life.permission.objection(claim.id if claim else -1, undo=undo)

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

    async def joined(self) -> None:
        """Waits till no join is under way any more."""
        await self._life.until(lambda: not self.joining)

    def claim_called(self, name: Called) -> Claim | None:
        """The open claim that is called so, or was before a lost tail, whoever holds it."""
        return self._life.hearing.past.called(self.state.claims, name)

    def is_called(self, claim: Claim, name: Called) -> bool:
        """Whether the claim is called so, or was before a lost tail."""
        return self._life.hearing.past.is_called(claim, name)

    def current_name(self, claim: str) -> str:
        """The name that an open claim has now, where this is the only one that was called so."""
        return current_name(self.state, self._life.hearing.past, claim)

    def end_of(self, name: Called) -> str:
        """Why a claim was closed, as far as is remembered."""
        return self._life.hearing.ended.get(number_of(name), "closed")

    def _why_none(self, name: Called) -> str:
        return self._life.hearing.ended.get(number_of(name), "this agent has no such open claim")

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

    async def release(self, name: Called, outcome: str) -> None:
        """Close an own claim: `done`, `undone` or `cancelled`; one that is closed already is left at that.

        `cancelled` of a claim that became dirty after all (its intent was in doubt) counts as `undone`; but
        not where a join declared it again meanwhile: what it set may stand.
        """
        before = self.own_claim(name)
        for last in (False, True):
            await self._life.until(lambda: not self._is_orphan(name) or self.degraded is not None)
            claim = self.own_claim(name)
            if claim is None:
                return
            end = "undone" if outcome == "cancelled" and claim.state is DIRTY else outcome
            if end != outcome and (before is None or before.session != claim.session):
                raise NotAccepted("it was declared again: what it set may stand")
            try:
                await self._life.write("release", {"id": claim.id, "token": claim.token, "outcome": end})
                return
            except NotAccepted:  # it may have been granted, or dropped, while this was on its way
                if last:
                    raise

    def _is_orphan(self, name: Called) -> bool:
        claim = self.own_claim(name)
        return claim is not None and claim.state is ORPHAN

    async def note(self, entry_line: str) -> None:
        """Fleet-wide history, written when there is time; too long or too many are dropped and counted."""
        self._life.duties.outbox.note(entry_line, self.boot)
        self._life.nudge()

    def set_firing(self, names: Iterable[str], status: str = "") -> None:
        """What the next beats carry, the first names at least; a change of the names is beaten soon."""
        self._life.duties.outbox.say(tuple(dict.fromkeys(names)), status)
        self._life.nudge()

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

    def former_holders(self, claim: Claim) -> frozenset[str]:
        """The agents that held it before who has it now, as far as this one has read the log."""
        return self._life.hearing.past.holders(claim)

    def pauses(self) -> list[str]:
        """What people have paused for all agents, a sentence each."""
        return words.pauses(self.state)

    def overview(self) -> dict[str, Any]:
        """The fleet as plain data, as far as the log was read; see agent.control.overview."""
        return overview(self.state, self._life.hearing.gossip)

    async def order(self, t: str, x: Mapping[str, object]) -> int:
        """Writes a person's record (pause, budget, params, resolve, raise); its offset, once it was seen
        accepted. Raises NotAccepted, BadRecord, and ControlUnavailable, after which it may still land."""
        return await self._life.write(t, x)

    def peers(self) -> Mapping[str, Peer]:
        """The other live agents by name, and what they last said."""
        return self._life.hearing.gossip.peers(self.state, self._agent)

    def _own(self, name: Called) -> Claim:
        claim = self.own_claim(name)
        if claim is None:
            raise NotAccepted(self._why_none(name))
        return claim
