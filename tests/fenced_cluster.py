"""A cluster's configuration, reached by fenced writes alone, in virtual time; a deadman that only tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.control_topic import Times
from agent.kafka.configs import ConfigChange, node_of
from agent.kafka.errors import KafkaInDoubt, KafkaRefused, KafkaUnreachable
from agent.kafka.metadata import BrokerInfo
from agent.rehearsal.cluster import set_config

TIMES = Times(settle=0, probation=0)


def boot_ms() -> int:
    return 1_000_000 + round(asyncio.get_running_loop().time() * 1_000)


@dataclass
class Cluster:
    """Configuration, reached by fenced writes alone. `fate` of the next write: what its answer is."""

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    fate: str = "done"
    late: float = 30.0  # seconds until what is late lands
    answering: bool = True
    killed: bool = False
    process_id: str | None = "pid 7"
    writes: int = 0
    vias: list[int] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)  # towards the next write: who was read from, the deadman
    dead: set[int | None] = field(default_factory=set)  # brokers that answer nothing; None: any
    hung: set[int] = field(default_factory=set)  # … and never say so
    fenced: set[int] = field(default_factory=set)
    unlisted: bool = False
    act: int = TIMES.act  # that writes are made for

    def arm(self, at: int) -> Callable[[], None]:
        """The deadman."""
        self.steps.append("armed")
        timer = asyncio.get_running_loop().call_later((at - boot_ms()) / 1_000, self._die)
        return timer.cancel

    def _die(self) -> None:
        self.killed = True

    async def brokers(self) -> Any:
        """Six of them."""
        if self.unlisted:
            raise KafkaUnreachable("the cluster", "no answer")
        return {n: BrokerInfo(n, f"host{n}", 9092, None, fenced=n in self.fenced) for n in range(1, 7)}

    async def reassignments(self) -> frozenset[tuple[str, int]]:
        """None."""
        return frozenset()

    async def topic_configs(self, topics: Sequence[str], keys: Sequence[str] | None) -> Any:
        """What is set there."""
        return {name: dict(self.values.get(f"topic/{name}", {})) for name in topics}

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Any:
        """What is set; only the broker itself tells of its own, and any of the default of all."""
        node = node_of(resource)
        if node in self.hung:
            await asyncio.get_running_loop().create_future()
        if node in self.dead:
            raise KafkaUnreachable(resource, "dead")
        return dict(self.values.get(resource, {}))

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        """By no fence: never."""
        raise AssertionError("a claim's write went past its fence")

    async def warm(self, node: int | None, deadline: float) -> None:
        """Whom the last look reads from."""
        if node in self.dead:
            raise KafkaUnreachable(f"broker {node}", "dead")
        self.steps.append(f"broker {node}" if node is not None else "any broker")

    async def ready_to_alter(self, changes: Sequence[ConfigChange], via: int, ms: int) -> Sending:
        """The request; for a broker's own configuration only that broker takes it."""
        if changes[0].resource in {f"broker/{node}" for node in self.dead}:
            raise KafkaUnreachable(changes[0].resource, "dead")
        assert ms == self.act
        self.vias.append(via)
        return Sending(self, changes)

    async def in_force(self, changes: Sequence[ConfigChange]) -> bool:
        """The only change sets its value."""
        await asyncio.sleep(0.5)
        present = self.values.get(changes[0].resource, {}).get(changes[0].key)
        return present == changes[0].value

    async def answers(self, node: int, *, controller: bool, deadline: float) -> bool:
        """In no time, or not at all."""
        there = self.answering and node not in self.dead
        await asyncio.sleep(0.01 if there else deadline)
        return there

    async def process(self, node: int) -> str | None:
        """The own broker's."""
        return self.process_id


@dataclass
class Sending:
    """One request."""

    cluster: Cluster
    changes: Sequence[ConfigChange]

    async def send(self) -> None:
        """It has left."""
        self.cluster.writes += 1
        delay = {"done": 0.0, "lost answer": 0.0, "late": self.cluster.late}.get(self.cluster.fate)
        if delay is not None:
            asyncio.get_running_loop().call_later(delay, self._land)

    def _land(self) -> None:
        for change in self.changes:
            set_config(self.cluster.values, change)

    async def answer(self) -> None:
        """As is fated."""
        await asyncio.sleep(0.01)
        if self.cluster.fate == "refused":
            raise KafkaRefused("incremental_alter_configs", 44, "no")
        if self.cluster.fate != "done":
            raise KafkaInDoubt("incremental_alter_configs", "no answer")

    async def close(self) -> None:
        """Nothing to do."""
