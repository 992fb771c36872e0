"""Of which cluster this agent is, and whether that is the log's (coordination.md section 4, rule 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent.control.membership import Membership
from agent.control.state import State
from agent.kafka.errors import KafkaError, KafkaUnreachable
from agent.kafka.metadata import Place

EVERY = 30.0  # seconds
AGAIN = 1.0  # seconds, while nobody knows
PATIENCE = 2.0  # seconds: a join does not wait longer for brokers that may be the patients


class OwnCluster:
    """Asks the own brokers before each genesis and join, and lets `member` say what they told."""

    def __init__(self, place: Callable[[], Awaitable[Place]] | None, member: Membership) -> None:
        self._place = place
        self._member = member
        self._again_at = 0.0  # by the loop's time: who cannot join tries five times a second
        self._unknown: str | None = None

    async def unknown(self, kept: str) -> str | None:
        """Why nobody can tell, in words; None once it is known. Where no broker answers it is what they said
        last, or what this agent has `kept`: the cluster of the log that it belongs to."""
        now = asyncio.get_running_loop().time()
        if self._place is not None and now >= self._again_at:
            self._unknown = await self._ask(self._place, kept)
            self._again_at = now + (EVERY if self._unknown is None else AGAIN)
        return self._unknown

    async def _ask(self, place: Callable[[], Awaitable[Place]], kept: str) -> str | None:
        try:
            told = await self._asked(place)
        except KafkaError as error:
            told = Place(self._member.cluster or kept, None)
            if not told.cluster:
                return f"the own brokers do not say of which cluster they are: {error}"
        self._member.identify(told.cluster, self._member.rack if told.rack is None else told.rack)
        return None

    @staticmethod
    async def _asked(place: Callable[[], Awaitable[Place]]) -> Place:
        try:
            async with asyncio.timeout(PATIENCE):
                return await place()
        except TimeoutError as error:
            raise KafkaUnreachable("the own brokers", f"no answer within {PATIENCE:g} s") from error

    def stranger(self, state: State) -> str | None:
        """Why this agent does nothing at all with a log: it is another cluster's. One that does not say whose
        it is takes everybody, and an agent that nobody told goes everywhere."""
        return other_cluster(state, self._member.cluster)


def other_cluster(state: State, own: str) -> str | None:
    """That the log is not of the cluster `own`, in words."""
    if not state.cluster or not own or state.cluster == own:
        return None
    return (
        f"the log {state.log} is of the cluster {state.cluster}, and this agent's is {own}: "
        f"name its own control topic (control.topic, control.bootstrap_servers)"
    )
