"""Who is asked about the cluster, and who of it is fenced: one broker may not know that it is cut off."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agent.kafka.errors import KafkaError
from agent.kafka.metadata import BrokerInfo
from agent.sources.admin_port import FactsAdmin
from agent.sources.side_by_side import Calls

_AVOIDED_MS = 60_000  # a peer that did not answer is asked again
_TURN_MS = 60_000  # then the next peer tells: one whose own view stands still answers all the same
_OWN = "own brokers"


class Witnesses:
    """What a peer, which changes each minute, and the own broker say of the brokers there are.

    Who is fenced says the peer, and the own broker as well, unless it is not alive by the peer's word: then
    it may be the one that is cut off. Nobody is asked whom one of the two does not list as alive, while there
    are others.
    """

    def __init__(self, admin: FactsAdmin, node_id: int) -> None:
        self.brokers: Mapping[int, BrokerInfo] = {}  # as the peer sees them
        self._admin = admin
        self._node_id = node_id
        self._own: Mapping[int, BrokerInfo] = {}  # as the own broker does; empty where it does not say
        self._calls = Calls((_OWN,), self._own_is_silent)
        self._silent: dict[int, int] = {}  # peers that did not answer, and when they were asked
        self._since: int | None = None  # the first turn began

    async def ask_peer(self, now: int) -> None:
        """Ask a peer for the brokers, or anybody where it does not answer. KafkaError where nobody does."""
        asked = self.peer(now)
        if asked != self._node_id:
            try:
                self.brokers = await self._admin.brokers(ask=asked)
            except KafkaError:
                self.was_silent(asked, now)
            else:
                return
        self.brokers = await self._admin.brokers()

    def begin_own(self, now: int) -> None:
        """Begin to ask the own broker, which costs others nothing; whether it hangs, nobody waits to see."""
        self._calls.begin(_OWN, now, self._ask_own)

    async def wait(self, seconds: float) -> None:
        """Wait so long at most for the own broker."""
        await self._calls.wait(seconds)

    def was_silent(self, node: int, now: int) -> None:
        """It did not answer what it was asked at `now`."""
        self._silent[node] = now

    @property
    def fenced(self) -> frozenset[int]:
        """Who is."""
        told = self.brokers.keys() - _alive(self.brokers)
        if self._node_id in _alive(self.brokers):
            told |= self._own.keys() - _alive(self._own)
        return frozenset(told)

    def peer(self, now: int) -> int:
        """Whom to ask; the own broker where there is nobody else."""
        if self._since is None or now < self._since:
            self._since = now
        alive = _alive(self.brokers)
        agreed = alive & _alive(self._own)
        if agreed - {self._node_id}:
            alive = agreed
        silent = {node for node, at in self._silent.items() if 0 <= now - at < _AVOIDED_MS}
        return peer(self._node_id, sorted(alive), silent, (now - self._since) // _TURN_MS)

    async def _ask_own(self, _now: int) -> None:
        self._own = await self._admin.brokers(ask=self._node_id)

    def _own_is_silent(self, _call: str, _asked_at: int) -> None:
        self._own = {}


def peer(node_id: int, alive: Sequence[int], silent: Collection[int], turn: int = 0) -> int:
    """Whom to ask: one live broker after the other from this one on in a ring by node id, a turn each, but
    none that was silent.

    Alone, a broker asks itself. So the agents of a cluster spread their questions.
    """
    others = [node for node in alive if node != node_id]
    willing = [node for node in others if node not in silent] or others
    ring = sorted(willing, key=lambda node: (node < node_id, node))
    return ring[turn % len(ring)] if ring else node_id


def _alive(brokers: Mapping[int, BrokerInfo]) -> frozenset[int]:
    return frozenset(node for node, broker in brokers.items() if not broker.fenced)
