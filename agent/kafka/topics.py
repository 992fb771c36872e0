"""Making and deleting topics: CreateTopics and DeleteTopics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any

from msgspec import Struct, field

from agent.kafka.bridge import Call
from agent.kafka.errors import check


class NewTopic(Struct, frozen=True):
    """A topic to be made; the cluster places its replicas."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str] = field(default_factory=dict)


def create_topics(topics: Sequence[NewTopic], timeout: float) -> Call:
    """Asks to make topics; the controller gets `timeout` seconds."""

    def build(m: ModuleType) -> Any:
        return m.CreateTopicsRequest(
            topics=tuple(_creatable(m, topic) for topic in topics), timeout=timedelta(seconds=timeout)
        )

    return Call("create_topics", 19, 2, 7, build, write=True)


def check_created(answer: Any) -> None:
    """KafkaRefused or KafkaInDoubt for the first topic that was not made."""
    for topic in answer.topics:
        check("create_topics", topic.error_code, f"{topic.name}: {topic.error_message or ''}", write=True)


def delete_topics(names: Sequence[str], timeout: float) -> Call:
    """Asks to delete topics and their data; the controller gets `timeout` seconds."""

    def build(m: ModuleType) -> Any:
        within = timedelta(seconds=timeout)
        if m.DeleteTopicsRequest.__version__ < 6:
            return m.DeleteTopicsRequest(topic_names=tuple(names), timeout=within)
        states = tuple(m.DeleteTopicState(name=name, topic_id=None) for name in names)
        return m.DeleteTopicsRequest(topics=states, timeout=within)

    return Call("delete_topics", 20, 1, 6, build, write=True)


def check_deleted(answer: Any) -> None:
    """KafkaRefused or KafkaInDoubt for the first topic that was not deleted."""
    for topic in answer.responses:
        check("delete_topics", topic.error_code, f"topic {topic.name}", write=True)


def _creatable(m: ModuleType, topic: NewTopic) -> Any:
    return m.CreatableTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        assignments=(),
        configs=tuple(m.CreatableTopicConfig(name=k, value=v) for k, v in topic.configs.items()),
    )
