"""Moves of replicas between log dirs, pure: how far each is, what is still to be copied, what fits where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.model import Change, Effect, Operation

KEY = "log.dir"
# Kafka's names are at most 255 bytes, and a future replica's is `topic-partition.<32 hex digits>-future`.
_LONGEST = 255 - len("." + 32 * "f" + "-future")
# A replica grows while it is copied, and its indexes are not in the size that Kafka tells.
_GROWTH = 1.05


class Phase(StrEnum):
    """How far a move is."""

    WAITING = "waiting"  # in its old dir, nothing begun
    COPYING = "copying"  # in its old dir, and a future replica grows in the new one
    RETURNING = "returning"  # in its new dir, and a future replica grows in the old one
    HIDDEN = "hidden"  # its old dir is offline, and a future replica in the new one waits for it
    DONE = "done"
    ELSEWHERE = "elsewhere"  # deleted, or another one moved it


UNFINISHED = (Phase.WAITING, Phase.COPYING, Phase.HIDDEN)


class Progress(Struct, frozen=True):
    """One move as DescribeLogDirs tells it; sizes in bytes. `at` is where the replica is, None: nowhere."""

    phase: Phase
    size: int = 0
    copied: int = 0
    lag: int = 0
    at: str | None = None


class Choice(Struct, frozen=True):
    """What to move where, and in words why other replicas were passed over."""

    moves: tuple[tuple[LogDirReplica, str], ...]
    passed_over: tuple[str, ...]


def moves_of(effect: Effect) -> tuple[Change, ...]:
    """The effect's moves, in order."""
    return tuple(c for c in effect.changes if c.operation is Operation.MOVE)


def move_change(replica: LogDirReplica, source: str, target: str) -> Change:
    """A move as an effect's change."""
    resource = f"replica/{replica.topic}-{replica.partition}"
    return Change(resource, KEY, Operation.MOVE, source, target)


def replica_of(change: Change) -> tuple[str, int]:
    """Topic and partition; the topic's own name may hold dashes."""
    topic, _, partition = change.resource.removeprefix("replica/").rpartition("-")
    return topic, int(partition)


def progress(change: Change, dirs: Sequence[LogDir]) -> Progress:
    """How far the move is."""
    key = replica_of(change)
    now = {r.future: (d.path, r) for d in dirs for r in d.replicas if (r.topic, r.partition) == key}
    heading, future = now.get(True, (None, None))
    if False not in now:
        waits = heading == change.new and any(d.path == change.prior and d.error for d in dirs)
        return Progress(Phase.HIDDEN if waits else Phase.ELSEWHERE)
    at, replica = now[False]
    phases = {
        (change.prior, None): Phase.WAITING,
        (change.prior, change.new): Phase.COPYING,
        (change.new, change.prior): Phase.RETURNING,
    }
    phase = Phase.DONE if at == change.new else Phase.ELSEWHERE
    phase = phases.get((at, heading), phase)
    if future is None:
        return Progress(phase, replica.size, at=at)
    return Progress(phase, replica.size, future.size, future.lag, at)


def futures(dirs: Iterable[LogDir]) -> frozenset[tuple[str, int]]:
    """The replicas that are being moved, by whomever."""
    return frozenset((r.topic, r.partition) for d in dirs for r in d.replicas if r.future)


def to_come(path: str, dirs: Sequence[LogDir]) -> int:
    """The bytes that the moves into this dir, ours or not, have still to copy."""
    sizes = {(r.topic, r.partition): r.size for d in dirs for r in d.replicas if not r.future}
    arriving = (r for d in dirs if d.path == path for r in d.replicas if r.future)
    return sum(max(0, sizes.get((r.topic, r.partition), 0) - r.size) for r in arriving)


def cost(size: int) -> int:
    """What a replica of this size may take in its new dir."""
    return int(size * _GROWTH)


def choose(
    replicas: Iterable[LogDirReplica],
    unmovable: Mapping[tuple[str, int], str],
    to_free: int,
    rooms: Mapping[str, int],
    limits: tuple[int, int],
) -> Choice:
    """Replicas in the order given until `to_free` bytes are reached, each into the dir with the most room.

    `rooms`: bytes by dir. `limits`: at most so many moves, and so many bytes altogether.
    """
    left = dict(rooms)
    moves: list[tuple[LogDirReplica, str]] = []
    passed: dict[str, int] = {}
    freed = 0
    for replica in replicas:
        if freed >= to_free or len(moves) == limits[0]:
            break
        why = unmovable.get((replica.topic, replica.partition)) or _too_big(replica, left, limits[1] - freed)
        if why:
            passed[why] = passed.get(why, 0) + 1
            continue
        target = max(left, key=lambda path: (left[path], path))
        moves.append((replica, target))
        left[target] -= cost(replica.size)
        freed += replica.size
    return Choice(tuple(moves), tuple(f"{count} {why}" for why, count in passed.items()))


def name_too_long(replica: LogDirReplica) -> bool:
    """Whether its directory would have no legal name while it is copied."""
    return len(f"{replica.topic}-{replica.partition}") > _LONGEST


def _too_big(replica: LogDirReplica, rooms: Mapping[str, int], allowance: int) -> str:
    if cost(replica.size) > max(rooms.values()):
        return "do not fit into the room of the other log dirs"
    return "would be more than one drain may copy" if replica.size > allowance else ""
