"""A relay on loopback before one TCP server, which may keep to itself what goes in either direction."""

from __future__ import annotations

import asyncio
from typing import Self


class Relay:
    """Hands bytes on, unless `drops_answers`."""

    def __init__(self, target: str) -> None:
        self.drops_answers = False
        self.address = ""
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        for source, sink, is_answer in ((reader, back, False), (there, writer, True)):
            task = asyncio.ensure_future(self._hand_on(source, sink, is_answer=is_answer))
            self._tasks.add(task)

    async def _hand_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        try:
            while piece := await source.read(1 << 16):
                if not (is_answer and self.drops_answers):
                    sink.write(piece)
                    await sink.drain()
        except OSError:
            pass  # either side reset it
        finally:
            sink.close()
