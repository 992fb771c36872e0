"""A drain under a claim of agent 1, on a broker whose copies go on and never end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fenced_cluster import Cluster

from agent.actions.throttles import MOVE_RATE
from agent.daemon.compared import Moves
from agent.model import Change, Effect, Operation
from agent.rehearsal.disks import Disks, Volume

ORDERS = ("orders", 0)
LIMIT = Change("broker/1", MOVE_RATE, Operation.SET, None, "1000003")
MOVE = Change("replica/orders-0", "log.dir", Operation.MOVE, "/d1", "/d2")
DRAIN = Effect("drain_disk", "broker-1", (LIMIT, MOVE))
SCOPES = "disk_drain", "x:broker/1"


def _disks() -> Disks:
    return Disks({path: Volume(1 << 40) for path in ("/d1", "/d2")}, {ORDERS: ("/d1", 1 << 30)})


@dataclass
class Copying(Cluster):
    """Agent 1's broker has two log dirs."""

    disks: Disks = field(default_factory=_disks)
    moved: bool = False  # begun to

    def begin(self) -> None:
        """What the drain does: a limit, and a copy."""
        self.values["broker/1"] = {MOVE_RATE: str(LIMIT.new)}
        self.late_move()

    def late_move(self) -> None:
        """A request to move it is executed, whoever asked for that and when."""
        assert self.disks.move(ORDERS, "/d2") is None
        self.moved = True

    async def log_dirs(self, broker: int) -> Any:
        """The broker's, as Kafka tells it."""
        assert broker == 1
        return self.disks.described()

    async def ready_to_move(self, broker: int, moves: Moves, ms: int) -> Any:
        """The request."""
        assert (broker, ms) == (1, self.act)
        move = self.disks.move
        return _Moving(lambda: {key: why for key, path in moves.items() if (why := move(key, path))})


@dataclass
class _Moving:
    """One request, which is executed when it is answered."""

    execute: Callable[[], Moves]

    async def send(self) -> None:
        """It has left."""

    async def answer(self) -> Moves:
        """What was refused."""
        return self.execute()

    async def close(self) -> None:
        """Nothing to do."""
