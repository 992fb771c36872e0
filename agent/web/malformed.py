"""What aiohttp tells of connections: what is no HTTP is counted, a fault of ours keeps its stack."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from agent.families import counter, written

SAID_EVERY_S = 60.0
MAX_WORDS = 120  # of what is wrong: the peer's own bytes may stand in it
_THE_PEERS = (HttpProcessingError, web.RequestPayloadError)


class ConnectionLog(logging.LoggerAdapter[logging.Logger]):
    """The log that aiohttp is given. Whoever can connect may send anything: he must not fill the log with it.

    Such requests are told once in SAID_EVERY_S seconds of `clock` at most, with how many there were since.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(log)
        self._clock = clock
        self._count = 0
        self._told = 0  # of them
        self._due = float("-inf")

    def metrics(self) -> bytes:
        """Its own series, in Prometheus's text format."""
        about = "Requests that were no HTTP, or broke off in their body"
        return written((counter("ottla_http_malformed_requests_total", about, self._count),))

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        """As aiohttp tells of whatever went wrong."""
        if isinstance(exc_info, _THE_PEERS):
            self.malformed(exc_info)
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)

    def debug(self, msg: object, *args: object, exc_info: Any = None, **more: Any) -> None:
        """As aiohttp tells of what begins a connection and has no method, which TLS has not."""
        if isinstance(exc_info, _THE_PEERS):
            self.malformed(exc_info)
        else:
            super().debug(msg, *args, exc_info=exc_info, **more)

    def malformed(self, error: Exception) -> None:
        """One more such request."""
        self._count += 1
        now = self._clock()
        if now < self._due:
            return
        count, self._told, self._due = self._count - self._told, self._count, now + SAID_EVERY_S
        self.warning(
            "%d request%s that could not be read as HTTP, the last one: %s (not told again within %g s;"
            " ottla_http_malformed_requests_total counts them)",
            count, "s" if count > 1 else "", _words(error), SAID_EVERY_S,
        )  # fmt: skip


CONNECTIONS = web.AppKey("connections", ConnectionLog)


def _words(error: Exception) -> str:
    """One line, and nothing in it that steers a terminal."""
    text = error.message if isinstance(error, HttpProcessingError) else str(error)
    line = " ".join(text.split())[:MAX_WORDS]
    return line if line.isprintable() else ascii(line)
