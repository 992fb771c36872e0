"""Which partitions are being moved between brokers: ListPartitionReassignments."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from types import ModuleType
from typing import Any

from agent.kafka.bridge import Call
from agent.kafka.errors import check


@cache
def list_partition_reassignments(timeout: float) -> Call:
    """Asks for every reassignment under way; the controller gets `timeout` seconds."""

    def build(m: ModuleType) -> Any:
        return m.ListPartitionReassignmentsRequest(timeout=timedelta(seconds=timeout), topics=None)

    return Call("list_partition_reassignments", 46, 0, 0, build)


def reassigning(answer: Any) -> frozenset[tuple[str, int]]:
    """The (topic, partition) pairs that are being reassigned."""
    check("list_partition_reassignments", answer.error_code, answer.error_message)
    return frozenset((t.name, p.partition_index) for t in answer.topics for p in t.partitions)
