"""What a claimed action has read of what it writes, and whether that is still so.

Between an action's comparison and its write lie a beat at least, and perhaps a join, or a barrier. So the
last look reads it once more (coordination.md section 4, rule 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent.actions import Changed
from agent.actions.ports import AdminPort
from agent.kafka.configs import ConfigChange
from agent.kafka.log_dirs import LogDir

Moves = Mapping[tuple[str, int], str]  # by topic and partition: a log dir, or an error's name
_Places = frozenset[tuple[str, bool]]  # log dirs with a replica, and whether it is yet to be swapped


class Compared:
    """Reads of settings and of log dirs; the newest of each counts as what was compared."""

    def __init__(self, admin: AdminPort) -> None:
        self._admin = admin
        self._values: dict[tuple[str, str], str | None] = {}  # by resource and key; None is absent
        self._dirs: dict[int, tuple[LogDir, ...]] = {}

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        """As AdminPort has it."""
        values = await self._admin.configs(resource, keys)
        self._values |= {(resource, key): values.get(key) for key in keys or ()}
        return values

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        """As AdminPort has it."""
        found = await self._admin.topic_configs(topics, keys)
        for topic, values in found.items():
            self._values |= {(f"topic/{topic}", key): values.get(key) for key in keys or ()}
        return found

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """As AdminPort has it."""
        self._dirs[broker] = await self._admin.log_dirs(broker)
        return self._dirs[broker]

    async def same_values(self, changes: Sequence[ConfigChange]) -> None:
        """Raises Changed where what these changes of one resource write over is not what was compared."""
        resource, keys = changes[0].resource, [change.key for change in changes]
        now = await self._now(resource, keys)
        for key in keys:
            before = self._values.get((resource, key), now.get(key))
            if now.get(key) != before:
                raise Changed(f"{key} of {resource} was {_told(before)}, and is {_told(now.get(key))} now")

    async def same_places(self, broker: int, moves: Moves) -> None:
        """Raises Changed where a replica does not lie, or is not on its way, as it was compared."""
        before, now = self._dirs.get(broker), await self._admin.log_dirs(broker)
        for topic, partition in moves if before is not None else ():
            if _places(before or (), topic, partition) != _places(now, topic, partition):
                raise Changed(f"{topic}-{partition} was moved, or is being moved, by another")

    async def _now(self, resource: str, keys: Sequence[str]) -> Mapping[str, str]:
        if not resource.startswith("topic/"):
            return await self._admin.configs(resource, keys)
        topic = resource.removeprefix("topic/")
        return (await self._admin.topic_configs([topic], keys)).get(topic, {})


def _places(dirs: Iterable[LogDir], topic: str, partition: int) -> _Places:
    there = ((d.path, r) for d in dirs for r in d.replicas)
    return frozenset((path, r.future) for path, r in there if (r.topic, r.partition) == (topic, partition))


def _told(value: str | None) -> str:
    return "absent" if value is None else repr(value)
