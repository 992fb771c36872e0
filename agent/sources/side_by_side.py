"""The calls of a source, each in a task of its own: one that is not answered is waited for by none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from agent.kafka.errors import KafkaError
from agent.sources.reasons import Reasons


class Calls:
    """Each call by name: how often it failed, when it was asked that was answered last (ms, and by the loop's
    time, which nobody sets), and which have an answer that no failure came after.

    `reasons` says why those failed whose last try did. `failed` is told of each that fails, and when it was
    asked. Calls end by themselves, at their own deadlines; one that runs is not begun a second time.
    """

    def __init__(self, names: Iterable[str], failed: Callable[[str, int], None]) -> None:
        self.reasons = Reasons("cluster:")
        self.unanswered = dict.fromkeys(names, 0)
        self.answered_at: dict[str, int] = {}
        self._asked: dict[str, float] = {}
        self.known = set[str]()
        self._failed = failed
        self._running: dict[str, asyncio.Task[None]] = {}
        self._begun: list[asyncio.Task[None]] = []  # since the last wait

    def ages(self) -> dict[str, float]:
        """Seconds since each was asked that was answered last."""
        now = asyncio.get_running_loop().time()
        return {name: now - asked for name, asked in self._asked.items()}

    def begin(self, name: str, now: int, call: Callable[[int], Awaitable[None]]) -> None:
        """Begin a call, unless it runs. It is given `now`, when it was asked."""
        if name not in self._running:
            self._running[name] = asyncio.create_task(self._run(name, now, call))
            self._begun.append(self._running[name])

    async def wait(self, seconds: float) -> None:
        """Wait so long at most for those begun since the last wait; for what hung before it nobody waits.

        What is no KafkaError is raised: it is a fault of ours.
        """
        begun, self._begun = self._begun, []
        if begun:
            await asyncio.wait(begun, timeout=seconds)
        for name in [name for name, task in self._running.items() if task.done()]:
            self._running.pop(name).result()

    async def _run(self, name: str, now: int, call: Callable[[int], Awaitable[None]]) -> None:
        asked = asyncio.get_running_loop().time()
        try:
            await call(now)
        except KafkaError as error:
            self.reasons.learn(name, str(error))
            self.unanswered[name] += 1
            self.known.discard(name)
            self._failed(name, now)
        else:
            self.reasons.learn(name, None)
            self.answered_at[name], self._asked[name] = now, asked
            self.known.add(name)
