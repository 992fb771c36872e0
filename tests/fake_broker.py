"""A broker on loopback that answers what a test tells it, hangs, or hangs up."""

from __future__ import annotations

import asyncio
import io
import ssl
import struct
from collections.abc import Callable
from typing import Any, Self

from kio.serial import entity_writer

HANG = "hang"  # never answer
HANG_UP = "hang up"  # close the connection instead of answering
API_VERSIONS = 18


class FakeBroker:
    """`answers` maps an API's key to what is done at its n-th request, counted from 0: a kio response, HANG,
    HANG_UP or raw bytes after the header. An API not named is not offered."""

    def __init__(
        self,
        answers: dict[int, Callable[[int], Any]],
        *,
        deaf: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers = answers
        self.tls = tls
        self.deaf = deaf  # accepts connections and reads nothing, like a stopped process
        self.asked: list[int] = []  # the APIs' keys, ApiVersions left out
        self.connections = 0
        self.address = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        self._server.close()
        async with asyncio.timeout(5):
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    def hang_up(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while not self.deaf:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, correlation = struct.unpack_from(">hhi", await reader.readexactly(size))
                answer = self._answer(key)
                if answer == HANG_UP:
                    writer.close()
                    return
                if answer != HANG:
                    frame = struct.pack(">i", correlation) + answer
                    writer.write(struct.pack(">i", len(frame)) + frame)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, key: int) -> Any:
        if key == API_VERSIONS:
            offered = [struct.pack(">hhh", k, 0, 100) for k in (API_VERSIONS, *self.answers)]
            return struct.pack(">hi", 0, len(offered)) + b"".join(offered)
        count = self.asked.count(key)
        self.asked.append(key)
        answer = self.answers[key](count)
        return answer if isinstance(answer, str | bytes) else encode_answer(answer)


def encode_answer(message: Any) -> bytes:
    """A kio response with the rest of its header."""
    out = io.BytesIO()
    entity_writer(type(message))(out, message)
    flexible = message.__header_schema__.__module__.split(".")[3] == "v1"
    return (b"\0" if flexible else b"") + out.getvalue()
