"""A broker's log dirs and the moves of replicas between them: DescribeLogDirs and AlterReplicaLogDirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

import msgspec

from agent.kafka.bridge import Call
from agent.kafka.errors import NONE, check, error_name


class LogDirReplica(msgspec.Struct, frozen=True, gc=False):
    """One replica in a log dir. `size` in bytes, `lag` in messages; `future`: it is being moved in here.

    A Struct and no dataclass, since thousands are made at once.
    """

    topic: str
    partition: int
    size: int
    lag: int
    future: bool


class LogDir(msgspec.Struct, frozen=True):
    """One log dir as its broker sees it; `total` and `usable` are bytes of its volume (KIP-827).

    `error` is Kafka's code, 56 (KAFKA_STORAGE_ERROR) where it is offline: then the sizes are -1 and no
    replicas are told.
    """

    path: str
    error: int
    total: int
    usable: int
    replicas: tuple[LogDirReplica, ...]
    cordoned: bool = False  # KIP-1066, Kafka 4.3


@cache
def describe_log_dirs() -> Call:
    """Asks for every log dir and replica. Only the broker asked answers for itself."""

    def build(m: ModuleType) -> Any:
        return m.DescribeLogDirsRequest(topics=None)

    return Call("describe_log_dirs", 35, 1, 5, build)


def log_dirs_of(answer: Any) -> tuple[LogDir, ...]:
    """The log dirs of one answer."""
    check("describe_log_dirs", getattr(answer, "error_code", NONE))
    return tuple(_log_dir(result) for result in answer.results)


def alter_replica_log_dirs(moves: Mapping[tuple[str, int], str]) -> Call:
    """Asks to move replicas of the broker asked: (topic, partition) to the path of a log dir."""
    dirs: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for (topic, partition), path in moves.items():
        dirs[path][topic].append(partition)

    def build(m: ModuleType) -> Any:
        return m.AlterReplicaLogDirsRequest(
            dirs=tuple(
                m.AlterReplicaLogDir(
                    path=path,
                    topics=tuple(
                        m.AlterReplicaLogDirTopic(name=topic, partitions=tuple(partitions))
                        for topic, partitions in topics.items()
                    ),
                )
                for path, topics in dirs.items()
            )
        )

    return Call("alter_replica_log_dirs", 34, 1, 2, build, write=True)


def refused_moves(answer: Any) -> dict[tuple[str, int], str]:
    """Which moves were not begun, with the error's name."""
    return {
        (topic.topic_name, partition.partition_index): error_name(partition.error_code)
        for topic in answer.results
        for partition in topic.partitions
        if partition.error_code != NONE
    }


def _log_dir(result: Any) -> LogDir:
    replicas = tuple(
        LogDirReplica(t.name, p.partition_index, p.partition_size, p.offset_lag, p.is_future_key)
        for t in result.topics
        for p in t.partitions
    )
    return LogDir(
        path=result.log_dir,
        error=int(result.error_code),
        total=getattr(result, "total_bytes", -1),
        usable=getattr(result, "usable_bytes", -1),
        replicas=replicas,
        cordoned=getattr(result, "is_cordoned", False),
    )
