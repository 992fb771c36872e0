"""Who is let in: so many connections for so long, loopback names only, and what a peer's uid may do."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web

from agent.lone_thread import LoneThread

MAX_CONNECTIONS = 64  # a runaway poller must not take the descriptors with which the agent reads its logs
MAX_CONNECTION_S = 120.0  # the longest order is an undo, 75 s; one that says nothing does not keep its place
NAME_S = 1.0
_BUSY = b'{"error":"too many connections: try again in a moment"}\n'
_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED

BY = web.RequestKey("by", str)  # who orders
NAMES = web.AppKey("names", LoneThread)
POSTED_READS = web.AppKey("posted_reads", frozenset)  # paths that are only asked, by POST too

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Makes the protocol of each new connection; beyond the limit, one that says 503 and hangs up."""

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self.turned_away = 0

    def __call__(self) -> asyncio.Protocol:
        if len(self._server.connections) >= MAX_CONNECTIONS:
            self.turned_away += 1
            return _Busy()
        return _Timed(self._server())


class _Timed(asyncio.Protocol):
    """Hangs up after a time. The timer goes with the connection: it would keep all of it in memory."""

    def __init__(self, handler: web.RequestHandler) -> None:
        self._handler = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(MAX_CONNECTION_S, self._handler.force_close)
        self._handler.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        transport.write(f"{head}Retry-After: 1\r\nContent-Length: {len(_BUSY)}\r\n\r\n".encode() + _BUSY)
        transport.close()


def is_loopback(host: str) -> bool:
    """Whether a host name or address (no port) can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@web.middleware
async def loopback_names(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a Host that is not ours: a web page whose name was rebound to 127.0.0.1 must not read us."""
    try:
        host = request.url.host or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise web.HTTPForbidden(
            text=f"Host {request.host!r} is not a name of this machine: use http://localhost or 127.0.0.1"
        )
    if not _is_ours(request.headers.get("Origin")):
        raise web.HTTPForbidden(text="a page of another site may not ask: use Grafana's server access mode")
    return await handler(request)


def _is_ours(origin: str | None) -> bool:
    """Whether a request comes from no page of a browser, or from one of this machine.

    A foreign page could not read the answer, but it could have us work out expensive queries.
    """
    if origin is None:
        return True
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        return False


def peer_uid(request: web.Request) -> int:
    """The uid of the process at the other end of a unix socket, as the kernel says it."""
    assert request.transport is not None, "a request being handled has its transport"
    connection = request.transport.get_extra_info("socket")
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


@web.middleware
async def operators_order(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let root and the agent's own user order; whoever else can connect may look. Sets BY.

    A POST is an order, unless the application has its path among POSTED_READS.
    """
    if request.method != "POST" or request.path in request.app[POSTED_READS]:
        return await handler(request)
    uid = peer_uid(request)
    name = await _named(request, uid)
    if uid not in (0, os.geteuid()):
        own = await _named(request, os.geteuid())
        raise web.HTTPForbidden(text=f"{name} may look, not order: be root or {own} (sudo -u)")
    request[BY] = name
    return await handler(request)


async def _named(request: web.Request, uid: int) -> str:
    """The name service may ask the network, which may not answer: who orders is known by his number, too."""
    try:
        return await request.app[NAMES].run(partial(_name, uid), NAME_S)
    except OSError:
        return f"uid {uid}"


def _name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
