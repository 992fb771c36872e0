"""JMX through Jolokia: one bulk read of just the MBean attributes that the rules name."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from agent.model import Labels, Sample
from agent.quantities import show_size
from agent.sources import MetricInfo, SourceFailed
from agent.sources.jmx_names import JmxMetric, labels_of_object
from agent.sources.name_files import OURS, shipped

_START = "process_start_time_seconds"  # asked for with every read: it tells a restart
_BODY_LIMIT = 16 << 20  # 10,000 partitions' lag is 2 MB

# One attribute's error must not hide the others, and needs no stack trace; nor do we need the request back.
_CONFIG = {"ignoreErrors": "true", "includeStackTrace": "false", "includeRequest": "false"}
_ABSENT = ("InstanceNotFoundException", "AttributeNotFoundException")

_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LOGIN = ": check username and password_file of `jolokia` in the configuration"

METRICS = (MetricInfo("ottla_jolokia_failed_reads", "gauge", "", "MBeans that erred in the last bulk read"),)

# Jolokia writes NaN and infinities as text or null, and nests composite attributes.
Value = float | str | bool | None | dict[str, Any] | list[Any]


class _EntryError(Exception):
    """One of the bulk's reads went wrong; the others stand."""


class _Entry(msgspec.Struct, gc=False):
    """The answer to one read request of the bulk."""

    status: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


_ENTRIES = msgspec.json.Decoder(list[_Entry])
_ONE = msgspec.json.Decoder(dict[str, Value])  # attribute → value
_MANY = msgspec.json.Decoder(dict[str, dict[str, Value]])  # ObjectName → attribute → value


class _Read(msgspec.Struct, frozen=True):
    """One read request, and the metrics that its answer holds by attribute."""

    mbean: str
    metrics: tuple[tuple[str, JmxMetric], ...]

    @property
    def request(self) -> dict[str, object]:
        """The request in Jolokia's protocol. Errors of one attribute must not hide the others'."""
        attributes = sorted({a.partition("/")[0] for _, metric in self.metrics for a, _ in metric.reads})
        return {
            "type": "read",
            "mbean": self.mbean,
            "attribute": attributes,
            "config": {"ignoreErrors": "true"},
        }

    def objects(self, entry: _Entry) -> dict[str, dict[str, Value]]:
        """The attributes by ObjectName, none where the MBean is absent; _EntryError where it erred."""
        if entry.status == HTTPStatus.NOT_FOUND:
            return {}
        if entry.status != HTTPStatus.OK:
            raise _EntryError(f"status {entry.status}: {entry.error}")
        try:
            return _MANY.decode(entry.value) if "*" in self.mbean else {self.mbean: _ONE.decode(entry.value)}
        except msgspec.DecodeError as error:
            raise _EntryError(f"an answer of another shape: {error}") from error

    def samples(self, objects: Mapping[str, Mapping[str, Value]], at: int) -> Iterator[Sample]:
        """The numbers in an answer."""
        for object_name, attributes in objects.items():
            for name, metric in self.metrics:
                labels = labels_of_object(object_name, metric.labels)
                for attribute, constant in metric.reads:
                    number = _number(_value(attributes, attribute))
                    if number is not None:
                        yield Sample(name, _with(labels, constant), at, number / metric.divisor)


