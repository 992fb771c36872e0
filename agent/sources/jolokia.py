"""JMX through Jolokia: one bulk read of just the MBean attributes that the rules name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

import aiohttp

from agent.lone_thread import LoneThread
from agent.model import Sample
from agent.quantities import show_size
from agent.sources import PROCESS_START, MetricInfo, SourceFailed
from agent.sources.http_asked import DENIED, told
from agent.sources.jmx_names import JmxMetric
from agent.sources.jolokia_reads import UNREADABLE, Entry, EntryFailed, Read, decode
from agent.sources.name_files import OURS, shipped
from agent.sources.tls_files import NO_FILES, TlsContext, TlsFiles

_BODY_LIMIT = 16 << 20  # 10,000 partitions' lag is 2 MB
_REQUEST_LIMIT = 1 << 20
_AUTHORITIES_S = 5.0
_SLICE_S = 0.002  # of an answer read in one go

_LOGIN = "username and password_file of `jolokia` in the configuration"

METRICS = (
    MetricInfo("ottla_jolokia_failed_reads", "gauge", "", "MBeans that erred in the last bulk read"),
    MetricInfo(
        "ottla_jolokia_attached_total", "counter", "", "Times that a Jolokia agent was loaded into the broker"
    ),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Jolokia answers; `auth` is (username, password)."""

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)


class Where(Protocol):
    """Tells where the broker's Jolokia is."""

    @property
    def attached(self) -> int:
        """How many times an agent had to be loaded for that."""

    async def find(self) -> Address:
        """The address now. SourceFailed where there is none."""

    def lose(self) -> None:
        """Nobody answered there, or refused the login: look again before the next reading."""


class Known:
    """An address that the configuration names."""

    attached = 0

    def __init__(self, url: str, auth: tuple[str, str] | None = None) -> None:
        self._address = Address(url, auth)

    async def find(self) -> Address:
        """Always the same."""
        return self._address

    def lose(self) -> None:
        """There is no other place to look at."""


