"""What the partitions of a cluster come to, and what they would if this broker were not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from agent.kafka.metadata import PartitionInfo


class Trouble(Struct):
    """Of one topic: partitions without a leader, below min.insync.replicas, with replicas out of sync."""

    offline: int = 0
    under_min_isr: int = 0
    under_replicated: int = 0


class Counts(Struct):
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


def count(partitions: Sequence[PartitionInfo], minimum: Mapping[str, int], broker: int, into: Counts) -> None:
    """Add these partitions. `minimum` is min.insync.replicas by topic, of which a partition needs no more
    than all its replicas, as Kafka itself has it."""
    led = here = 0
    for p in partitions:
        in_sync, replicas = len(p.isr), len(p.replicas)
        need = minimum[p.topic]
        if broker in p.replicas:
            here += 1
            led += p.leader == broker
        # Nearly all are well, with replicas to spare: those are counted and no more.
        if in_sync < replicas or in_sync <= need or p.leader < 0 or p.offline:
            _count_closely(p, min(need, replicas), broker, into)
    into.partitions += len(partitions)
    into.led += led
    into.followed += here - led


def _count_closely(p: PartitionInfo, need: int, broker: int, into: Counts) -> None:
    in_sync = len(p.isr)
    into.at_min_isr += in_sync == need
    into.under_min_isr_without += in_sync - (broker in p.isr) < need
    into.offline_replicas += len(p.offline)
    if broker in p.replicas:
        candidates = {*p.isr, *p.elr}
        into.out_of_sync_here += broker not in p.isr
        into.offline_without += p.leader >= 0 and candidates == {broker}
        into.last_copies += {*candidates, *p.last_known_elr} == {broker}
    if in_sync < len(p.replicas) or p.leader < 0:
        _in_trouble(p, in_sync < need, into)


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
