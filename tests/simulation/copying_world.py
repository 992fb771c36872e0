"""The cluster whose replicas move between log dirs: a copy goes on whatever becomes of who asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from agent.control.state import Claim
from agent.rehearsal.disks import Disks, Replica, Volume
from agent.wire import decode_effect
from simulation.brokers import Request
from simulation.cluster_world import Alteration, ClusterWorld, Values
from simulation.process_loop import Kernel

SIZE = 2 << 30  # bytes of each replica
COPIED = 1 << 30  # bytes a second
SLOWLY = COPIED >> 4  # … of a broker whose disks are slow
TOTAL = 10 << 30  # of each log dir
DIRS = ("/a", "/b")
REPLICAS = 4


@dataclass(frozen=True)
class Moving(Alteration):
    """One request: moves of replicas of one broker, whose resource is `dirs/` and its number."""

    moves: tuple[tuple[Replica, str], ...] = ()


class CopyingWorld(ClusterWorld):
    """Each broker has two log dirs; it alone takes moves of its replicas."""

    def __init__(self, kernel: Kernel, nodes: int, random: Random, values: Values) -> None:
        super().__init__(kernel, nodes, random, values)
        self._copies: dict[tuple[int, Replica], str] = {}  # whose each move is
        self._disks = {n: _disks(n) for n in self.nodes if n}
        self._at = dict.fromkeys(self._disks, 0.0)  # until when each broker's copies were worked out
        self._slow: set[int] = set()

    @staticmethod
    def home(resource: str) -> int:
        """The controller takes all but moves of replicas."""
        return int(resource.removeprefix("dirs/")) if resource.startswith("dirs/") else 0

    def in_the_world(self) -> set[str]:
        """Also those of which a replica is under way."""
        return super().in_the_world() | self._copied()

    def flies(self, claim: Claim) -> bool:
        """… or is copied."""
        effect = decode_effect(claim.effect) if claim.effect else None
        return super().flies(claim) or (effect is not None and self.name_of(effect) in self._copied())

    def execute(self, request: Request) -> None:
        """Moves begin, or are cancelled."""
        wanted = request.wanted
        if not isinstance(wanted, Moving):
            return super().execute(request)
        node = self.home(wanted.key[0])
        disks = self.disks(node)
        for key, path in wanted.moves:
            mover = self._copies.get((node, key), request.effect)
            if key in disks.futures and mover != request.effect:
                self.broken.append(f"I2: {request.effect} moves {key[0]}-{key[1]}, which {mover} copies")
            assert disks.move(key, path) is None
            self._copies[node, key] = request.effect
        return self.told(f"executed: {dict(wanted.moves)} at broker {node}", request)

    def disks(self, node: int) -> Disks:
        """A broker's, as they are by now."""
        disks, now = self._disks[node], self.kernel.now
        if not self.nodes[node].stopped:
            disks.pass_time(now - self._at[node], SLOWLY if node in self._slow else COPIED)
        self._at[node] = now
        return disks

    def copies_slowly(self, number: int, *, slowly: bool) -> None:
        """From now on."""
        self.disks(number)
        (self._slow.add if slowly else self._slow.discard)(number)

    def stop(self, number: int) -> None:
        """Its copies stop, too."""
        if number:
            self.disks(number)
        super().stop(number)

    def wake(self, number: int) -> None:
        """… and go on."""
        if number:
            self.disks(number)
        super().wake(number)

    def restart(self, number: int) -> None:
        """… and go on from where they were."""
        if number:
            self.disks(number)
        super().restart(number)

    def _copied(self) -> set[str]:
        return {self._copies[each] for each in self._copying()}

    def _copying(self) -> list[tuple[int, Replica]]:
        return [(node, key) for node in self._disks for key in self.disks(node).futures]


def _disks(node: int) -> Disks:
    replicas = {(f"d{node}", p): (DIRS[0], SIZE) for p in range(REPLICAS)}
    return Disks({path: Volume(TOTAL) for path in DIRS}, replicas)
