"""What a story says of the world: a piece of it, laid over the rehearsed cluster at the start or later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from agent.kafka.metadata import PartitionInfo
from agent.rehearsal.cluster import Cluster
from agent.rehearsal.disks import Replica, Volume


@dataclass(frozen=True, slots=True)
class GivenVolume:
    """What is said of a log dir; None: nothing."""

    total: int | None = None
    other: int | None = None
    offline: bool | None = None
    cordoned: bool | None = None


@dataclass(frozen=True, slots=True)
class GivenPartition:
    """What is said of a partition; sizes in bytes, `grows` in bytes a second.

    `size` is that of its replicas elsewhere, `here` of the one on this broker, in the log dir `dir`.
    """

    leader: int | None = None
    replicas: tuple[int, ...] | None = None
    isr: tuple[int, ...] | None = None
    size: int | None = None
    here: int | None = None
    dir: str | None = None
    grows: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What a story says; None and empty: nothing. A setting or failure given as None is taken away."""

    down: frozenset[int] | None = None
    log_dirs: Mapping[str, GivenVolume] = field(default_factory=dict)
    partitions: Mapping[Replica, GivenPartition] = field(default_factory=dict)
    configs: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    reassigning: frozenset[Replica] | None = None
    fails: Mapping[str, str | None] = field(default_factory=dict)


def lay_over(cluster: Cluster, given: Given) -> None:
    """Change what is given; all else stays as it is."""
    cluster.advance()
    if given.down is not None:
        cluster.nodes = {node: node in given.down for node in cluster.nodes.keys() | given.down}
    if given.reassigning is not None:
        cluster.reassigning = set(given.reassigning)
    for path, volume in given.log_dirs.items():
        _volume(cluster.volumes.setdefault(path, Volume(100 << 30)), volume)
    for key, partition in given.partitions.items():
        _partition(cluster, key, partition)
    for resource, settings in given.configs.items():
        _merge(cluster.values.setdefault(resource, {}), settings)
    _merge(cluster.fails, given.fails)


def _volume(volume: Volume, given: GivenVolume) -> None:
    for name in ("total", "other", "offline", "cordoned"):
        value = getattr(given, name)
        if value is not None:
            setattr(volume, name, value)


def _partition(cluster: Cluster, key: Replica, given: GivenPartition) -> None:
    """A new one has all its replicas in sync and lies in the first log dir; the first in sync leads where
    nothing else is said."""
    known = cluster.infos.get(key)
    replicas = given.replicas or (known.replicas if known else (1, 2, 3))
    isr = given.isr if given.isr is not None else known.isr if known else replicas
    before = known.leader if known and known.leader in isr else next(iter(isr), -1)
    leader = before if given.leader is None else given.leader
    info = known or PartitionInfo(*key, f"id-of-{key[0]}", leader, replicas, isr, (), ())
    cluster.infos[key] = msgspec.structs.replace(info, leader=leader, replicas=replicas, isr=isr)
    if given.grows is not None:
        cluster.produced[key] = given.grows
    for node in set(replicas) - {cluster.node}:
        sizes = cluster.elsewhere.setdefault(node, {})
        sizes[key] = given.size if given.size is not None else sizes.get(key, 0)
    if cluster.node in replicas and cluster.volumes:
        path, size = cluster.replicas.get(key, (next(iter(cluster.volumes)), given.size or 0))
        cluster.replicas[key] = given.dir or path, size if given.here is None else given.here


def _merge(values: dict[str, str], given: Mapping[str, str | None]) -> None:
    for key, value in given.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
