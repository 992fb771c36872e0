"""One scrape over HTTP or HTTPS: who we are, what may come back, and how much of it."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp

from agent.lone_thread import LoneThread
from agent.model import Labels
from agent.quantities import show_size
from agent.sources import SourceFailed
from agent.sources.http_asked import secret_in, told
from agent.sources.tls_files import NO_FILES, TlsContext, TlsFiles

PIECE = 64 << 10  # bytes; what is handed on at once, so that to learn its series does not hold the loop
MAX_BODY = 32 << 20
MAX_SAMPLES = 50_000
_ACCEPT = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5"
_GZIP = 31  # zlib's window bits for gzip with its header
_FILES_S = 2.0
_OF_QUERIES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One exporter. `password_file` and `bearer_token_file` are read for each scrape: they may be renewed.

    `name` is the label `source` of the source's own series. `filter_names`: whether to try `name[]`.
    `labels` are put on every series; one that the exporter has too becomes `exported_...`, unless
    `honor_labels`. `max_body` is bytes, unpacked; `max_samples` counts those that rules read.
    """

    url: str
    name: str = "exposition"
    interval_ms: int | None = None  # None: that of all sources
    username: str | None = None
    password_file: str | None = None
    bearer_token_file: str | None = None
    tls: TlsFiles = NO_FILES
    filter_names: bool = True
    max_body: int = MAX_BODY
    max_samples: int = MAX_SAMPLES
    labels: Labels = ()
    honor_labels: bool = False


class TooLarge(SourceFailed):
    """The body is larger than is taken."""


class BadAnswer(SourceFailed):
    """Another answer than 200, whose `status` may be one by which servers refuse a query."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.refuses_query = status in _OF_QUERIES


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to come, in pieces and unpacked."""

    openmetrics: bool
    pieces: AsyncIterator[bytes]


