"""Creates the control topic with the settings of coordination.md section 1."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from agent.control_topic.ports import RETRY, CreateTopic, Describe, Surroundings
from agent.kafka.errors import KafkaError, KafkaRefused

_LOG = logging.getLogger(__name__)
INVALID_REPLICATION_FACTOR = 38
TOPIC_ALREADY_EXISTS = 36
SELDOM = 30.0  # seconds from a try to the next one, at most: it is doubled each time in vain


def configs(replicas: int) -> dict[str, str]:
    """The topic's settings: nothing of it may be lost, compacted, compressed or re-ordered."""
    return {
        "cleanup.policy": "delete",
        "compression.type": "uncompressed",
        "max.message.bytes": str(1024**2),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(min(2, replicas)),
        "retention.bytes": str(4 * 1024**3),
        "retention.ms": "-1",
        "unclean.leader.election.enable": "false",
    }


async def create(create_topic: CreateTopic, name: str) -> int | None:
    """Sees to it that the topic exists, with three replicas or one a broker. How many it was made with, None
    where it is there already. Raises KafkaError."""
    for replicas in (3, 2, 1):
        try:
            await create_topic(name, 1, replicas, configs(replicas))
        except KafkaRefused as error:
            if error.code == TOPIC_ALREADY_EXISTS:
                return None
            if error.code != INVALID_REPLICATION_FACTOR or replicas == 1:
                raise
            continue
        if replicas < 3:
            _LOG.warning("control topic %s has %d replica(s) only: too few brokers for three", name, replicas)
        return replicas
    raise AssertionError("one replica was made or refused")


async def create_where_missing(
    around: Surroundings, name: str, found: Callable[[], bool], failed: Callable[[str], None]
) -> None:
    """Until the topic was made, or is there already; who may not make it reads it all the same. `found`: it
    was read meanwhile."""
    pause = RETRY
    while around.create_topic is not None and not found():
        try:
            if around.describe is None or not await _is_there(around.describe):
                await create(around.create_topic, name)
            return
        except KafkaError as error:
            failed(str(error))
        await asyncio.sleep(pause)
        pause = min(2 * pause, SELDOM)


async def _is_there(describe: Describe) -> bool:
    """Whether the topic is known to be. Who may not look may make it all the same, and hears then that it is
    there."""
    try:
        return bool((await describe())[0])
    except KafkaRefused:
        return False
