"""What topics set that matters here: min.insync.replicas and the lists of throttled replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.kafka.errors import KafkaError, KafkaUnreachable
from agent.sources.admin_port import FactsAdmin

MIN_ISR = "min.insync.replicas"
LISTS = ("leader.replication.throttled.replicas", "follower.replication.throttled.replicas")

_TURN_MS = 60_000  # so old a setting gets before it is asked for again
_FEW, _TURN_OF_FEW_MS = 100, 15_000  # topics that are asked about more often, since they cost little
_MAX_AGE_MS = 300_000  # so old it may get where there is no answer
_AT_ONCE = 200  # topics asked for again in one reading, or a tenth of all
_NEW_AT_ONCE = 2_000


class TopicSettings:
    """The settings by topic, remembered: they hardly change, and cost a call. They are asked for in turn."""

    def __init__(self) -> None:
        self.lists = False  # whether the lists of throttled replicas are wanted too
        self._own: dict[str, Mapping[str, str]] = {}
        self._read_at: dict[str, int] = {}
        self._default: tuple[int, int] | None = None  # when it was read, and the value

    async def refresh_default(self, admin: FactsAdmin, ask: int, now: int) -> None:
        """Have broker `ask`'s defaults. KafkaError where it does not tell and what is known is too old."""
        if self._default is not None and 0 <= now - self._default[0] < self._turn:
            return
        try:
            told = (await admin.effective_configs(f"broker/{ask}", [MIN_ISR])).get(MIN_ISR)
            if told is None:
                raise KafkaUnreachable(f"broker {ask}", f"it did not tell its {MIN_ISR}")
        except KafkaError:
            if self._default is None or not 0 <= now - self._default[0] <= _MAX_AGE_MS:
                raise
        else:
            self._default = now, int(told)

    async def refresh(self, topics: frozenset[str], admin: FactsAdmin, now: int) -> None:
        """Have the settings of these topics and no others. KafkaError where some are not known, or too old to
        go by."""
        for gone in self._own.keys() - topics:
            del self._own[gone], self._read_at[gone]
        try:
            await self._ask(topics, admin, now)
        except KafkaError:
            oldest = min(self._read_at.values(), default=0)
            if topics - self._own.keys() or not 0 <= now - oldest <= _MAX_AGE_MS:
                raise

    @property
    def minimum(self) -> dict[str, int]:
        """min.insync.replicas in effect, by topic."""
        default = 1 if self._default is None else self._default[1]
        return {topic: int(own.get(MIN_ISR, default)) for topic, own in self._own.items()}

    def throttled(self, key: str) -> Mapping[str, str]:
        """The lists by topic, those that are not empty."""
        return {topic: own[key] for topic, own in self._own.items() if own.get(key)}

    @property
    def _turn(self) -> int:
        """By how many topics were told last."""
        return _TURN_OF_FEW_MS if len(self._own) <= _FEW else _TURN_MS

    async def _ask(self, topics: frozenset[str], admin: FactsAdmin, now: int) -> None:
        new = sorted(topics - self._own.keys())
        for start in range(0, len(new), _NEW_AT_ONCE):
            await self._read(new[start : start + _NEW_AT_ONCE], admin, now)
        turn = self._turn
        old = [t for t, at in self._read_at.items() if not 0 <= now - at < turn]
        if old:
            most = max(_AT_ONCE, len(topics) // 10)
            await self._read(sorted(old, key=self._read_at.__getitem__)[:most], admin, now)

    async def _read(self, topics: Sequence[str], admin: FactsAdmin, now: int) -> None:
        keys = [MIN_ISR, *LISTS] if self.lists else [MIN_ISR]
        told = await admin.topic_configs(topics, keys)
        for topic in topics:
            self._own[topic], self._read_at[topic] = told.get(topic, {}), now
