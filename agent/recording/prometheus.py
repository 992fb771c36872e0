"""A server that speaks Prometheus's HTTP API (an agent is one), asked for raw samples."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
import numpy as np

from agent.model import Labels
from agent.promql.vectors import Times
from agent.quantities import show_duration
from agent.recording.limits import BadHistory
from agent.recording.recorded import Track
from agent.sources.series_text import split_name

ANSWER_BYTES = 64 << 20
ANSWER_S = 120
_SMALLER_HELPS = frozenset({413, 422, 503, 504})

Found = dict[tuple[str, Labels], Track]


class NoAnswer(BadHistory):
    """Nobody answers there."""


class TooLarge(BadHistory):
    """The server would not give so much at once; a shorter time may do."""


class NotUnderstood(BadHistory):
    """The server does not know such a query."""


class _Line(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct):
    resultType: str = ""  # noqa: N815  Prometheus's spelling
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Answer(msgspec.Struct):
    status: str = ""
    error: str = ""
    data: _Data = msgspec.field(default_factory=_Data)


class Prometheus:
    """One server: `http://host:9090`, with a path and user:password where it needs them, or a unix socket.

    Use it as an async context. Raises NoAnswer, TooLarge, NotUnderstood or BadHistory.
    """

    def __init__(self, address: str | Path) -> None:
        self._shown = str(address)
        self._base, self._auth = "http://localhost", None
        if isinstance(address, str):
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise BadHistory(f"bad address {address!r}: write it like http://127.0.0.1:9090")
            host = parts.netloc.rpartition("@")[2]
            self._base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
            self._shown = self._base
            if parts.username is not None:
                self._auth = aiohttp.BasicAuth(parts.username, parts.password or "")
        self._socket = address if isinstance(address, Path) else None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.UnixConnector(str(self._socket)) if self._socket else await self._tcp()
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        self._session = aiohttp.ClientSession(connector=connector, auth=self._auth, timeout=timeout)
        return self

    async def _tcp(self) -> aiohttp.TCPConnector:
        secure = self._base.startswith("https:")
        return aiohttp.TCPConnector(
            ssl=await asyncio.to_thread(ssl.create_default_context) if secure else True
        )

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def now(self) -> int:
        """The server's own time, ms: this host's may differ."""
        data = await self._ask("query", query="time()")
        try:
            return round(msgspec.json.decode(data.result, type=tuple[float, str])[0] * 1000)
        except msgspec.ValidationError as error:
            raise BadHistory(f"{self._shown} gives no time: {error}") from error

    async def samples(self, selector: str, start: int, end: int) -> Found:
        """The raw samples with start < t <= end (ms) of what the selector matches."""
        text = f"{selector}[{show_duration(end - start)}]"
        return self._lines(await self._ask("query", query=text, time=_seconds(end)))

    async def steps(self, selector: str, start: int, end: int, step: int) -> Found:
        """What an instant query would show at `start`, then each `step` until `end`."""
        answer = await self._ask(
            "query_range", query=selector, start=_seconds(start), end=_seconds(end), step=_seconds(step)
        )
        return self._lines(answer)

    def _lines(self, data: _Data) -> Found:
        try:
            lines = msgspec.json.decode(data.result, type=list[_Line])
        except msgspec.ValidationError as error:
            raise BadHistory(f"{self._shown} gives a {data.resultType} that is none: {error}") from error
        return {split_name(line.metric): _track(line.values) for line in lines if line.values}

    async def _ask(self, name: str, **query: str) -> _Data:
        assert self._session is not None, "used as a context"
        url = f"{self._base}/api/v1/{name}"
        try:
            async with self._session.post(url, data=query) as response:
                body = await _body(response)
                return self._data(response.status, body, query)
        except TimeoutError as error:
            raise TooLarge(f"{self._shown} did not answer within {ANSWER_S} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"no answer from {self._shown}: {error or type(error).__name__}") from error

    def _data(self, status: int, body: bytes, query: dict[str, str]) -> _Data:
        if len(body) > ANSWER_BYTES:
            raise TooLarge(f"{self._shown} gives more than {ANSWER_BYTES >> 20} MiB at once")
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except msgspec.DecodeError as error:
            raise BadHistory(
                f"{self._shown} answers {status}, and not as Prometheus does: {error}"
            ) from error
        if status == 200 and answer.status == "success":
            return answer.data
        why = f"{self._shown} answers {status} to {query['query'][:200]}: {answer.error or 'no reason given'}"
        if status in _SMALLER_HELPS:
            raise TooLarge(why)
        raise NotUnderstood(why) if status in (400, 404, 405) else BadHistory(why)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """At most one byte more than is allowed."""
    parts, size = [], 0
    async for part in response.content.iter_chunked(1 << 20):
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES:
            break
    return b"".join(parts)


def _track(values: list[tuple[float, str]]) -> Track:
    times: Times = np.rint(np.array([at for at, _ in values]) * 1000).astype(np.int64)
    return Track(times, np.array([float(text) for _, text in values]))


def _seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03d}"
