"""Looks at the control topic's settings at the start, every five minutes and at each change of leader
(coordination.md section 1): a log that may lose, compact or re-order records is no ground to act on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from agent.control.membership import Membership
from agent.control_topic.ports import Describe
from agent.control_topic.settings_check import REPLICAS, deviations
from agent.kafka.errors import KafkaError

_LOG = logging.getLogger(__name__)
EVERY = 300.0  # seconds
AGAIN = 30.0  # seconds, while they deviate or could not be read


class SettingsWatch:
    """Takes the agent out of the log while its topic is not as it must be."""

    def __init__(self, topic: str, describe: Describe | None, member: Membership) -> None:
        self._topic = topic
        self._describe = describe
        self._member = member
        self._told = ""

    async def run(
        self,
        epoch: Callable[[], int],
        until: Callable[[Callable[[], bool]], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        """For ever. `until` waits for what the log brings; `changed` hears that a look changed something."""
        while self._describe is not None:
            before, known = self._member.deviates, await self._look(self._describe)
            if self._member.deviates != before:
                changed()
            last = epoch()
            pause = EVERY if known and self._member.deviates is None else AGAIN
            try:
                async with asyncio.timeout(pause):
                    await until(lambda last=last: epoch() != last)  # type: ignore[misc]
            except TimeoutError:
                continue

    async def _look(self, describe: Describe) -> bool:
        """Whether it could be read. What cannot deviates from nothing, but somebody should know."""
        try:
            partitions, effective, brokers = await describe()
        except KafkaError as error:
            self._tell(f"the settings of {self._topic} cannot be read: {error}")
            return False
        if not partitions:
            return False  # it is not made yet, or gone: the reader tells
        replicas = min((len(p.replicas) for p in partitions), default=0)
        found = deviations(partitions, effective, brokers)
        self._member.deviate(f"{self._topic} is not as it must be: {'; '.join(found)}" if found else None)
        few = f"{self._topic} has {replicas} of {REPLICAS} replicas" if replicas < REPLICAS else ""
        self._tell("; ".join(found) or few)
        return True

    def _tell(self, words: str) -> None:
        if words and words != self._told:
            _LOG.warning("control topic: %s", words)
        self._told = words
