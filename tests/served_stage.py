"""A stage's agent behind its real HTTP server, in real time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from msgspec.structs import replace
from stage import Stage

from agent.daemon.desk import Desk
from agent.families import Family
from agent.model import Entry
from agent.web.server import Server
from agent.wire import encode


class NoReload:
    """Rules that nobody reads again."""

    last = None

    def collect(self) -> Iterator[Family]:
        """Nothing."""
        return iter(())


@dataclass
class Served:
    """One agent, and where its socket is."""

    stage: Stage
    desk: Desk
    socket: Path

    async def get(self, path: str) -> tuple[int, Any]:
        """What it answers, decoded where it is JSON."""
        return await self._ask("GET", path, None)

    async def order(self, name: str, **words: Any) -> tuple[int, Any]:
        """An order, and the answer."""
        return await self._ask("POST", f"/api/v1/{name}", json.dumps(words))

    async def gauges(self) -> dict[str, float]:
        """What a scrape gives, of series without labels."""
        _, text = await self.get("/metrics")
        lines = (
            line.split(" ") for line in text.splitlines() if line[:1] not in ("#", "") and "{" not in line
        )
        return {name: float(value) for name, value in lines}

    async def _ask(self, method: str, path: str, body: str | None) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.socket))) as client,
            client.request(method, f"http://localhost{path}", data=body) as answer,
        ):
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text


@asynccontextmanager
async def served(stage: Stage, folder: Path, before: Sequence[Entry] = ()) -> AsyncIterator[Served]:
    """The agent's life begins upon these entries; it ends with a kill."""
    stage.journal.lines.extend(map(encode, before))
    await stage.start()
    means = replace(stage.means, ports=cast(Any, SimpleNamespace(node_id=1)))
    desk = Desk("broker-1", "0", means, stage.daemon, [], cast(Any, NoReload()), 0)
    server = Server(desk, listen="127.0.0.1:0", path=folder / "s", state=folder)
    await server.start()
    try:
        yield Served(stage, desk, folder / "s")
    finally:
        await server.close()
        await stage.crash()


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Waits for it."""
    try:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited for {what} in vain") from None
