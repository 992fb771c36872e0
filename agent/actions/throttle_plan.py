"""The plan of a replication throttle: who is behind, what stands in the way, how slow it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.actions.configs import appended, fits
from agent.actions.lagging import Flow, Lagging, furthest_behind, lagging, measure, need
from agent.actions.ports import Ports, owner_of, refuse_other_host
from agent.actions.throttles import (
    EVERYTHING,
    FOLLOWER_LIST,
    FOLLOWER_RATE,
    LEADER_LIST,
    LEADER_RATE,
    LISTS,
    UNLIMITED,
    entries,
    entries_of,
    prior_of,
)
from agent.kafka.metadata import PartitionInfo
from agent.model import Change, Effect, Operation, Refusal
from agent.quantities import show_size

TOPICS_MAX = 20
# What is listed counts while in sync too, so at less than the inflow nobody ever catches up (KIP-73).
_MARGIN = 1.5
# The floor may raise what a rule asked for; beyond the double it would be another action.
_RAISE_MAX = 2

_Lists = Mapping[str, Mapping[str, str]]  # by topic: the throttled replicas' lists that are set
_Priors = Mapping[str, str | None]  # by rate


async def plan_throttle(ports: Ports, target: str, rate: int, topics_max: int) -> Effect | Refusal:
    """The whole effect of a throttle of this broker, or why not."""
    refusal = refuse_other_host(ports, target) or await _disturbed(ports)
    if refusal:
        return refusal
    partitions = [p for p in await ports.admin.partitions() if ports.node_id in p.replicas]
    refusal = await _needs_speed(partitions, ports)
    if refusal:
        return refusal
    alive = [b.node_id for b in (await ports.admin.brokers()).values() if not b.fenced]
    found = lagging(partitions, ports.node_id, alive)
    if not found.topics():
        return _no("every replica of this broker, and every living follower of it, is in sync")
    lists = await ports.admin.topic_configs(sorted({p.topic for p in partitions}), LISTS)
    refusal = _foreign(lists, found, ports.node_id)
    if refusal:
        return refusal
    own = await ports.admin.configs(f"broker/{ports.node_id}", (FOLLOWER_RATE, LEADER_RATE))
    priors = {key: prior_of(own.get(key)) for key in (FOLLOWER_RATE, LEADER_RATE)}
    flow = await measure(found, ports)
    chosen = found.only(furthest_behind(found, flow, max(1, min(topics_max, TOPICS_MAX))))
    return _effect(chosen, flow, (lists, priors), rate, ports)


async def _disturbed(ports: Ports) -> Refusal | None:
    """What somebody else does to replication."""
    standing = await ports.admin.effective_configs(f"broker/{ports.node_id}", (FOLLOWER_RATE, LEADER_RATE))
    for key, value in standing.items():
        if value != UNLIMITED:
            return Refusal("coexistence", f"{key} is {value} on this broker already")
    busy = await ports.admin.reassignments()
    if busy:
        topic, partition = min(busy)
        return Refusal(
            "coexistence", f"{len(busy)} partitions are being reassigned, {topic}-{partition} first"
        )
    return None


async def _needs_speed(partitions: Sequence[PartitionInfo], ports: Ports) -> Refusal | None:
    """A partition that its producers cannot write to waits for its followers."""
    needed: dict[str, int] = {}
    for p in partitions:
        if len(p.isr) == len(p.replicas):
            continue
        if p.topic not in needed:
            key = "min.insync.replicas"
            values = await ports.admin.effective_configs(f"topic/{p.topic}", (key,))
            needed[p.topic] = int(values.get(key, "1"))
        if len(p.isr) < needed[p.topic]:
            return _no(
                f"{p.topic}-{p.partition} has {len(p.isr)} replicas in sync and needs {needed[p.topic]}:"
                " its followers need speed"
            )
    return None


def _foreign(lists: _Lists, found: Lagging, node: int) -> Refusal | None:
    """Lists that our rate would bind more than what is out of sync."""
    meant = {
        FOLLOWER_LIST: {(p.topic, _entry(p, node)) for p in found.follows},
        LEADER_LIST: {(p.topic, _entry(p, node)) for p in found.leads},
    }
    for topic, values in sorted(lists.items()):
        for key in LISTS:
            value = values.get(key)
            if EVERYTHING in entries(value):
                return Refusal("coexistence", f"{key} of topic {topic} is {value}, set by another")
            for entry in entries_of(value, node):
                if (topic, entry) not in meant[key]:
                    return Refusal("coexistence", f"{key} of topic {topic} holds {entry}, set by another")
    return None


def _effect(
    chosen: Lagging, flow: Flow, standing: tuple[_Lists, _Priors], rate: int, ports: Ports
) -> Effect | Refusal:
    node, (lists, priors) = ports.node_id, standing
    sides = (FOLLOWER_LIST, FOLLOWER_RATE, chosen.follows), (LEADER_LIST, LEADER_RATE, chosen.leads)
    changes: list[Change] = []
    rates: list[Change] = []
    for (listed, limit, partitions), inflow in zip(sides, need(chosen, flow), strict=True):
        if not partitions:
            continue
        floor = max(int(_MARGIN * inflow) + 1, ports.policy.min_throttle_rate)
        if floor > _RAISE_MAX * rate:
            return _no(
                f"{limit} must be {show_size(floor)}/s at least to keep up with what is produced"
                f" ({show_size(inflow)}/s), more than double the {show_size(rate)}/s asked for"
            )
        changes += _list_changes(listed, partitions, lists, node)
        rates.append(Change(f"broker/{node}", limit, Operation.SET, priors[limit], str(max(rate, floor))))
    return fits(Effect("throttle_replication", owner_of(node), (*changes, *rates)))


def _list_changes(key: str, partitions: Sequence[PartitionInfo], lists: _Lists, node: int) -> list[Change]:
    wanted: dict[str, list[str]] = {}
    for p in partitions:
        wanted.setdefault(p.topic, []).append(_entry(p, node))
    made = (
        appended(f"topic/{topic}", key, lists.get(topic, {}).get(key), names)
        for topic, names in wanted.items()
    )
    return [change for change in made if change]


def _entry(partition: PartitionInfo, node: int) -> str:
    return f"{partition.partition}:{node}"


def _no(reason: str) -> Refusal:
    return Refusal("preconditions", reason)
