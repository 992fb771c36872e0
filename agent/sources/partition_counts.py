"""What the partitions of a cluster come to, and what they would if this broker were not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.kafka.metadata import PartitionInfo


@dataclass(slots=True)
class Trouble:
    """Of one topic: partitions without a leader, below min.insync.replicas, with replicas out of sync."""

    offline: int = 0
    under_min_isr: int = 0
    under_replicated: int = 0


@dataclass(slots=True)
class Counts:
    """Of all partitions; `here` counts those of which this broker has a replica.

    `without` is this broker gone: what is below min.insync.replicas or has no leader then, as well as now.
    `last_copies`: only this broker may hold all data, as the one member of isr, elr and the last known elr.
    """

    partitions: int = 0
    offline: int = 0
    under_replicated: int = 0
    under_min_isr: int = 0
    at_min_isr: int = 0
    offline_replicas: int = 0
    led: int = 0
    followed: int = 0
    out_of_sync_here: int = 0
    under_min_isr_without: int = 0
    offline_without: int = 0
    last_copies: int = 0
    topics: dict[str, Trouble] = field(default_factory=dict)  # those in trouble


def count(partitions: Iterable[PartitionInfo], minimum: Mapping[str, int], broker: int, into: Counts) -> None:
    """Add these partitions. `minimum` is min.insync.replicas by topic, of which a partition needs no more
    than all its replicas, as Kafka itself has it."""
    for p in partitions:
        in_sync, replicas = len(p.isr), len(p.replicas)
        need = min(minimum[p.topic], replicas)
        into.partitions += 1
        if broker in p.replicas:
            _here(p, in_sync, broker, into)
        without = in_sync - (broker in p.isr)
        into.under_min_isr_without += without < need
        into.at_min_isr += in_sync == need
        into.offline_replicas += len(p.offline)
        if in_sync < replicas or p.leader < 0:
            _in_trouble(p, in_sync < need, into)


def _here(p: PartitionInfo, in_sync: int, broker: int, into: Counts) -> None:
    if p.leader == broker:
        into.led += 1
    else:
        into.followed += 1
    if broker not in p.isr:
        into.out_of_sync_here += 1
    elif in_sync > 1:  # somebody else is in sync, so nothing hangs on this broker alone
        return
    candidates = {*p.isr, *p.elr}
    into.offline_without += p.leader >= 0 and candidates == {broker}
    into.last_copies += {*candidates, *p.last_known_elr} == {broker}


def _in_trouble(p: PartitionInfo, below: bool, into: Counts) -> None:
    trouble = into.topics.setdefault(p.topic, Trouble())
    offline, behind = p.leader < 0, len(p.isr) < len(p.replicas)
    into.offline += offline
    into.offline_without += offline
    into.under_min_isr += below
    into.under_replicated += behind
    trouble.offline += offline
    trouble.under_min_isr += below
    trouble.under_replicated += behind
