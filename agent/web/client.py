"""A small client of the API, standard library only: a command must answer before its user looks away."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

READ_S = 10.0
ORDER_S = 75.0  # an undo is waited for longest: 60 s, after it was written down
MAX_ANSWER = 32 * 1024 * 1024
MAX_SUBJECT = 1_000  # characters of what `why` is asked of; a path is the longest that anybody has


class Unreachable(Exception):
    """Nobody answered, or not in our language; the text says where and why."""


class Gone(Unreachable):
    """Nobody is there: no socket, or one that nobody listens on."""


class Unanswered(Unreachable):
    """It was sent, and no whole answer came, `why`: an order may have been carried out."""

    def __init__(self, words: str, why: str) -> None:
        super().__init__(words)
        self.why = why


class Stranger(Unreachable):
    """Somebody answered, and not as an agent does: whether an agent lives is not known by that."""


class Rejected(Exception):
    """The agent answered no, in words."""


class Agent:
    """One agent's API: over its unix socket (a Path) or `http://host:port`. Raises ValueError."""

    def __init__(self, address: Path | str) -> None:
        self._address = address
        if isinstance(address, str):
            try:
                parts = urlsplit(address)
                host, _port = (
                    (parts.hostname or "").encode("idna"),
                    parts.port,
                )  # as they are when it connects
            except ValueError:  # UnicodeError is one: no name can be like that
                host = b""
            if not host or parts.scheme != "http" or parts.path.strip("/"):
                raise ValueError(f"bad address {address!r}: write it like http://127.0.0.1:9901")

    def get(self, name: str, **query: str | int) -> Any:
        """GET /api/v1/<name>. Raises Unreachable and its kinds, Rejected."""
        return self._ask("GET", f"/api/v1/{name}?{urlencode(query)}".removesuffix("?"), None, READ_S)

    def post(self, name: str, **order: Any) -> Any:
        """POST /api/v1/<name> with the order as JSON. Raises Unreachable and its kinds, Rejected."""
        return self._ask("POST", f"/api/v1/{name}", json.dumps(order), ORDER_S)

    def _ask(self, method: str, path: str, body: str | None, seconds: float) -> Any:
        connection, sent = self._connection(seconds), False
        try:
            connection.connect()
            sent = _send(connection, method, path, body)
            status, text = _answer(connection)
        except PermissionError as error:
            raise Unreachable(
                f"may not connect to {self._address}: be root, or in its file's group"
            ) from error
        except (OSError, http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            raise self._silence(error, sent) from error
        except http.client.HTTPException as error:
            raise Stranger(f"{self._address} answers, and not in HTTP: is it an agent?") from error
        finally:
            connection.close()
        return self._read(status, text)

    def _silence(self, error: Exception, sent: bool) -> Unreachable:
        broke_off = isinstance(error, http.client.IncompleteRead)
        why = "its answer broke off" if broke_off else getattr(error, "strerror", None) or str(error)
        words = f"no agent answers at {self._address}: {why or type(error).__name__}"
        if sent:
            return Unanswered(words, why or type(error).__name__)
        if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
            return Gone(words)
        return Unreachable(words)

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        if isinstance(self._address, Path):
            return _Unix(self._address, seconds)
        parts = urlsplit(self._address)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)

    def _read(self, status: int, text: bytes) -> Any:
        try:
            data = json.loads(text)
        except ValueError as error:
            raise Stranger(f"{self._address} answers {status} and no JSON: is it an agent?") from error
        if status >= 400:
            raise Rejected(data.get("error", str(data)) if isinstance(data, dict) else str(data))
        return data


def _send(connection: http.client.HTTPConnection, method: str, path: str, body: str | None) -> bool:
    """Whether all of it was sent. Who hung up before may have said why, as an agent does that is too busy."""
    try:
        connection.request(method, path, body, {"Connection": "close"})
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _answer(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    """Status and body, which is cut where it is too large for an agent's. Raises IncompleteRead."""
    response = connection.getresponse()
    text = response.read(MAX_ANSWER)
    if response.length and len(text) < MAX_ANSWER:  # what is to come yet; read itself does not complain
        raise http.client.IncompleteRead(text, response.length)
    return response.status, text


class _Unix(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's file, not to the host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
