"""An event loop that looks up each name in a thread of its own: a resolver may never answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from agent.lone_thread import LoneThread

LOOKUP_S = 30.0  # who asks has a deadline of its own; a resolver may try several servers, 5 s each
_IDLE_S = 1.0  # there may be a hundred names
_Answer = TypeVar("_Answer")
_Asked = tuple[Any, ...]  # as socket.getaddrinfo is
_KNOWN: ContextVar[tuple[_Asked, list[Any]] | None] = ContextVar("known", default=None)


class Loop(asyncio.SelectorEventLoop):
    """asyncio's own looks names up in the few threads that all share. Here a name that hangs costs one thread
    and nothing else; who asks for it meanwhile waits for the same answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads: dict[object, LoneThread] = {}  # by the name
        self._lookups: dict[_Asked, asyncio.Task[list[Any]]] = {}

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002  its name there
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """As asyncio's; gaierror also where it hangs."""
        asked = (host, port, family, type, proto, flags)
        known = _KNOWN.get()
        if known is not None and known[0] == asked:
            return known[1]
        lookup = self._lookups.get(asked)
        if lookup is None:
            lookup = self._lookups[asked] = self.create_task(self._look_up(asked))
            lookup.add_done_callback(lambda _: self._lookups.pop(asked))
        return await asyncio.shield(lookup)

    async def _look_up(self, asked: _Asked) -> list[Any]:
        thread = self._threads.setdefault(asked[0], LoneThread(f"look-up of {asked[0]}", _IDLE_S))
        try:
            return await thread.run(partial(socket.getaddrinfo, *asked), LOOKUP_S)
        except TimeoutError as error:
            raise socket.gaierror(socket.EAI_AGAIN, str(error)) from error


@asynccontextmanager
async def looked_up(host: str, port: int, seconds: float) -> AsyncIterator[None]:
    """Look a name up first, so that connections within find it at once. What is not found in so many seconds
    is looked up by them, and fails there."""
    lookup = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    known = None
    with suppress(OSError):
        async with asyncio.timeout(seconds):
            known = (host, port, 0, socket.SOCK_STREAM, 0, 0), await lookup
    token = _KNOWN.set(known)
    try:
        yield
    finally:
        _KNOWN.reset(token)


def run(main: Coroutine[Any, Any, _Answer]) -> _Answer:
    """As asyncio.run, on such a loop: it ends although a look-up never does."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)
