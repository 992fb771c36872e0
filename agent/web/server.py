"""The HTTP API: reading on loopback TCP, reading and orders on a unix socket; both speak Prometheus's."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from functools import partial
from pathlib import Path

from aiohttp import web

from agent.lone_thread import LoneThread
from agent.surface import Surface
from agent.web import prometheus
from agent.web.door import NAMES, POSTED_READS, Door, loopback_names, operators_order
from agent.web.listeners import CannotListen, tcp_listener, unix_listener
from agent.web.malformed import CONNECTIONS, ConnectionLog
from agent.web.query_threads import QueryThreads
from agent.web.routes import MAX_BODY, Ordering, Reading, errors_in_words, no_orders

log = logging.getLogger(__name__)
ADDRESS_FILE = "http.address"  # in the state folder: where a free port's number is told
KEEPALIVE_S = 15.0
CLOSE_S = 2.0  # answers under way may end
MAKE_S, REMOVE_S = 30.0, 1.0  # the socket's file, whose disk may hang


class Server:
    """Serves one surface on `listen` (host:port, port 0 a free one) and on the unix socket at `path`."""

    def __init__(self, surface: Surface, *, listen: str, path: Path, state: Path) -> None:
        self._surface = surface
        self._listen = listen
        self._path = path
        self._state = state
        self._threads = QueryThreads()
        self._connections = ConnectionLog(log)
        self._runners: list[web.AppRunner] = []
        self._servers: list[asyncio.Server] = []
        self._inode = 0
        self._files = LoneThread("the disk of its file")

    async def start(self) -> str:
        """Listen on both; gives the TCP address (host:port), which is also in <state>/http.address.

        Raises CannotListen; then nothing is left open.
        """
        try:
            tcp = tcp_listener(self._listen)
            await self._serve(tcp, self._reading())
            unix = await self._files.run(partial(unix_listener, self._path), MAKE_S)
            self._inode = await self._files.run(partial(_inode, self._path), MAKE_S)
            await self._serve(unix, self._ordering())
            host, port = tcp.getsockname()[:2]
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            await self._files.run(partial(_write, self._state / ADDRESS_FILE, address), MAKE_S)
        except CannotListen:
            await self.close()
            raise
        except OSError as error:
            await self.close()
            raise CannotListen(f"cannot serve {self._listen} and {self._path}: {error}") from error
        return address

    async def close(self) -> None:
        """Answer what is under way, then hang up; the socket's file goes if it is still ours."""
        for server in self._servers:
            server.close()
        for runner in self._runners:
            await runner.cleanup()
        self._servers, self._runners = [], []
        if self._inode:
            try:
                await self._files.run(partial(_remove, self._path, self._inode), REMOVE_S)
            except OSError as error:  # the next agent finds that nobody answers there
                log.warning("socket %s is left behind: %s", self._path, error)

    def _reading(self) -> web.Application:
        app = web.Application(middlewares=[errors_in_words, loopback_names], client_max_size=MAX_BODY)
        app[CONNECTIONS] = self._connections
        app.add_routes(self._reads())
        app.add_routes([web.post(order.path, no_orders) for order in Ordering(self._surface).routes()])
        return app

    def _ordering(self) -> web.Application:
        app = web.Application(middlewares=[errors_in_words, operators_order], client_max_size=MAX_BODY)
        app[POSTED_READS], app[NAMES] = prometheus.POSTED_READS, LoneThread("look-up of a user's name")
        app[CONNECTIONS] = self._connections
        app.add_routes([*self._reads(), *Ordering(self._surface).routes()])
        return app

    def _reads(self) -> list[web.RouteDef]:
        asked = prometheus.Prometheus(self._surface, self._threads)
        return [*Reading(self._surface, self._metrics).routes(), *asked.routes()]

    def _metrics(self) -> bytes:
        return self._threads.metrics() + self._connections.metrics()

    async def _serve(self, listener: socket.socket, app: web.Application) -> None:
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=self._connections,
            keepalive_timeout=KEEPALIVE_S,
            shutdown_timeout=CLOSE_S,
            max_line_size=MAX_BODY,  # a query may stand in the URL
        )
        await runner.setup()
        self._runners.append(runner)
        assert runner.server is not None, "setup makes the server"
        loop = asyncio.get_running_loop()
        serve = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
        self._servers.append(await serve(Door(runner.server), sock=listener, backlog=64))


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def _remove(path: Path, inode: int) -> None:
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        return


def _write(path: Path, text: str) -> None:
    """Whole or not at all: who waits for the file must not read half an address."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(f"{text}\n")
    aside.replace(path)
