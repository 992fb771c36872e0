"""What a story's agents must leave as it was: I1 to I3 from the brokers' own configuration and log dirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress

from scene import Scene, nothing_stands, until

from agent.kafka.errors import KafkaError

CONTROL = "ottla-control"
Replica = tuple[str, str, int, bool]  # path, topic, partition, whether it is a future one


async def configuration(scene: Scene) -> Mapping[str, Mapping[str, str]]:
    """All that is set dynamically, at every broker and topic."""
    admin, brokers = scene.admin, scene.lab.brokers
    topics = sorted({p.topic for p in await admin.partitions()})
    found = {f"topic/{name}": dict(v) for name, v in (await admin.topic_configs(topics, None)).items()}
    return {**found, **{f"broker/{n}": dict(await admin.configs(f"broker/{n}", None)) for n in brokers}}


async def replicas(scene: Scene) -> Mapping[int, frozenset[Replica]]:
    """Which replicas the brokers' log dirs have."""
    found = {node: await scene.admin.log_dirs(node) for node in scene.lab.brokers}
    return {
        node: frozenset((d.path, r.topic, r.partition, r.future) for d in dirs for r in d.replicas)
        for node, dirs in found.items()
    }


def but_the_log(there: Mapping[int, frozenset[Replica]]) -> Mapping[int, frozenset[Replica]]:
    """Those of other topics than the control topic."""
    return {node: frozenset(r for r in there[node] if r[1] != CONTROL) for node in there}


@asynccontextmanager
async def untouched(scene: Scene, *, but: Collection[str] = ()) -> AsyncIterator[None]:
    """All is as it was at the end, and nothing stands in a journal; but for these settings of brokers, which
    the story itself asserts, and for the control topic."""
    before = await _world(scene, but)
    yield

    async def same() -> bool:
        with suppress(KafkaError):
            return await _world(scene, but) == before
        return False

    await until("the brokers' configuration and log dirs to be as before", same, 30)
    for node in scene.lab.brokers:
        assert nothing_stands(scene.agents.agent(node)), node


async def _world(scene: Scene, but: Collection[str]) -> tuple[object, object]:
    settings = {
        where: {key: value for key, value in values.items() if key not in but}
        for where, values in (await configuration(scene)).items()
        if where != f"topic/{CONTROL}"
    }
    return settings, but_the_log(await replicas(scene))
