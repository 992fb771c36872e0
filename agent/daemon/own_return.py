"""Whether the own broker is away, or came back a moment ago: what is not in sync then no action did."""

from __future__ import annotations

from agent.gate import World

RETURN_MS = 60_000  # what a broker that came back needs until its replicas are in sync again


class OwnReturn:
    """Of the broker `node_id`, as the views of the cluster show it when they are looked at."""

    def __init__(self, node_id: int) -> None:
        self._node_id = node_id
        self._away_at: int | None = None  # when it was last seen fenced

    def follow(self, former: OwnReturn) -> None:
        """Go on where it was under other rules."""
        self._away_at = former._away_at

    def set_clock(self, by_ms: int, now: int) -> None:
        """The wall clock was set by so much, and says `now`: no time has passed by that."""
        if self._away_at is not None:
            self._away_at = min(self._away_at + max(by_ms, 0), now)

    def look(self, world: World | None, now: int) -> bool:
        """Whether it is one of the two, by this view and those before."""
        if world is not None and self._node_id in world.fenced:
            self._away_at = now
        return self._away_at is not None and now - self._away_at < RETURN_MS
