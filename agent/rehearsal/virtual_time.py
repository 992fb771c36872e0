"""An event loop whose clock jumps to the next timer: hours of waiting take milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

MOST_TURNS = 20_000
_Answer = TypeVar("_Answer")


class _Jump(selectors.SelectSelector):
    """Instead of waiting for a timer it sets the clock to it."""

    now = 0.0
    turns = 0  # since the clock last moved

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready at once; else the clock jumps. Nothing to wait for at all is the story's mistake."""
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everything waits for something that no timer and no socket will bring")
        self.turns = 0 if timeout else self.turns + 1
        if self.turns > MOST_TURNS:
            raise AssertionError("something spins: no time passes, and nothing comes to rest")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only where everybody waits."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._jump.now


def run(story: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