class Jolokia:
    """Reads the metrics `names` from the broker's Jolokia agent at `url`; `auth` is (username, password).

    Each reading is one POST on a connection of its own: Jolokia delays an answer that follows another on the
    same connection by 40 ms (delayed ACK against Nagle), and a restarted broker leaves no dead one behind.
    """

    name = "jmx"
    partial = False
    metrics: tuple[MetricInfo, ...]

    def __init__(
        self,
        url: str,
        auth: tuple[str, str] | None,
        names: frozenset[str],
        interval_ms: int,
        deadline: float = 5.0,
    ) -> None:
        self.interval_ms = interval_ms
        self.restarted = False  # the last reading came from another JVM than the one before
        self.failed: Mapping[str, str] = {}  # of the last reading: ObjectName → error
        self._url = url
        self._headers = {"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}
        self._timeout = aiohttp.ClientTimeout(total=deadline)
        self._started: float | None = None
        self.select(names, shipped().metrics)

    def select(self, names: frozenset[str], table: Mapping[str, JmxMetric]) -> None:
        """Read these metrics from now on, as the table says what they are.

        Those which this source should know and does not are `unmapped`.
        """
        self.metrics = (*METRICS, *(metric.info(name) for name, metric in table.items()))
        self.unmapped = frozenset(n for n in names if n not in table and not n.startswith(OURS))
        by_mbean: dict[str, list[tuple[str, JmxMetric]]] = {}
        for name in sorted((names | {_START}) & table.keys()):
            by_mbean.setdefault(table[name].mbean, []).append((name, table[name]))
        self._reads = tuple(_Read(mbean, tuple(metrics)) for mbean, metrics in by_mbean.items())

    async def read(self, now: int) -> list[Sample]:
        """One bulk read. An MBean that is not there gives no sample, one that errs is in `failed` besides."""
        reads = self._reads
        entries = self._decode(await self._post([read.request for read in reads]), len(reads))
        samples: list[Sample] = []
        failed: dict[str, str] = {}
        for read, entry in zip(reads, entries, strict=True):
            try:
                objects = read.objects(entry)
                samples.extend(read.samples(objects, now))
                _check_attributes(objects)
            except _EntryError as error:
                failed[read.mbean] = str(error)
            await asyncio.sleep(0)  # thousands of partitions must not hold the loop in one piece
        self.failed = failed
        self._notice_restart(samples)
        return [*samples, Sample(METRICS[0].name, (), now, float(len(failed)))]

    async def _post(self, requests: list[dict[str, object]]) -> bytes:
        connector = aiohttp.TCPConnector(force_close=True)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, headers=self._headers, timeout=self._timeout
                ) as session,
                session.post(self._url, data=msgspec.json.encode(requests)) as response,
            ):
                if response.status != HTTPStatus.OK:
                    hint = _LOGIN if response.status in _DENIED else ""
                    raise SourceFailed(f"{self._url} answered HTTP {response.status} {response.reason}{hint}")
                return await self._body(response.content)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SourceFailed(f"no answer from {self._url}: {error or type(error).__name__}") from error

    async def _body(self, content: aiohttp.StreamReader) -> bytes:
        body = bytearray()
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > _BODY_LIMIT:
                raise SourceFailed(f"{self._url} answered with more than {show_size(_BODY_LIMIT)}")
        return bytes(body)

    def _decode(self, body: bytes, count: int) -> list[_Entry]:
        try:
            entries = _ENTRIES.decode(body)
        except msgspec.DecodeError as error:
            raise SourceFailed(f"{self._url} is no Jolokia, or refused: {error}: {body[:200]!r}") from error
        if len(entries) != count:
            raise SourceFailed(f"{self._url} answered {len(entries)} of {count} reads")
        return entries

    def _notice_restart(self, samples: list[Sample]) -> None:
        started = next((s.value for s in samples if s.name == _START), self._started)
        self.restarted = self._started is not None and started != self._started
        self._started = started


def _check_attributes(objects: Mapping[str, Mapping[str, Value]]) -> None:
    """_EntryError if an attribute erred; that one is absent is no error."""
    for attributes in objects.values():
        for attribute, value in attributes.items():
            kind = str(value.get("error_type", "")) if isinstance(value, dict) else ""
            if kind and not kind.endswith(_ABSENT):
                raise _EntryError(f"{attribute}: {kind}: {value}")


def _value(attributes: Mapping[str, Value], path: str) -> Value:
    """An attribute's value, `Usage/used` being a value inside a composite one."""
    attribute, _, key = path.partition("/")
    value = attributes.get(attribute)
    if not key:
        return value
    return value.get(key) if isinstance(value, dict) else None


def _with(labels: Labels, constant: Labels) -> Labels:
    return tuple(sorted({*labels, *constant})) if constant else labels


def _number(value: Value) -> float | None:
    """A value as Jolokia gives it; None where there is no number in it, NaN included."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)
