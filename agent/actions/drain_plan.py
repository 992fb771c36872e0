"""The plan of a drain: what stands in its way, what to move where, and under which limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.actions.moves import Choice, choose, futures, move_change, name_too_long
from agent.actions.ports import Ports, owner_of, refuse_other_host
from agent.actions.throttles import MOVE_RATE, UNLIMITED, prior_of
from agent.kafka.log_dirs import LogDir, LogDirReplica
from agent.model import Change, Effect, Operation, Refusal
from agent.quantities import show_size

MOVES_MAX = 50  # of one drain; an effect has to fit into one record of the control topic
BYTES_MAX = 200 << 30  # of one drain: more than this is a matter of hours, and of a person

_Free = Mapping[str, tuple[int, int, str]]  # by path: usable, total, its volume


async def plan_drain(ports: Ports, target: str, log_dir: str, until: float, rate: int) -> Effect | Refusal:
    """The whole effect of a drain of `log_dir`, or why not."""
    dirs = await ports.admin.log_dirs(ports.node_id)
    refusal = refuse_other_host(ports, target) or _unfit(log_dir, dirs) or await _limited(ports, rate)
    if refusal:
        return refusal
    try:
        paths = [d.path for d in dirs if not d.cordoned or d.path == log_dir]
        free = {path: (*await ports.free_bytes(path), await ports.volume(path)) for path in paths}
    except OSError as error:
        return _no(f"the room of the log dirs cannot be read: {error}")
    usable, total, _ = free[log_dir]
    to_free = total - usable - int(until * total)
    if to_free <= 0:
        return _no(f"{log_dir} is used to {1 - usable / total:.1%} already")
    replicas = next(d.replicas for d in dirs if d.path == log_dir)
    rooms = _rooms(log_dir, free, max(ports.policy.drain_headroom, 1 - until))
    choice = await _choose(ports, replicas, to_free, rooms)
    if not choice.moves:
        return _no(_nothing(log_dir, rooms, choice))
    limit, broker = str(min(rate, ports.policy.max_move_rate)), f"broker/{ports.node_id}"
    prior = prior_of((await ports.admin.configs(broker, (MOVE_RATE,))).get(MOVE_RATE))
    changes = [Change(broker, MOVE_RATE, Operation.SET, prior, limit)]
    changes += [move_change(replica, log_dir, path) for replica, path in choice.moves]
    return Effect("drain_disk", owner_of(ports.node_id), tuple(changes))


def _unfit(log_dir: str, dirs: Sequence[LogDir]) -> Refusal | None:
    """What of the log dirs forbids any move."""
    paths = [d.path for d in dirs]
    offline = [d.path for d in dirs if d.error]
    if offline:
        return _no(f"log dir {offline[0]} is offline: Kafka moves no replica then")
    if log_dir not in paths:
        return _no(f"{log_dir} is no log dir of this broker; it has {', '.join(paths)}")
    if all(d.cordoned for d in dirs if d.path != log_dir):
        return _no(f"{log_dir} is the only log dir of this broker that takes replicas")
    moving = futures(dirs)
    if moving:
        topic, partition = min(moving)
        return Refusal(
            "coexistence", f"{topic}-{partition} is being moved between log dirs, not by this drain"
        )
    return None


async def _limited(ports: Ports, rate: int) -> Refusal | None:
    """Somebody's limit for moves; it would have to be overwritten."""
    if rate <= 0:
        return _no("a rate of 0 moves nothing")
    standing = await ports.admin.effective_configs(f"broker/{ports.node_id}", (MOVE_RATE,))
    value = standing.get(MOVE_RATE)
    if value is None or value == UNLIMITED:
        return None
    return Refusal("coexistence", f"{MOVE_RATE} is {value} on this broker already, and not by this drain")


def _rooms(log_dir: str, free: _Free, keep: float) -> dict[str, int]:
    """What may be moved into each other dir so that this part of its volume stays free.

    The room of a volume is given once; one that is the source's too is full as it is. Dirs that tell the very
    same usable and total bytes are taken to lie on one, whatever it is called.
    """
    rooms = dict[str, int]()
    given = [free[log_dir]]
    for path, found in sorted(free.items()):
        usable, total, volume = found
        if all(volume != each[2] and (usable, total) != each[:2] for each in given):
            given.append(found)
            rooms[path] = usable - int(keep * total)
    return rooms


async def _choose(
    ports: Ports, replicas: Sequence[LogDirReplica], to_free: int, rooms: Mapping[str, int]
) -> Choice:
    if not rooms:
        return Choice((), ())
    busy = await ports.admin.reassignments()
    topics = sorted({r.topic for r in replicas})
    policies = await ports.admin.topic_configs(topics, ("cleanup.policy",))
    compacted = {t for t, values in policies.items() if "compact" in values.get("cleanup.policy", "")}
    unmovable = {
        (r.topic, r.partition): "have too long a name to be moved" for r in replicas if name_too_long(r)
    }
    unmovable |= dict.fromkeys(busy, "are being reassigned")
    unmovable |= {(r.topic, r.partition): "are empty" for r in replicas if not r.size}
    # Kafka pauses the cleaning of what is moved; old brokers do not resume it after a cancel (KAFKA-19458).
    order = sorted(replicas, key=lambda r: (r.topic in compacted, -r.size, r.topic, r.partition))
    return choose(order, unmovable, to_free, rooms, (MOVES_MAX, BYTES_MAX))


def _nothing(log_dir: str, rooms: Mapping[str, int], choice: Choice) -> str:
    room = ", ".join(f"{path}: {show_size(max(0, left))}" for path, left in rooms.items()) or "none elsewhere"
    passed = ", ".join(choice.passed_over) or "it holds no replica"
    return f"nothing can be moved out of {log_dir}: {passed} (room {room})"


def _no(reason: str) -> Refusal:
    return Refusal("preconditions", reason)
