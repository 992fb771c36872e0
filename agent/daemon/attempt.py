"""From a decision to a written start: plan, gate, claim, plan and gate again on fresh data, record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from agent import gate
from agent.actions import restamp, spec, stands_at
from agent.control.records import BadRecord
from agent.control_topic import ClaimVoid, ControlTopic, ControlUnavailable, Limit, NotAccepted
from agent.daemon.at_gate import AtGate
from agent.daemon.last_look import last_look, still_fires
from agent.daemon.means import Means
from agent.daemon.retold import is_told
from agent.daemon.world_guard import elsewhere, objection
from agent.history import Incident, same_step
from agent.kafka.errors import KafkaError
from agent.model import Called, Decision, Effect, Entry, Kind, Rate, Refusal
from agent.wire import encode_effect

GRANT_S = 0.3  # a free claim is granted within one round trip; only what takes longer is worth an entry
LOOK_S = 0.5
MAX_NAME = 200  # characters, of a limit


class Attempt:
    """One decision on its way to a start. Nothing here touches the world but the claim."""

    def __init__(self, means: Means, decision: Decision) -> None:
        self._means = means
        self._decision = decision
        self._action = means.actions[decision.do]
        self._gate = AtGate(means, decision, self._action)
        self._claim: Called = -1
        self._plan: Effect | None = None  # the last one
        self.taken_back: Refusal | None = None  # why, though that may not be written

    async def start(self) -> bool:
        """True where STARTED is written and, where it claims, the claim is dirty."""
        plan = await self._allowed()
        if isinstance(plan, Refusal):
            return await self._refuse(plan)
        scopes, stamps = self._action.scopes(plan), stands_at(plan)
        if not scopes and self._per_cluster():
            words = "per_cluster is counted by claims, and this needs none: use per_host"
            return await self._refuse(Refusal("rates", words))
        if not scopes:
            return await self._write(plan, None)
        try:
            return await self._with_claim(scopes, stamps)
        finally:  # held by its incident from now on, or given back; what neither did the sweep will
            self._means.claims.discard(self._claim)

    async def _with_claim(self, scopes: tuple[str, ...], stamps: tuple[tuple[str, str], ...]) -> bool:
        claim = await self._granted(scopes, stamps)
        if claim is None:
            return False
        plan = await self._allowed()
        if isinstance(plan, Effect) and not set(self._action.scopes(plan)) <= set(scopes):
            plan = Refusal("cluster's claim", "what it would change is not what was claimed any more")
        if isinstance(plan, Refusal):
            return await self._take_back(plan, claim, "cancelled")
        return await self._write(restamp(plan, claim), claim)

    async def _allowed(self) -> Effect | Refusal:
        """The plan, where nothing objects; the cheap questions come before the plan's reads."""
        refusal = await self._gate.objection(None)
        if refusal is not None:
            return refusal
        decision = self._decision
        self._remember_planning()
        try:
            plan = await self._action.plan(self._means.ports, target=decision.target, **dict(decision.args))
        except (KafkaError, OSError) as error:
            return Refusal("preconditions", f"the plan could not be made: {error}")
        if isinstance(plan, Refusal):
            return plan
        self._plan = plan
        return await self._gate.objection(plan) or plan

    def _remember_planning(self) -> None:
        now, planned = self._means.clock(), self._means.planned
        for incident in [name for name, at in planned.items() if not 0 <= now - at < gate.ASKED_MS]:
            del planned[incident]
        planned[self._decision.incident] = now

    async def _granted(self, scopes: tuple[str, ...], stamps: tuple[tuple[str, str], ...]) -> int | None:
        """The claim's id once the log's order grants it; None where it was refused or no longer wanted.
        `stamps`: where its stamp would stand."""
        control, decision = self._means.control, self._decision
        if control is None:
            await self._refuse(
                Refusal("control topic", "no control topic is configured, and this needs a claim")
            )
            return None
        # The host is part of it: the same path, or the same rule, on another host is another problem.
        node = self._means.ports.node_id
        problem = f"{decision.alert}/{decision.step}/broker-{node}/{decision.target}"
        try:
            why = f"{decision.do} on {decision.target}"
            limit, anyone = self._limit(), spec(type(self._action)).adoptable
            claim = await control.claim(
                decision.do, scopes, problem, why, limit=limit, by_anyone=anyone, plan=stamps
            )
            self._claim = control.named(claim)
            self._means.claims.add(self._claim)
            return claim if await self._await_grant(control, claim) else None
        except (ClaimVoid, NotAccepted, ControlUnavailable, BadRecord) as error:
            await self._refuse(Refusal("cluster's claim", str(error)))
            return None

    def _limit(self) -> Limit | None:
        """The remedy's own for the whole cluster, counted by its alert's name."""
        rate = self._per_cluster()
        return Limit(self._decision.alert[:MAX_NAME], rate.count, rate.window_ms) if rate else None

    def _per_cluster(self) -> Rate | None:
        remedy = self._means.sight().book.remedies.get(self._decision.alert)
        return remedy.limits.per_cluster if remedy else None

    async def _await_grant(self, control: ControlTopic, claim: int) -> bool:
        grant = asyncio.ensure_future(control.granted(self._claim))
        told, patience = "", GRANT_S
        try:
            while not (await asyncio.wait({grant}, timeout=patience))[0]:
                words = "; ".join(control.blockers(claim)) or "the log's order has not granted it yet"
                if not still_fires(self._means, self._decision):
                    await self._withdraw()
                    return False
                refusal = await self._gate.unwanted()
                if refusal is not None:
                    return await self._take_back(refusal, claim, "cancelled")
                if words != told:
                    await self._record(Kind.WAITING, words, claim=claim)
                told, patience = words, LOOK_S
            grant.result()
            return True
        finally:
            grant.cancel()

    async def _write(self, effect: Effect, claim: int | None) -> bool:
        """Write down, then do: the entry, the intent, the barrier, and the gate once more."""
        refusal = await self._started(effect, claim)
        if refusal is not None:
            return await self._take_back(refusal, claim, "cancelled")
        control = self._means.control
        try:
            if claim is not None and control is not None:
                await control.intent(self._claim, encode_effect(effect))
                if self._means.fence is not None:
                    return True  # each effect looks once more by itself, the first one too
                await control.barrier(self._claim)
        except (ClaimVoid, NotAccepted, ControlUnavailable, BadRecord) as error:
            return await self._take_back(Refusal("cluster's claim", str(error)), claim, "cancelled")
        refusal = await last_look(self._means, self._means.ledger.history.incidents[self._decision.incident])
        if refusal is None and claim is not None:
            seen = await elsewhere(self._means.ports, spec(type(self._action)).sign)
            refusal = objection(control, self._claim, seen)
        return refusal is None or await self._take_back(refusal, claim, "undone")

    async def _started(self, effect: Effect, claim: int | None) -> Refusal | None:
        """Writes it down; or what objects by its turn. While it waits, a person may deny or pause, or
        another attempt begin on the same target."""
        objections: list[Refusal] = []

        def unopposed() -> bool:
            objections.extend(filter(None, [self._gate.objection_by_now()]))
            return not objections

        lease = self._decision.lease_ms
        until = self._means.clock() + lease if lease is not None else None
        more: dict[str, Any] = {"effect": effect, "claim": claim, "until": until, "boot": self._means.boot()}
        await self._record(Kind.STARTED, "nothing objects", unopposed, **more)
        return objections[0] if objections else None

    async def _take_back(self, refusal: Refusal, claim: int | None, outcome: str) -> bool:
        self.taken_back = refusal
        await self._refuse(refusal)
        if claim is not None:
            await self._release(outcome)
        return False

    async def _release(self, outcome: str) -> None:
        if self._means.control is not None:
            try:
                await self._means.control.release(self._claim, outcome)
            except (NotAccepted, ControlUnavailable):
                return  # the claim stays ours; the next join of this agent finds it and closes it

    async def _withdraw(self) -> None:
        await self._release("cancelled")
        await self._record(Kind.WITHDRAWN, "the alert ended while the claim waited")

    async def _refuse(self, refusal: Refusal) -> bool:
        """Edges only: the same refusal again is no new fact. What only lacks a person's word is proposed."""
        known = self._means.ledger.history.incidents.get(self._decision.incident)
        stands = known is not None and known.stands
        if (
            known
            and not stands
            and same_step(known.decision, self._decision)
            and is_told(known, refusal, self._plan, self._means.clock())
        ):
            return False
        asked = refusal.question == gate.APPROVAL and not stands
        kind, plan = (Kind.PROPOSED, self._plan) if asked else (Kind.REFUSED, None)
        still = partial(self._is_as, known) if asked else None
        await self._record(kind, refusal.reason, still, question=refusal.question, effect=plan)
        return False

    def _is_as(self, known: Incident | None) -> bool:
        """Whether nobody answered since it was looked at: behind an answer nothing is proposed anew."""
        return self._means.ledger.history.incidents.get(self._decision.incident) is known

    async def _record(
        self, kind: Kind, reason: str, still: Callable[[], bool] | None = None, **more: Any
    ) -> None:
        entry = Entry(self._means.clock(), kind, reason, self._decision.incident, decision=self._decision)
        epoch = None if isinstance(self._claim, int) or more.get("claim") is None else self._claim[1]
        await self._means.ledger.record(replace(entry, claim_epoch=epoch, **more), still)
