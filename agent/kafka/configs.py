"""Dynamic configuration: DescribeConfigs and IncrementalAlterConfigs, and whether a change is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from msgspec import Struct

from agent.kafka.bridge import Call
from agent.kafka.errors import UNKNOWN_TOPIC_OR_PARTITION, check

_TOPIC, _BROKER = 2, 4  # ConfigResource.Type
_KINDS = {"topic": _TOPIC, "broker": _BROKER}
_OPERATIONS = {"set": 0, "delete": 1, "append": 2, "subtract": 3}  # AlterConfigOp.OpType
# Where a value must come from to be set at the very resource asked (ConfigEntry.ConfigSource):
# DYNAMIC_TOPIC_CONFIG, DYNAMIC_BROKER_CONFIG, and DYNAMIC_DEFAULT_BROKER_CONFIG for the cluster's default.
_TOPIC_SOURCE, _BROKER_SOURCE, _DEFAULT_SOURCE = 1, 2, 3

ALL_BROKERS = (
    "broker/"  # the resource of the cluster's default, in force where a broker has no value of its own
)
HIDDEN = "[hidden]"  # a password's value, which brokers do not tell; Kafka's own word for it


class ConfigChange(Struct, frozen=True):
    """One change of one key. `operation` is set, delete (no value), append or subtract (lists)."""

    resource: str  # broker/2, topic/orders; or ALL_BROKERS
    key: str
    operation: str
    value: str | None = None


def split_resource(resource: str) -> tuple[str, str]:
    """`broker/2` to its kind and name; ValueError says what is wrong."""
    kind, slash, name = resource.partition("/")
    if kind not in _KINDS or not slash or (kind == "broker" and name and not name.isdecimal()):
        raise ValueError(f"bad resource {resource!r}: write it like broker/2 or topic/orders")
    return kind, name


def node_of(resource: str) -> int | None:
    """The only broker that answers for the resource, None if any does."""
    kind, name = split_resource(resource)
    return int(name) if kind == "broker" and name else None


def describe_configs(resources: Sequence[str], keys: Sequence[str] | None) -> Call:
    """Asks for some keys, or all. The throttle keys are not told unless set."""

    def build(m: ModuleType) -> Any:
        wanted = None if keys is None else tuple(keys)
        asked = (split_resource(resource) for resource in resources)
        return m.DescribeConfigsRequest(
            resources=tuple(
                m.DescribeConfigsResource(
                    resource_type=_KINDS[kind], resource_name=name, configuration_keys=wanted
                )
                for kind, name in asked
            )
        )

    return Call("describe_configs", 32, 1, 4, build)


def values_of(answer: Any, *, dynamic: bool) -> dict[str, dict[str, str]]:
    """Values by resource name and key; `dynamic`: only those set at the very resource.

    A topic that does not exist is left out, as is a value of null; other errors are KafkaRefused.
    """
    found = {}
    for result in answer.results:
        if result.error_code == UNKNOWN_TOPIC_OR_PARTITION:
            continue
        check("describe_configs", result.error_code, result.error_message)
        own = _own_source(result.resource_type, result.resource_name)
        found[result.resource_name] = {
            entry.name: HIDDEN if entry.is_sensitive else entry.value
            for entry in result.configs
            if (entry.config_source == own or not dynamic) and (entry.is_sensitive or entry.value is not None)
        }
    return found


def incremental_alter_configs(resource: str, changes: Sequence[ConfigChange]) -> Call:
    """Asks to change some keys of one resource, all or none of them; other keys stay."""
    kind, name = split_resource(resource)

    def build(m: ModuleType) -> Any:
        configs = tuple(
            m.AlterableConfig(name=c.key, config_operation=_OPERATIONS[c.operation], value=c.value)
            for c in changes
        )
        altered = m.AlterConfigsResource(resource_type=_KINDS[kind], resource_name=name, configs=configs)
        return m.IncrementalAlterConfigsRequest(resources=(altered,), validate_only=False)

    return Call("incremental_alter_configs", 44, 0, 1, build, write=True)


def check_altered(resource: str, answer: Any) -> None:
    """KafkaRefused or KafkaInDoubt where the resource was not changed."""
    for response in answer.responses:
        words = f"{resource}: {response.error_message or ''}"
        check("incremental_alter_configs", response.error_code, words, write=True)


def in_force(change: ConfigChange, values: Mapping[str, str]) -> bool:
    """Whether the resource's own dynamic values are what they would be after the change."""
    present = values.get(change.key)
    if change.operation == "delete":
        return present is None
    if change.operation == "set":
        return present == change.value
    entries, wanted = set((present or "").split(",")), set((change.value or "").split(","))
    return wanted <= entries if change.operation == "append" else not wanted & entries


def _own_source(resource_type: int, name: str) -> int:
    if resource_type == _TOPIC:
        return _TOPIC_SOURCE
    return _BROKER_SOURCE if name else _DEFAULT_SOURCE
