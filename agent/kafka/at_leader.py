"""Asks the leader of one partition, and finds it again where it is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agent.kafka.bridge import Call
from agent.kafka.cluster import Cluster
from agent.kafka.errors import KafkaUnreachable, LogGone, LogRecreated, error_name
from agent.kafka.metadata import describe_topic_partitions, parse_id, partitions_of
from agent.kafka.partition import Leader

# Nothing was done, and another broker, or the same a little later, may do it: UNKNOWN_TOPIC_OR_PARTITION
# (metadata not there yet), LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REPLICA_NOT_AVAILABLE,
# KAFKA_STORAGE_ERROR, FENCED_ and UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE, UNKNOWN_TOPIC_ID,
# INCONSISTENT_TOPIC_ID.
_ELSEWHERE = frozenset({3, 5, 6, 9, 56, 74, 75, 78, 100, 103})
_PAUSE = 0.05  # before the leader is looked for again; doubled each time in vain
_LONGEST_PAUSE = 1.0  # a topic may be missing for days


class AtLeader:
    """Knows the leader until it errs, or is forgotten, and the topic's id for ever: another topic of the same
    name is no longer this log."""

    def __init__(self, cluster: Cluster, topic: str, partition: int) -> None:
        self.topic_id = ""  # as Kafka's tools print it; known after the first call
        self._cluster = cluster
        self._topic = topic
        self._partition = partition
        self._leader: Leader | None = None
        self._pause = _PAUSE

    async def ask(
        self, call: Callable[[Leader], Call], part_of: Callable[[Any], Any], until: float, purpose: str = ""
    ) -> Any:
        """The partition's part of the leader's answer; its error_code does not mean elsewhere.

        Raises KafkaUnreachable at the loop's time `until`, what the call raises, LogRecreated and LogGone.
        """
        while True:
            try:
                leader = self._leader or await self._locate(until)
                request = call(leader)
                left = until - _now()
                answer = await self._cluster.ask(
                    request, node=leader.node, purpose=purpose or request.api, deadline=left
                )
                part = part_of(answer)
                if part.error_code not in _ELSEWHERE:
                    self._pause = _PAUSE
                    return part
                error = KafkaUnreachable(f"the leader of {self._topic}", error_name(part.error_code))
            except KafkaUnreachable as unreachable:
                error = unreachable
            self._leader = None
            pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
            if _now() + pause >= until:
                raise error
            await asyncio.sleep(pause)
            if _now() >= until:  # it was woken late, and another search would have no time to tell anything
                raise error

    def forget(self) -> None:
        """It is looked for anew before the next call."""
        self._leader = None

    async def _locate(self, until: float) -> Leader:
        call = describe_topic_partitions([self._topic])
        found = partitions_of(await self._cluster.ask(call, purpose="locate", deadline=until - _now()))
        mine = next((p for p in found if p.partition == self._partition), None)
        if mine is None and self.topic_id:
            raise LogGone(self._topic)
        if mine is None:
            raise KafkaUnreachable(f"topic {self._topic}", f"it has no partition {self._partition}")
        if self.topic_id and mine.topic_id != self.topic_id:
            raise LogRecreated(self._topic, self.topic_id, mine.topic_id)
        self.topic_id = mine.topic_id
        if mine.leader < 0:
            raise KafkaUnreachable(f"topic {self._topic}", f"partition {self._partition} has no leader")
        self._leader = Leader(
            self._topic, self._partition, parse_id(mine.topic_id), mine.leader, mine.leader_epoch
        )
        return self._leader


def _now() -> float:
    return asyncio.get_running_loop().time()
