"""Why an effect is put back whatever is seen of it."""

from __future__ import annotations

import asyncio

from agent.daemon.holding import Holding
from agent.daemon.lease import Lease
from agent.daemon.means import Means
from agent.daemon.standing import Standing


def ran() -> float:
    """Ms that this process ran, since any instant."""
    return asyncio.get_running_loop().time() * 1_000


class Early:
    """The end of one incident before its verdict. `asked`: why a person, or whoever speaks for one, wants it
    undone; None where nobody does."""

    def __init__(self, means: Means, one: Standing, holding: Holding) -> None:
        self._means = means
        self._one = one
        self._holding = holding
        self._lease = Lease()
        self.asked: str | None = None

    def why(self) -> str | None:
        """A person, the lease, or who has ended it already; None where it goes on."""
        if self.asked is not None:
            return self.asked
        if self._lease.ended(self._one.incident, self._means.clock(), ran()):
            return "the lease ended"
        return "another ended it" if self._holding.closed() is not None else None
