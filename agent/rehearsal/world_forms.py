"""Reads what a story says of the world."""

from __future__ import annotations

from collections.abc import Mapping

from agent.kafka.configs import split_resource
from agent.rehearsal.cluster import CALLS, ERRORS, IN_DOUBT, UNREACHABLE
from agent.rehearsal.disks import Replica
from agent.rehearsal.world import Given, GivenPartition, GivenVolume
from agent.yaml_marks import Fields, Form, Items, Node, Scalar, Wrong, closest
from agent.yaml_marks.readers import flag, integer, rate, size, text, texts


def read_world(form: Form) -> Given:
    """The keys of the world in `world:` or in an event; the form is not closed."""
    return Given(
        down=form.get("down", nodes, None),
        log_dirs=_volumes(form),
        partitions=_partitions(form),
        configs=form.get("configs", _configs, {}),
        reassigning=form.get("reassigning", _replicas, None),
        fails=form.get("fails", _fails, {}),
    )


def nodes(node: Node) -> frozenset[int]:
    """A list of node ids."""
    return frozenset(_numbers(node))


def _numbers(node: Node) -> tuple[int, ...]:
    if not isinstance(node, Items):
        raise Wrong("expected a list of node ids", "write it like [2, 3]")
    return tuple(integer(item) for item in node.items)


def _volumes(world: Form) -> Mapping[str, GivenVolume]:
    form = world.form("log_dirs", "`log_dirs`")
    found = {}
    for path, _, volume in form.named("the log dir {}") if form else ():
        found[path] = GivenVolume(
            total=volume.get("total", size, None),
            other=volume.get("other", size, None),
            offline=volume.get("offline", flag, None),
            cordoned=volume.get("cordoned", flag, None),
        )
        volume.close()
    return found


def _partitions(world: Form) -> Mapping[Replica, GivenPartition]:
    form = world.form("partitions", "`partitions`")
    found = {}
    for name, _, partition in form.named("the partition {}") if form else ():
        given = GivenPartition(
            leader=partition.get("leader", _leader, None),
            replicas=partition.get("replicas", _numbers, None),
            isr=partition.get("isr", _numbers, None),
            size=partition.get("size", size, None),
            here=partition.get("here", size, None),
            dir=partition.get("dir", text, None),
            grows=partition.get("grows", rate, None),
        )
        partition.close()
        try:
            found[_replica(name)] = given
        except Wrong as wrong:
            partition.complain(str(wrong), wrong.hint)
    return found


def _leader(node: Node) -> int:
    if isinstance(node, Scalar) and node.text == "none":
        return -1
    return integer(node)


def _replicas(node: Node) -> frozenset[Replica]:
    return frozenset(_replica(name) for name in texts(node))


def _replica(name: str) -> Replica:
    topic, _, number = name.rpartition("-")
    if not topic or not number.isdecimal():
        raise Wrong(f"{name!r} is no partition", "write it like orders-0")
    return topic, int(number)


def _configs(node: Node) -> Mapping[str, Mapping[str, str | None]]:
    if not isinstance(node, Fields):
        raise Wrong("expected settings by resource", "write it like {broker/1: {key: value}}")
    found = {}
    for resource, settings in node.fields.items():
        try:
            split_resource(resource)
        except ValueError as error:
            raise Wrong(str(error), place=node.keys[resource]) from None
        found[resource] = _settings(settings)
    return found


def _settings(node: Node) -> Mapping[str, str | None]:
    """Values by key; nothing (`~`) takes one away."""
    if not isinstance(node, Fields):
        raise Wrong("expected values by key", "write it like {key: value}", node.place)
    found: dict[str, str | None] = {}
    for key, value in node.fields.items():
        if not isinstance(value, Scalar):
            raise Wrong(f"{key}: expected a single value", place=value.place)
        found[key] = None if value.value is None else value.text
    return found


def _fails(node: Node) -> Mapping[str, str | None]:
    found = _settings(node)
    for call, answer in found.items():
        if call not in CALLS:
            hint = closest(call, CALLS) or f"calls: {', '.join(sorted(CALLS))}"
            raise Wrong(f"{call!r} is no call of the admin protocol", hint)
        if answer is not None and answer not in (UNREACHABLE, IN_DOUBT, *ERRORS):
            hint = closest(answer, ERRORS) or f"{UNREACHABLE}, {IN_DOUBT}, or Kafka's name of an error"
            raise Wrong(f"{answer!r} is no answer of Kafka's", hint)
    return found
