"""This agent's part in the control topic: reads, beats, joins again, and does what the daemon asks of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from agent.control import words
from agent.control.claims import DIRTY, QUEUED
from agent.control.gossip import Peer
from agent.control.state import Claim, Limit, State
from agent.control.times import Settings
from agent.control_topic.life import Life
from agent.control_topic.ports import ClaimVoid, ControlUnavailable, CreateTopic, Log, NotAccepted

MAX_WORDS = 512  # of a claim's `why`
GOODBYE = 2.0  # seconds for the last record


class ControlTopic:
    """Everything here is on one event loop. What waits ends with ControlUnavailable in degraded mode."""

    def __init__(
        self, log: Log, settings: Settings, clock: Callable[[], int], create_topic: CreateTopic | None = None
    ) -> None:
        self._agent = settings.agent
        self._host = settings.host
        self._node = int(settings.agent.removeprefix("broker-"))
        self._clock = clock
        self._life = Life(log, settings, clock, create_topic)

    @property
    def state(self) -> State:
        """The folded state."""
        return self._life.reader.state

    @property
    def degraded(self) -> str | None:
        """Why nothing may be claimed now, in words; None while all is well."""
        return self._life.member.degraded

    @property
    def caught_up(self) -> bool:
        """Whether everything readable was read."""
        return self._life.reader.caught_up

    @property
    def notes_dropped(self) -> int:
        """How many notes were too long, too many or void."""
        return self._life.outbox.dropped

    async def start(self) -> None:
        """Joins the log; returns when that is done, or cannot be for now (`degraded`). It goes on trying."""
        await self._life.start()

    async def close(self) -> None:
        """Leave, as well as that can be done in two seconds. What is dirty stays this agent's."""
        with suppress(ControlUnavailable, NotAccepted, TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._life.write("leave", {})
        await self._life.stop()

    async def claim(
        self, kind: str, scopes: Sequence[str], problem: str, why: str, *, limit: Limit | None = None
    ) -> int:
        """Queues a claim; its id. Raises NotAccepted (no budget, rate, handled …) and ControlUnavailable."""
        body: dict[str, object] = {
            "kind": kind,
            "scopes": list(scopes),
            "problem": problem,
            "host": self._host,
            "priority": 5,
            "why": why[:MAX_WORDS],
        }
        if limit:
            body["limit"] = {"name": limit.name, "rate": limit.rate, "window": limit.window}
        return await self._life.write("claim", body)

    async def granted(self, claim_id: int) -> int:
        """Waits till the log's order grants the claim; its token. Raises ClaimVoid, ControlUnavailable."""
        await self._life.until(lambda: not self._waits(claim_id))
        claim = self.own_claims().get(claim_id)
        if claim is None:
            raise ClaimVoid(self._life.ended.get(claim_id, "this agent has no such open claim"))
        if claim.state is QUEUED or self.degraded:
            raise ControlUnavailable(self.degraded or "the control topic was closed")
        return claim.token

    def _waits(self, claim_id: int) -> bool:
        claim = self.own_claims().get(claim_id)
        return claim is not None and claim.state is QUEUED and not self.degraded

    def blockers(self, claim_id: int) -> tuple[str, ...]:
        """For whom a queued claim waits, one sentence a holder."""
        return words.blockers(self.state, claim_id)

    async def intent(self, claim_id: int, effect_json: str, *, via: int | None = None) -> None:
        """The effect (as wire.encode_effect writes it) is in the log before it is in the world.

        On a claim that is dirty already it extends the effect. `via` is the node the effect is sent to, the
        own one unless named. Raises NotAccepted; after ControlUnavailable the claim may be dirty.
        """
        claim = self._own(claim_id)
        node = self._node if via is None else via
        effect = json.loads(effect_json)
        await self._life.write(
            "intent", {"id": claim.id, "token": claim.token, "effect": effect, "via": node}
        )

    async def barrier(self) -> None:
        """A beat, written and seen accepted: all that was in the log before it has been folded."""
        await self._life.write("beat", self._life.outbox.beat())

    async def release(self, claim_id: int, outcome: str) -> None:
        """Close an own claim: `done`, `undone` or `cancelled`; one that is closed already is left at that.

        `cancelled` of a claim that became dirty after all (its intent was in doubt) counts as `undone`.
        """
        for last in (False, True):
            claim = self.own_claims().get(claim_id)
            if claim is None:
                return
            end = "undone" if outcome == "cancelled" and claim.state is DIRTY else outcome
            try:
                await self._life.write("release", {"id": claim_id, "token": claim.token, "outcome": end})
            except NotAccepted:  # it may have been granted, or dropped, while this was on its way
                if last:
                    raise

    async def note(self, entry_line: str) -> None:
        """Fleet-wide history, written when there is time; too long or too many are dropped and counted."""
        self._life.outbox.note(entry_line, self._clock())
        self._life.nudge()

    def set_firing(self, names: Iterable[str], status: str = "") -> None:
        """What the next beats carry; a change of the names is beaten soon."""
        self._life.outbox.say(tuple(sorted(set(names))), status)
        self._life.nudge()

    def own_claims(self) -> Mapping[int, Claim]:
        """This agent's open claims; after a restart those that its former life left dirty."""
        return {i: claim for i, claim in self.state.claims.items() if claim.agent == self._agent}

    def peers(self) -> Mapping[str, Peer]:
        """The other live agents by name, and what they last said."""
        return self._life.gossip.peers(self.state, self._agent)

    def _own(self, claim_id: int) -> Claim:
        claim = self.own_claims().get(claim_id)
        if claim is None:
            raise NotAccepted(self._life.ended.get(claim_id, "this agent has no such open claim"))
        return claim
