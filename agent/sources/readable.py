"""Waiting for descriptors without spinning over those that are readable but not wanted yet."""

from __future__ import annotations

import asyncio
from collections.abc import Collection


async def readable(descriptors: Collection[int], seconds: float | None) -> None:
    """Returns when one of them can be read, or after `seconds`; None: waits for ever."""
    loop = asyncio.get_running_loop()
    happened = asyncio.Event()
    for fd in descriptors:
        loop.add_reader(fd, happened.set)
    try:
        async with asyncio.timeout(seconds):
            await happened.wait()
    except TimeoutError:
        return
    finally:
        for fd in descriptors:
            loop.remove_reader(fd)
