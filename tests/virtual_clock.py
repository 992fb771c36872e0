"""A clock, and waiting, where time is an event loop's own (`agent.rehearsal.virtual_time`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def now() -> int:
    """Milliseconds, as if since the epoch."""
    return 1_000_000 + round(asyncio.get_running_loop().time() * 1_000)


async def eventually(happened: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Waits for a condition; the failure says for which."""
    until = asyncio.get_running_loop().time() + seconds
    while not happened():
        assert asyncio.get_running_loop().time() < until, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.1)
