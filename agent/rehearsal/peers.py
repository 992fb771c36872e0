"""The other agents of a story: real members of the control topic that say and hold what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from agent.control_topic import PRODUCTION, ControlTopic, Settings, Surroundings
from agent.rehearsal.cases import Peer
from agent.rehearsal.memory_log import Line, MemoryLog

# A story's log and agents have been there for a while: it would only wait for settling and probation.
TIMES = replace(PRODUCTION, settle=0, probation=0)


def member(log: Line, node: int, clock: Callable[[], int]) -> ControlTopic:
    """One agent's part in the control topic; any may be the first."""
    settings = Settings(f"broker-{node}", f"host-{node}", create=True, times=TIMES)
    return ControlTopic(log, settings, Surroundings(clock))


class Peers:
    """By node id; a peer joins when it is first spoken of."""

    def __init__(self, log: MemoryLog, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock
        self._topics: dict[int, ControlTopic] = {}
        self._claims: dict[int, int] = {}
        self._work: list[asyncio.Task[None]] = []

    def tell(self, node: int, peer: Peer) -> None:
        """What it says and holds from now on."""
        self._work.append(asyncio.ensure_future(self._obey(node, peer)))

    async def _obey(self, node: int, peer: Peer) -> None:
        if node not in self._topics:
            self._topics[node] = member(Line(self._log), node, self._clock)
            await self._topics[node].start()
        topic = self._topics[node]
        if peer.firing is not None:
            topic.set_firing(sorted(peer.firing))
        if peer.holds is None:
            return
        if node in self._claims:
            await topic.release(self._claims.pop(node), "cancelled")
        if peer.holds:
            claim = await topic.claim(
                "rehearsed", peer.holds, f"rehearsed/broker-{node}", "as the story says"
            )
            self._claims[node] = claim
            await topic.granted(claim)
