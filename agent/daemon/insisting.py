"""An action's own code, asked until it answers: an effect that stands is never given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agent.daemon.holding import Broken

log = logging.getLogger(__name__)
RETRY_S = (1, 2, 5, 10, 30)
_Answer = TypeVar("_Answer")


class Insisting:
    """`trouble` says what keeps one incident from going on; empty where nothing does."""

    def __init__(self, incident: str) -> None:
        self._id = incident
        self.trouble = ""

    def tell(self, words: str) -> None:
        """What keeps it from going on now."""
        self.trouble = words

    async def until_answered(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Again and again, slower each time."""
        for attempt in range(1_000_000):
            try:
                answer = await self.once(ask())
            except Broken as error:
                if str(error) != self.trouble:
                    log.warning("%s: %s", self._id, error)
                self.trouble = str(error)
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            else:
                self.trouble = ""
                return answer
        raise Broken(self.trouble)

    async def once(self, work: Awaitable[_Answer]) -> _Answer:
        """Its result. Raises Broken, whatever the action raised."""
        try:
            return await work
        except Broken:
            raise
        except Exception as error:
            if not str(error):
                log.exception("%s", self._id)
            raise Broken(f"{type(error).__name__}: {error}") from error
