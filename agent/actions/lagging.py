"""Which partitions this broker catches up on or is caught up with, and what is produced into them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from agent.actions.ports import Ports
from agent.kafka.metadata import PartitionInfo

Replica = tuple[str, int]  # topic, partition

# Sizes are read so often, a second apart. More than one interval, since a deleted segment hides what was
# produced in one of them, and producers send in bursts.
_READS = 4
_APART_S = 1.0


class Lagging(Struct, frozen=True):
    """Partitions out of sync here, and those led here with a living follower that is out of sync."""

    follows: tuple[PartitionInfo, ...]
    leads: tuple[PartitionInfo, ...]

    def topics(self) -> tuple[str, ...]:
        """Their topics, sorted."""
        return tuple(sorted({p.topic for p in self.follows + self.leads}))

    def only(self, topics: Collection[str]) -> Lagging:
        """What is in these topics."""
        return Lagging(
            tuple(p for p in self.follows if p.topic in topics),
            tuple(p for p in self.leads if p.topic in topics),
        )


class Flow(Struct, frozen=True):
    """Bytes a second into each partition at its leader, and bytes that the replica here lacks."""

    rates: Mapping[Replica, float]
    missing: Mapping[Replica, int]


def lagging(partitions: Iterable[PartitionInfo], node: int, alive: Collection[int]) -> Lagging:
    """Sorted by topic and partition. A leaderless partition replicates nothing, nor does a dead follower."""
    here = sorted(
        (p for p in partitions if node in p.replicas and p.leader >= 0),
        key=lambda p: (p.topic, p.partition),
    )
    behind = {(p.topic, p.partition): set(p.replicas) - set(p.isr) for p in here}
    return Lagging(
        tuple(p for p in here if p.leader != node and node in behind[p.topic, p.partition]),
        tuple(p for p in here if p.leader == node and behind[p.topic, p.partition] & set(alive)),
    )


def furthest_behind(found: Lagging, flow: Flow, most: int) -> tuple[str, ...]:
    """The topics that lack most bytes here, at most so many; among equals those with more partitions."""
    weight = dict.fromkeys(found.topics(), (0, 0))
    for p in found.follows + found.leads:
        lacks, count = weight[p.topic]
        weight[p.topic] = (lacks + flow.missing.get((p.topic, p.partition), 0), count + 1)
    order = sorted(weight, key=lambda topic: (-weight[topic][0], -weight[topic][1], topic))
    return tuple(order[:most])


def need(found: Lagging, flow: Flow) -> tuple[float, float]:
    """Bytes a second that fetching here and being fetched from here take while nobody catches up.

    A leader's rate counts every follower of a listed partition, the ones in sync too.
    """
    inward = sum(flow.rates.get((p.topic, p.partition), 0.0) for p in found.follows)
    outward = sum(flow.rates.get((p.topic, p.partition), 0.0) * (len(p.replicas) - 1) for p in found.leads)
    return inward, outward


async def measure(found: Lagging, ports: Ports) -> Flow:
    """Growth of the partitions' sizes at their leaders: the own log of a replica that catches up grows by
    what it fetches, and offsets would have to be weighed by the size of records that nobody knows."""
    wanted = {(p.topic, p.partition): p.leader for p in found.follows + found.leads}
    leaders = sorted(set(wanted.values()))
    reads: list[tuple[float, Mapping[Replica, int]]] = []
    for count in range(_READS):
        if count:
            await ports.sleep(_APART_S)
        sizes = await asyncio.gather(*(_sizes(leader, ports) for leader in leaders))
        by_leader = dict(zip(leaders, sizes, strict=True))
        reads.append((ports.steady(), {key: by_leader[at].get(key, 0) for key, at in wanted.items()}))
    own = await _sizes(ports.node_id, ports)
    newest = reads[-1][1]
    missing = {key: max(0, size - own.get(key, 0)) for key, size in newest.items()}
    return Flow({key: _fastest(key, reads) for key in wanted}, missing)


async def _sizes(broker: int, ports: Ports) -> Mapping[Replica, int]:
    dirs = await ports.admin.log_dirs(broker)
    return {(r.topic, r.partition): r.size for d in dirs for r in d.replicas if not r.future}


def _fastest(key: Replica, reads: Sequence[tuple[float, Mapping[Replica, int]]]) -> float:
    """The greatest growth of any interval: too high a floor costs clients a little, too low one an ISR."""
    return max(
        max(0, after[key] - before[key]) * 1_000 / max(1, end - start)
        for (start, before), (end, after) in pairwise(reads)
    )
