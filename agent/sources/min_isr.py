"""Which partitions have too few replicas in sync, by the min.insync.replicas that is in effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.kafka.errors import KafkaUnreachable
from agent.kafka.metadata import PartitionInfo
from agent.sources.admin_port import FactsAdmin

_KEY = "min.insync.replicas"
_MAX_AGE_MS = 300_000


class MinIsr:
    """min.insync.replicas by topic, remembered for minutes: it costs a call for what hardly changes."""

    def __init__(self) -> None:
        self._topics: dict[str, int] = {}
        self._read_at: int | None = None

    async def of(self, topics: frozenset[str], admin: FactsAdmin, ask: int, now: int) -> Mapping[str, int]:
        """For each of the topics what is in effect, by its own setting or the default at broker `ask`."""
        if self._read_at is None or now - self._read_at >= _MAX_AGE_MS:
            self._topics, self._read_at = {}, now
        unknown = sorted(topics - self._topics.keys())
        if unknown:
            default = (await admin.effective_configs(f"broker/{ask}", [_KEY])).get(_KEY)
            if default is None:
                raise KafkaUnreachable(f"broker {ask}", f"it did not tell its {_KEY}")
            own = await admin.topic_configs(unknown, [_KEY])
            self._topics |= {topic: int(own.get(topic, {}).get(_KEY, default)) for topic in unknown}
        return self._topics


def under_min_isr(partitions: Sequence[PartitionInfo], minimum: Mapping[str, int]) -> int:
    """How many cannot take writes with acks=all. A partition needs no more than all its replicas."""
    return sum(len(p.isr) < min(minimum[p.topic], len(p.replicas)) for p in partitions)
