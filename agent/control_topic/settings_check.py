"""Whether the control topic is as coordination.md section 1 wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.control_topic.creation import configs
from agent.kafka.metadata import PartitionInfo

REPLICAS = 3


def deviations(
    partitions: Sequence[PartitionInfo], effective: Mapping[str, str], brokers: int
) -> tuple[str, ...]:
    """How a topic with these partitions and values in effect deviates in a cluster of so many brokers, a
    sentence each."""
    said = [] if len(partitions) == 1 else [f"it has {len(partitions)} partitions, and must have 1"]
    replicas = min((len(p.replicas) for p in partitions), default=0)
    wanted = min(REPLICAS, brokers)
    if replicas < wanted:
        said.append(f"it has {replicas} of {wanted} replicas")
    for key, value in configs(max(replicas, 1)).items():
        if effective.get(key) != value:
            said.append(f"{key} is {effective.get(key, 'unknown')}, and must be {value}")
    return tuple(said)