class Fetch:
    """Fetches from one target, each time on a new connection: a restarted exporter leaves no dead one behind.

    A redirect is refused: it would take the login elsewhere. `deadline` is seconds for the whole.
    """

    def __init__(self, target: Target, deadline: float) -> None:
        self._target = target
        self._deadline = deadline
        self._files = LoneThread(f"reading of the files of {target.name}")
        self._tls = TlsContext(target.tls)

    @asynccontextmanager
    async def opened(self, asked: Sequence[str]) -> AsyncIterator[Answer]:
        """Ask for these names, for all where there are none. Raises SourceFailed, also while pieces come."""
        url = self._target.url
        login, tls = await self._prepared()
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip", "User-Agent": "Ottla", **login}
        headers["X-Prometheus-Scrape-Timeout-Seconds"] = f"{self._deadline:g}"
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(force_close=True),
                    auto_decompress=False,
                    timeout=aiohttp.ClientTimeout(total=self._deadline),
                ) as session,
                await self._asked(session, headers, asked, tls) as response,
            ):
                if response.status != HTTPStatus.OK:
                    why = told(url, response, "the login of this target in `exposition`")
                    raise BadAnswer(why, response.status)
                yield Answer(_is_openmetrics(response, url), self._pieces(response))
        except TimeoutError as error:
            raise SourceFailed(f"{url} did not answer all within {self._deadline:g} s") from error
        except aiohttp.ClientError as error:
            raise SourceFailed(f"no answer from {url}: {error or type(error).__name__}") from error

    async def _asked(
        self,
        session: aiohttp.ClientSession,
        headers: dict[str, str],
        names: Sequence[str],
        tls: ssl.SSLContext | None,
    ) -> aiohttp.ClientResponse:
        """The answer's head. Raises what the session does, SourceFailed where it cannot even ask."""
        try:
            return await session.get(
                self._target.url,
                headers=headers,
                params=[("name[]", name) for name in names],
                allow_redirects=False,
                ssl=tls or True,
                server_hostname=self._target.tls.server_name if tls else None,
            )
        except aiohttp.ClientError:  # some are ValueErrors, too
            raise
        except ValueError as error:  # a header that may not be sent, a host that no name can be
            raise SourceFailed(f"{self._target.url} cannot be asked: {error}") from error

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body, unpacked, up to twice PIECE at a time, up to the target's limit."""
        url, limit = self._target.url, self._target.max_body
        packed = _is_packed(response, url)
        unpack = _Gunzip(url) if packed else None
        size, last = 0, b"\n"
        async for chunk in _chunks(response.content):
            for piece in unpack.pieces(chunk) if unpack else (chunk,):
                size += len(piece)
                if size > limit:
                    raise TooLarge(f"{url} has more than {show_size(limit)}: raise max_body, or filter there")
                last = piece[-1:]
                yield piece
                await asyncio.sleep(0)
        if unpack is not None:
            unpack.end()
        elif last != b"\n" and not _tells_its_end(response):
            raise SourceFailed(f"{url} ends within a line, and nothing tells whether it was cut off")

    async def _prepared(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        """The login, and what TLS needs; read from their files in a thread, which a dead disk may hold."""
        target = self._target
        if not (target.password_file or target.bearer_token_file or target.url.startswith("https:")):
            return {}, None
        try:
            return await self._files.run(self._read_files, _FILES_S)
        except (OSError, ValueError) as error:  # an SSLError is an OSError, a timeout too
            raise SourceFailed(f"a file of the target {self._target.name}: {error}") from error

    def _read_files(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        target, login = self._target, {}
        if target.username is not None and target.password_file is not None:
            login["Authorization"] = aiohttp.encode_basic_auth(target.username, _secret(target.password_file))
        if target.bearer_token_file is not None:
            login["Authorization"] = f"Bearer {_secret(target.bearer_token_file)}"
        return login, self._tls.get() if target.url.startswith("https:") else None


class _Gunzip:
    """Unpacks gzip piece by piece, so that a small body cannot become a huge one unseen."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._packed = zlib.decompressobj(_GZIP)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What these bytes unpack to."""
        while chunk:
            try:
                piece = self._packed.decompress(chunk, PIECE)
            except zlib.error as error:
                raise SourceFailed(f"{self._url} sent gzip that cannot be unpacked: {error}") from error
            if piece:
                yield piece
            chunk = self._packed.unconsumed_tail
            if self._packed.eof:  # another member may follow
                chunk = self._packed.unused_data
                self._packed = zlib.decompressobj(_GZIP) if chunk else self._packed

    def end(self) -> None:
        """SourceFailed where the packed data were cut off."""
        if not self._packed.eof:
            raise SourceFailed(f"{self._url} sent gzip that was cut off")


async def _chunks(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """What came in, gathered to pieces: each costs a little, whatever its size."""
    waiting: list[bytes] = []
    size = 0
    async for chunk in content.iter_chunked(PIECE):
        waiting.append(chunk)
        size += len(chunk)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _is_openmetrics(response: aiohttp.ClientResponse, url: str) -> bool:
    """Which of the two formats it says to be; an HTML page is none of them, whatever stands in it."""
    kind = response.content_type if "Content-Type" in response.headers else "none"
    if kind not in ("text/plain", "application/openmetrics-text"):
        raise SourceFailed(f"{url} is no exposition: its Content-Type is {kind}, not text/plain")
    return kind != "text/plain"


def _is_packed(response: aiohttp.ClientResponse, url: str) -> bool:
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("gzip", "identity"):
        raise SourceFailed(f"{url} packed its answer as {packing[:40]!r}, which was not asked for")
    return packing == "gzip"


def _tells_its_end(response: aiohttp.ClientResponse) -> bool:
    """Whether HTTP would have shown that something is missing."""
    return not response.headers.keys().isdisjoint(("Content-Length", "Transfer-Encoding"))


def _secret(file: str) -> str:
    """The first line of a file. Raises OSError, ValueError."""
    with Path(file).open(encoding="utf-8", newline="\n") as opened:
        return secret_in(opened.readline(10_000), file)
