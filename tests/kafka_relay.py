"""Relays before a lab's brokers that know Kafka's frames: they cut a client off, or hold a request of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from agent.lab.cluster import Lab

PRODUCE, API_VERSIONS, ALTER = 0, 18, 44  # Kafka's api keys


@dataclass(frozen=True)
class Request:
    """One request on its way to a broker."""

    client: str
    api: int
    raw: bytes

    @classmethod
    def read(cls, body: bytes) -> Request:
        """Its header: api key, version, correlation id, client id."""
        length = int.from_bytes(body[8:10], signed=True)
        return cls(body[10 : 10 + max(0, length)].decode(), int.from_bytes(body[:2]), body)


@dataclass(eq=False)
class Stop:
    """Where one request of a client is to be held before its broker gets a byte of it."""

    client: str
    api: int
    content: bytes = b""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _fate: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def matches(self, request: Request) -> bool:
        """Whether this is the request; only the first one is."""
        alike = (request.client, request.api) == (self.client, self.api) and self.content in request.raw
        return alike and not self.reached.is_set()

    async def passes(self) -> bool:
        """Waits for its fate."""
        self.reached.set()
        return await self._fate

    def deliver(self) -> None:
        """The broker gets it now, whether its sender lives or not."""
        self._fate.set_result(True)

    def lose(self) -> None:
        """The broker never gets it."""
        self._fate.set_result(False)


class Relays:
    """One before each broker, where its RELAYED listener says that it is."""

    def __init__(self, lab: Lab, heard: Callable[[Request], None] = lambda _: None) -> None:
        """`heard` is told of each request when it has come, before it goes on."""
        self._heard = heard
        self.passed: list[Request] = []  # the changes of configuration that brokers got
        self._brokers = list(lab.brokers.values())
        self._cut: set[str] = set()
        self._healed = asyncio.Condition()
        self._stops: list[Stop] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    async def __aenter__(self) -> Self:
        for node in self._brokers:
            target, port = node.relayed_port, node.relay_port
            serve = lambda reader, writer, target=target: self._accept(reader, writer, target)  # noqa: E731
            self._servers.append(await asyncio.start_server(serve, "127.0.0.1", port))
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, client: str) -> None:
        """Nothing of the client comes through: what is under way is held, new connections stay dumb."""
        self._cut.add(client)

    async def heal(self, client: str) -> None:
        """What was held goes on, however old it is."""
        self._cut.discard(client)
        async with self._healed:
            self._healed.notify_all()

    def stop(self, client: str, api: int, content: bytes = b"") -> Stop:
        """Hold the client's next request of this kind, and tell when it has come."""
        self._stops.append(Stop(client, api, content))
        return self._stops[-1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        client: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return writer.close()  # the broker is down
        answers = asyncio.ensure_future(self._answers(there, writer, client))
        try:
            await self._requests(reader, back, client)
            back.close()
            client.cancel()  # where it was never told
            await answers
        finally:
            back.close()
            answers.cancel()

    async def _requests(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, client: asyncio.Future[str]
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):  # either side is gone
            while True:
                size = await reader.readexactly(4)
                request = Request.read(await reader.readexactly(int.from_bytes(size)))
                if not client.done():
                    client.set_result(request.client)
                self._heard(request)
                stop = next((stop for stop in self._stops if stop.matches(request)), None)
                if stop is not None and not await stop.passes():
                    continue
                await self._whole(request.client)
                if request.api == ALTER:
                    self.passed.append(request)
                back.write(size + request.raw)
                await back.drain()

    async def _answers(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.Future[str]
    ) -> None:
        """A client that is gone keeps nobody from reading on: what it sent may still be on its way."""
        try:
            while piece := await there.read(1 << 16):
                await self._whole(await client)
                with contextlib.suppress(OSError):
                    writer.write(piece)
                    await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass  # the broker is gone, or the client before it said a word
        finally:
            writer.close()

    async def _whole(self, client: str) -> None:
        async with self._healed:
            await self._healed.wait_for(lambda: client not in self._cut)
