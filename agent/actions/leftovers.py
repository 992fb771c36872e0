"""The plan of clearing leftover throttles: which are ours or named, and what goes with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agent.actions.configs import fits
from agent.actions.moves import futures
from agent.actions.ports import Ports, owner_of, refuse_other_host
from agent.actions.throttles import (
    EVERYTHING,
    LIST_OF,
    LISTS,
    MOVE_RATE,
    RATES,
    UNLIMITED,
    entries,
    entries_of,
)
from agent.kafka.configs import ALL_BROKERS
from agent.kafka.errors import KafkaError
from agent.model import Change, Effect, Operation, Refusal

TOPICS_MAX = 20


async def plan_clearing(ports: Ports, target: str, keys: Collection[str], up_to: int) -> Effect | Refusal:
    """The whole effect of clearing this broker's leftovers, or why not."""
    refusal = refuse_other_host(ports, target) or _misnamed(keys) or await _needed(ports)
    if refusal:
        return refusal
    broker = f"broker/{ports.node_id}"
    own = await ports.admin.configs(broker, RATES)
    standing = {k: v for k, v in own.items() if v != UNLIMITED}
    leftover = {
        k: v
        for k, v in standing.items()
        if ports.recorded(broker, k, v) or (k in keys and 0 <= int(v) <= up_to)
    }
    default = {k: v for k, v in (await ports.admin.configs(ALL_BROKERS, RATES)).items() if v != UNLIMITED}
    if beneath := {k: v for k, v in default.items() if k in leftover}:  # it would limit, once ours is gone
        return _of_all(beneath)
    sides = {LIST_OF[k] for k in leftover if k in LIST_OF}
    foreign = {LIST_OF[k] for k in standing if k in LIST_OF and k not in leftover}
    sides |= {key for key in keys if key in LISTS} - foreign
    changes = [Change(broker, k, Operation.DELETE, leftover[k], None) for k in RATES if k in leftover]
    changes += await _lists(ports, sides, keys)
    if not changes:
        if standing:
            return _whose(standing, keys, up_to)
        return _not_here(broker, {k: v for k, v in default.items() if k not in own})
    return fits(Effect("clear_leftover_throttle", owner_of(ports.node_id), tuple(changes)))


def _misnamed(keys: Collection[str]) -> Refusal | None:
    unknown = [k for k in keys if k not in (*RATES, *LISTS)]
    if not unknown:
        return None
    return Refusal(
        "preconditions", f"{unknown[0]} is no throttle; throttles are {', '.join((*RATES, *LISTS))}"
    )


async def _needed(ports: Ports) -> Refusal | None:
    """Work that a throttle may be there for."""
    busy = await ports.admin.reassignments()
    if busy:
        topic, partition = min(busy)
        return Refusal(
            "coexistence",
            f"{len(busy)} partitions are being reassigned, {topic}-{partition} first: it may need it",
        )
    moving = futures(await ports.admin.log_dirs(ports.node_id))
    if moving:
        topic, partition = min(moving)
        return Refusal("coexistence", f"{topic}-{partition} is being moved between log dirs: it may need it")
    return None


async def _lists(ports: Ports, sides: Collection[str], keys: Collection[str]) -> list[Change]:
    """What this broker has in the lists of these sides."""
    if not sides:
        return []
    partitions = await ports.admin.partitions()
    topics = sorted({p.topic for p in partitions if ports.node_id in p.replicas})
    values = await ports.admin.topic_configs(topics, LISTS)
    whole = [key for key in sides if key in keys and not await _others_throttle(ports, key)]
    found = []
    for topic in topics:
        changes = (
            _list(ports.node_id, f"topic/{topic}", key, values.get(topic, {}).get(key), whole)
            for key in LISTS
            if key in sides
        )
        found.append([c for c in changes if c])
    return [c for changes in [f for f in found if f][:TOPICS_MAX] for c in changes]


def _list(node: int, resource: str, key: str, value: str | None, whole: Collection[str]) -> Change | None:
    if EVERYTHING in entries(value):
        return Change(resource, key, Operation.DELETE, value, None) if key in whole else None
    own = entries_of(value, node)
    return Change(resource, key, Operation.SUBTRACT, value, ",".join(own)) if own else None


async def _others_throttle(ports: Ports, key: str) -> bool:
    """Whether another broker has a rate that this side's lists serve; one that does not answer may have."""
    rate = next(r for r, listed in LIST_OF.items() if listed == key)
    default = await ports.admin.configs(ALL_BROKERS, (rate,))
    for node, broker in (await ports.admin.brokers()).items():
        if node == ports.node_id or broker.fenced:
            continue
        try:
            values = await ports.admin.configs(f"broker/{node}", (rate,))
        except KafkaError:
            return True
        if {**default, **values}.get(rate, UNLIMITED) != UNLIMITED:
            return True
    return False


def _not_here(broker: str, default: Mapping[str, str]) -> Refusal:
    if default:
        return _of_all(default)
    return Refusal("preconditions", f"no throttle that may be removed stands on {broker}")


def _of_all(default: Mapping[str, str]) -> Refusal:
    told = ", ".join(f"{key} is {value}" for key, value in default.items())
    return Refusal(
        "coexistence", f"{told} as the default of all brokers, which is not one broker's to remove"
    )


def _whose(standing: Mapping[str, str], keys: Collection[str], up_to: int) -> Refusal:
    told = []
    for key, value in standing.items():
        by = (
            "this broker's own drain or an operator"
            if key == MOVE_RATE
            else "a reassignment's tool or an operator"
        )
        named = f"named by the rule, but only up to {up_to}" if key in keys else "not named by the rule"
        told.append(f"{key} is {value}: not recorded as this agent's, {named}; it may be of {by}")
    return Refusal("coexistence", "; ".join(told))