class Jolokia:
    """Reads the metrics `names` from the broker's Jolokia agent.

    Each reading is one POST on a connection of its own: Jolokia delays an answer that follows another on the
    same connection by 40 ms (delayed ACK against Nagle), and a restarted broker leaves no dead one behind.
    `deadline` is seconds; `tls` is for a URL of https.
    """

    name = "jmx"
    partial = False
    metrics: tuple[MetricInfo, ...]

    def __init__(
        self,
        where: Where,
        names: frozenset[str],
        interval_ms: int,
        deadline: float = 5.0,
        *,
        tls: TlsFiles = NO_FILES,
    ) -> None:
        self.interval_ms = interval_ms
        self.failed: Mapping[str, str] = {}  # of the last reading: ObjectName → error
        self.unread = frozenset[str]()
        self._where = where
        self._timeout = aiohttp.ClientTimeout(total=deadline)
        self._server_name = tls.server_name
        self._tls = TlsContext(tls)
        self._reading = LoneThread("reading of Jolokia's certificate authorities")
        self.select(names, shipped().metrics)

    def select(self, names: frozenset[str], table: Mapping[str, JmxMetric]) -> None:
        """Read these metrics from now on, as the table says what they are; and the broker's start.

        Those which this source should know and does not are `unmapped`.
        """
        self.metrics = (*METRICS, *(metric.info(name) for name, metric in table.items()))
        self.unmapped = frozenset(n for n in names if n not in table and not n.startswith(OURS))
        wanted = sorted((names | {PROCESS_START}) & table.keys())
        by_mbean: dict[str, list[tuple[str, JmxMetric]]] = {}
        for name in sorted(wanted, key=lambda name: name != PROCESS_START):  # the start is never left out
            by_mbean.setdefault(table[name].mbean, []).append((name, table[name]))
        self._reads, self._body, self._too_many = _bulk(Read(mbean, ms) for mbean, ms in by_mbean.items())
        self._left_out = frozenset(name for mbean in self._too_many for name, _ in by_mbean[mbean])

    async def read(self, now: int) -> list[Sample]:
        """One bulk read. An MBean that is not there gives no sample, one that errs is in `failed` besides,
        and what nothing was given of is `unread`."""
        address = await self._where.find()
        reads, body, failed, left_out = self._reads, self._body, dict(self._too_many), self._left_out
        entries = self._decode(address.url, await self._post(address, body), len(reads))
        samples = await _in_slices(_samples(reads, entries, now, failed))
        self.failed = failed
        if erred := left_out.union(*(read.erred for read in reads)):
            erred -= {sample.name for sample in samples}
        self.unread = erred
        own = (float(len(failed)), float(self._where.attached))
        return samples + [Sample(m.name, (), now, value) for m, value in zip(METRICS, own, strict=True)]

    async def _post(self, address: Address, body: bytes) -> bytes:
        connector = aiohttp.TCPConnector(force_close=True)
        tls = await self._context() if address.url.startswith("https:") else None
        name = self._server_name if tls else None
        try:
            headers = {"Authorization": aiohttp.encode_basic_auth(*address.auth)} if address.auth else {}
            async with (
                aiohttp.ClientSession(connector=connector, headers=headers, timeout=self._timeout) as session,
                session.post(
                    address.url, data=body, ssl=tls or True, server_hostname=name, allow_redirects=False
                ) as response,
            ):
                if response.status != HTTPStatus.OK:
                    raise self._refused(address.url, response)
                return await _body_of(address.url, response.content)
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                self._where.lose()
            raise SourceFailed(f"no answer from {address.url}: {error or type(error).__name__}") from error
        except ValueError as error:  # a login that may not be sent, a host that no name can be
            raise SourceFailed(f"{address.url} cannot be asked: {error}") from error

    async def _context(self) -> ssl.SSLContext:
        """Its files are read in a thread, which a dead disk may hold."""
        try:
            return await self._reading.run(self._tls.get, _AUTHORITIES_S)
        except OSError as error:  # an SSLError is one, and a timeout
            raise SourceFailed(f"a file of `jolokia`: {error}") from error

    def _refused(self, url: str, response: aiohttp.ClientResponse) -> SourceFailed:
        if response.status in DENIED:
            self._where.lose()
        return SourceFailed(told(url, response, _LOGIN))

    def _decode(self, url: str, body: bytes, count: int) -> list[Entry]:
        try:
            entries = decode(body)
        except UNREADABLE as error:
            raise SourceFailed(f"{url} is no Jolokia, or refused: {error}: {body[:200]!r}") from error
        if len(entries) != count:
            raise SourceFailed(f"{url} answered {len(entries)} of {count} reads")
        return entries


async def _in_slices(pieces: Iterable[list[Sample]]) -> list[Sample]:
    """All of them together; thousands of partitions must not hold the loop in one piece."""
    loop, samples = asyncio.get_running_loop(), list[Sample]()
    rested = loop.time()
    for piece in pieces:
        samples += piece
        if loop.time() - rested > _SLICE_S:
            await asyncio.sleep(0)
            rested = loop.time()
    return samples


def _samples(
    reads: Sequence[Read], entries: Sequence[Entry], now: int, failed: dict[str, str]
) -> Iterator[list[Sample]]:
    """What the entries hold, a little at a time; what is wrong with some of them goes into `failed`."""
    for read, entry in zip(reads, entries, strict=True):
        errors: list[str] = []
        try:
            yield from read.samples(read.objects(entry), now, errors)
        except EntryFailed as error:
            errors.append(str(error))
        if errors:
            failed[read.mbean] = "; ".join(errors[:3])


def _bulk(reads: Iterable[Read]) -> tuple[tuple[Read, ...], bytes, Mapping[str, str]]:
    """As many reads as one request holds, that request, and why each of the others is left out."""
    taken: list[Read] = []
    requests: list[bytes] = []
    left: dict[str, str] = {}
    size = 2
    for read in reads:
        request = read.request
        if size + len(request) + 1 > _REQUEST_LIMIT:
            left[read.mbean] = f"left out: the request would be longer than {show_size(_REQUEST_LIMIT)}"
            continue
        size += len(request) + 1
        taken.append(read)
        requests.append(request)
    return tuple(taken), b"[" + b",".join(requests) + b"]", left


async def _body_of(url: str, content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise SourceFailed(f"{url} answered with more than {show_size(_BODY_LIMIT)}")
    return bytes(body)
