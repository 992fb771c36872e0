"""This agent's part in the control topic: reads, beats, joins again, and does what the daemon asks of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from agent.control.bodies import MAX_PLAN, SINCE
from agent.control.claims import DIRTY, GRANTED, ORPHAN, QUEUED
from agent.control.past import number_of
from agent.control.state import Claim, Limit
from agent.control.times import Settings
from agent.control_topic.as_read import AsRead
from agent.control_topic.life import Life
from agent.control_topic.ports import ClaimVoid, ControlUnavailable, Log, NotAccepted, Surroundings
from agent.model import Called

MAX_WORDS = 512  # of a claim's `why`
GOODBYE = 2.0  # seconds for the last record


class ControlTopic(AsRead):
    """What waits for the log, or writes to it; what it tells at once is in AsRead. Everything here is on one
    event loop. What waits ends with ControlUnavailable in degraded mode."""

    def __init__(self, log: Log, settings: Settings, around: Surroundings) -> None:
        super().__init__(Life(log, settings, around), settings)
        self._node = int(settings.agent.removeprefix("broker-"))

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

    async def joined(self) -> None:
        """Waits till no join is under way any more."""
        await self._life.until(lambda: not self.joining)

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

    def _own(self, name: Called) -> Claim:
        claim = self.own_claim(name)
        if claim is None:
            raise NotAccepted(self._why_none(name))
        return claim

    def _why_none(self, name: Called) -> str:
        return self._life.hearing.ended.get(number_of(name), "this agent has no such open claim")

    async def note(self, entry_line: str) -> None:
        """Fleet-wide history, written when there is time; too long or too many are dropped and counted."""
        self._life.duties.outbox.note(entry_line, self.boot)
        self._life.nudge()

    def set_firing(self, names: Iterable[str], status: str = "") -> None:
        """What the next beats carry, the first names at least; a change of the names is beaten soon."""
        self._life.duties.outbox.say(tuple(dict.fromkeys(names)), status)
        self._life.nudge()

    async def order(self, t: str, x: Mapping[str, object]) -> int:
        """Writes a person's record (pause, budget, params, resolve, raise); its offset, once it was seen
        accepted. Raises NotAccepted, BadRecord, and ControlUnavailable, after which it may still land."""
        return await self._life.write(t, x)
