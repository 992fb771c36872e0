"""An event loop whose clock jumps to the next timer: hours of waiting take milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
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

    def run_in_executor(  # type: ignore[override]  # one signature for every function
        self,
        executor: Any,  # noqa: ARG002  there are no threads here: time would not wait for them
        func: Callable[..., _Answer],
        *args: Any,
    ) -> asyncio.Future[_Answer]:
        """At once, and no time passes."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  handed to who waits for it, as an executor does
            future.set_exception(error)
        return future


def run(story: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
