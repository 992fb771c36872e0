"""A cluster in memory, as actions see it: log dirs that fill, moves that progress, configuration, crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agent.actions.ports import Ports
from agent.actions.throttles import MOVE_RATE
from agent.kafka.configs import ConfigChange
from agent.kafka.errors import KafkaInDoubt, KafkaRefused, KafkaUnreachable
from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.model import Policy
from agent.rehearsal.cluster import set_config
from agent.rehearsal.disks import Disks, Replica

NODE = 2
MiB = 1 << 20
_Result = TypeVar("_Result")


class Crash(BaseException):
    """The agent is killed: nothing it does afterwards reaches the world."""


@dataclass
class World(Disks):
    """Everything there is. `steps` counts calls; at `crash_at` the agent dies, before or after its effect."""

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    defaults: dict[str, dict[str, str]] = field(default_factory=dict)  # in effect, but not set there
    infos: list[PartitionInfo] = field(default_factory=list)
    nodes: dict[int, bool] = field(default_factory=lambda: {1: False, 2: False, 3: False})  # → fenced
    reassigning: set[Replica] = field(default_factory=set)
    elsewhere: dict[int, dict[Replica, int]] = field(default_factory=dict)  # sizes at other brokers
    recorded: set[tuple[str, str, str]] = field(default_factory=set)
    policy: Policy = field(default_factory=Policy)
    shared: dict[str, str] = field(default_factory=dict)  # the volumes of dirs that do not have their own
    silent: bool = False  # this broker answers nothing
    now: int = 1_000_000
    steps: int = 0
    crash_at: int | None = None
    crash_after: bool = False
    doubt_at: int | None = None
    dead: bool = False
    lowest_room: dict[str, float] = field(default_factory=dict)  # the least part that was ever free
    every_tick: Callable[[World], None] = lambda world: None
    asked: list[str] = field(default_factory=list)

    def ports(self) -> Ports:
        return Ports(
            self,
            NODE,
            self.free_bytes,
            self.policy,
            lambda: self.now,
            self.sleep,
            lambda *what: what in self.recorded,
            volume=self.volume,
        )

    def revive(self) -> World:
        """The agent is started again."""
        self.dead, self.crash_at = False, None
        return self

    def settings(self) -> dict[str, dict[str, str]]:
        """All that is set, for comparison; a resource without any is none."""
        return {r: dict(v) for r, v in deepcopy(self.values).items() if v}

    # time

    async def sleep(self, seconds: float) -> None:
        self._step()
        self.tick(seconds)

    def tick(self, seconds: float) -> None:
        """Time passes: producers write, moves progress, dirs fill."""
        self.now += int(seconds * 1_000)
        for key, rate in self.produced.items():
            for sizes in self.elsewhere.values():
                if key in sizes:
                    sizes[key] += int(rate * seconds)
            if key in self.replicas:
                path, size = self.replicas[key]
                self.replicas[key] = path, size + int(rate * seconds)
        if not self.silent:
            rate = int(self.values.get(f"broker/{NODE}", {}).get(MOVE_RATE, 10_000 * MiB))
            self._copy(int(rate * seconds))
        self.every_tick(self)
        for path, volume in self.volumes.items():
            free = volume.total - self.used(path)
            self.lowest_room[path] = min(self.lowest_room.get(path, 1.0), free / volume.total)
            volume.offline = volume.offline or free < 0

    # the admin protocol

    def _step(self, write: bool = False) -> Callable[[], None]:
        """Counts a call; dies before it, or has its caller die (or doubt) after it."""
        if self.dead:
            raise Crash
        self.steps += 1
        here, doubtful = self.steps == self.crash_at, write and self.steps == self.doubt_at
        if here and not self.crash_after:
            self.dead = True
            raise Crash

        def after() -> None:
            if here:
                self.dead = True
                raise Crash
            if doubtful:
                raise KafkaInDoubt("a write", "the answer was lost")

        return after

    async def volume(self, path: str) -> str:
        """What has its room."""
        self._step()
        return self.shared.get(path, path)

    async def free_bytes(self, path: str) -> tuple[int, int]:
        self._step()
        return self.free(path)

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        self._step()
        if broker != NODE:
            there = self.elsewhere.get(broker, {})
            found = tuple(LogDirReplica(t, p, size, 0, False) for (t, p), size in there.items())
            return (LogDir("/d", 0, 1 << 40, 1 << 39, found),)
        self._answering()
        return self.described()

    async def move_replicas(self, broker: int, moves: Mapping[Replica, str]) -> Mapping[Replica, str]:
        after = self._step(write=True)
        self._answering()
        assert broker == NODE
        self.asked += [f"{t}-{p} to {path}" for (t, p), path in moves.items()]
        refused = {key: why for key, path in moves.items() if (why := self.move(key, path))}
        after()
        return refused

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        self._step()
        self._answering(resource)
        return self._some(self.values.get(resource, {}), keys)

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        self._step()
        self._answering(resource)
        return self._some(self.defaults.get(resource, {}) | self.values.get(resource, {}), keys)

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        self._step()
        return {t: self._some(self.values.get(f"topic/{t}", {}), keys) for t in topics if t in self._topics()}

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        resources = list(dict.fromkeys(c.resource for c in changes))
        for resource in resources:
            after = self._step(write=True)
            self._answering(resource)
            if resource.startswith("topic/") and resource.removeprefix("topic/") not in self._topics():
                raise KafkaRefused("alter", 3, resource)
            for change in changes:
                if change.resource == resource:
                    self.set_config(change)
            after()

    def set_config(self, change: ConfigChange) -> None:
        """As IncrementalAlterConfigs does it."""
        set_config(self.values, change)

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        self._step()
        return tuple(p for p in self.infos if topics is None or p.topic in topics)

    async def brokers(self) -> Mapping[int, BrokerInfo]:
        self._step()
        return {n: BrokerInfo(n, "127.0.0.1", 9092, None, fenced) for n, fenced in self.nodes.items()}

    async def reassignments(self) -> frozenset[Replica]:
        self._step()
        return frozenset(self.reassigning)

    def _answering(self, resource: str = f"broker/{NODE}") -> None:
        if self.silent and resource == f"broker/{NODE}":
            raise KafkaUnreachable(f"broker {NODE}", "it is down")

    def _topics(self) -> set[str]:
        known = {t for t, _ in self.replicas} | {p.topic for p in self.infos}
        return known | {r.removeprefix("topic/") for r in self.values if r.startswith("topic/")}

    @staticmethod
    def _some(values: Mapping[str, str], keys: Sequence[str] | None) -> Mapping[str, str]:
        return {k: v for k, v in values.items() if keys is None or k in keys}


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """One coroutine, to its end; the fake's time is its own, so this never waits."""
    return asyncio.run(work)


def crashes(work: Coroutine[Any, Any, object]) -> bool:
    """Whether the agent died of it."""
    try:
        run(work)
    except Crash:
        return True
    return False


def partition(
    topic: str, number: int, leader: int, isr: Sequence[int], replicas: Sequence[int] = (1, 2, 3)
) -> PartitionInfo:
    """A partition with what the actions read of it."""
    return PartitionInfo(topic, number, f"id-of-{topic}", leader, tuple(replicas), tuple(isr), (), ())
