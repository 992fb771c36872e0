"""The certificates that the broker serves and those on disk: when they end, and whether they are the same."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from agent.kafka.connection import Security
from agent.lone_thread import LoneThread
from agent.model import Sample
from agent.sources import MetricInfo
from agent.sources.certificate_dates import MAX_BYTES, leaf, validity
from agent.sources.keystores import Keystore, KeystoreReader
from agent.sources.reasons import Reasons

log = logging.getLogger(__name__)

METRICS = (
    MetricInfo(
        "host_certificate_served_not_before_seconds",
        "gauge",
        "seconds",
        "When the certificate begins that the listener `address` serves, since the epoch",
    ),
    MetricInfo(
        "host_certificate_served_not_after_seconds",
        "gauge",
        "seconds",
        "When the certificate ends that the listener `address` serves, since the epoch",
    ),
    MetricInfo(
        "host_certificate_file_not_before_seconds",
        "gauge",
        "seconds",
        "When the first certificate in the PEM file or keystore `path` begins, since the epoch",
    ),
    MetricInfo(
        "host_certificate_file_not_after_seconds",
        "gauge",
        "seconds",
        "When the first certificate in the PEM file or keystore `path` ends, since the epoch",
    ),
    MetricInfo(
        "host_certificate_mismatch",
        "gauge",
        "",
        "1 if the listener `address` serves none of the certificates in the files, else 0; absent where one"
        " of them cannot be read that may hold it",
    ),
    MetricInfo(
        "host_certificate_unread_total",
        "counter",
        "",
        "Handshakes and files that gave no certificate, by `of`: the address or path",
    ),
)
_DATES = ("before", "after")
_NAMES = frozenset(metric.name for metric in METRICS)


class Certificates:
    """Looks at each listener by a TLS handshake and at each file. `deadline` (seconds) is for each of them.

    A handshake checks nothing: an expired or foreign certificate is what is looked for. It shows the agent's
    own certificate where it has one, since a listener may demand it.
    """

    name = "certificates"
    partial = False
    metrics = METRICS

    def __init__(
        self,
        listeners: Sequence[str],
        files: Sequence[str | Keystore],
        security: Security,
        interval_ms: int,
        deadline: float = 5.0,
    ) -> None:
        self.interval_ms = interval_ms
        self.wanted = frozenset[str]()
        self.unread = frozenset[str]()
        self._listeners, self._files = listeners, dict(map(_file, files))
        self._security = security
        self._deadline = deadline
        self._threads = {path: LoneThread(f"reading of {path}") for path in self._files}
        self._own = LoneThread("reading of the agent's own certificate")
        self._unread = dict.fromkeys((*listeners, *self._files), 0)
        self._reasons = Reasons("certificate of")

    @property
    def failed(self) -> Mapping[str, str]:
        """See Partly: by listener and file."""
        return self._reasons.now

    async def read(self, now: int) -> list[Sample]:
        """One look at all of them."""
        self.unread = frozenset()
        if not self.wanted & _NAMES:
            return []
        names = (*self._listeners, *self._files)
        answers = await asyncio.gather(*map(self._look, names))
        found = {name: der for name, der in zip(names, answers, strict=True) if der is not None}
        samples = [*self._samples(found, now), *self._counts(now)]
        self.unread = self._in_doubt(set(names) - found.keys()) - {sample.name for sample in samples}
        return samples

    def _in_doubt(self, silent: Collection[str]) -> frozenset[str]:
        """What these would have told: whether certificates are the same needs both sides."""
        kinds = {"served" if name in self._listeners else "file" for name in silent}
        names = frozenset(f"host_certificate_{kind}_not_{d}_seconds" for kind in kinds for d in _DATES)
        return names | {"host_certificate_mismatch"} if kinds and self._listeners and self._files else names

    def _samples(self, found: Mapping[str, Sequence[bytes]], now: int) -> Iterator[Sample]:
        on_disk = {der for path in self._files for der in found.get(path, ())}
        all_read = self._files.keys() <= found.keys()
        for name, (der, *_) in found.items():
            served = name in self._listeners
            labels = (("address" if served else "path", name),)
            kind = "served" if served else "file"
            begin, end = validity(der)
            yield Sample(f"host_certificate_{kind}_not_before_seconds", labels, now, begin)
            yield Sample(f"host_certificate_{kind}_not_after_seconds", labels, now, end)
            if served and (der in on_disk or (on_disk and all_read)):
                yield Sample("host_certificate_mismatch", labels, now, float(der not in on_disk))

    def _counts(self, now: int) -> Iterator[Sample]:
        for name, count in self._unread.items():
            yield Sample("host_certificate_unread_total", (("of", name),), now, float(count))

    async def _look(self, name: str) -> Sequence[bytes] | None:
        """Its certificates, as DER, if the first can be read; why not is counted, and told once."""
        try:
            async with asyncio.timeout(self._deadline):
                ders = await (self._served(name) if name in self._listeners else self._on_disk(name))
            validity(ders[0])
        except (OSError, ValueError) as error:
            self._unread[name] += 1
            self._reasons.learn(name, str(error) or f"no answer within {self._deadline:g} s")
            return None
        self._reasons.learn(name, None)
        return ders

    async def _on_disk(self, path: str) -> Sequence[bytes]:
        return await self._threads[path].run(self._files[path], self._deadline)

    async def _served(self, address: str) -> Sequence[bytes]:
        host, _, port = address.rpartition(":")
        context = await self._own.run(partial(_context, self._security), self._deadline)
        _, writer = await asyncio.open_connection(
            host.strip("[]"), int(port), ssl=context, ssl_handshake_timeout=self._deadline
        )
        try:
            der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.transport.abort()  # it has seen all it wanted
        return (der,)


def _context(security: Security) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if security.cert_file:
        context.load_cert_chain(security.cert_file, security.key_file)
    return context


def _file(file: str | Keystore) -> tuple[str, Callable[[], Sequence[bytes]]]:
    """Its path, and what reads the certificates in it that a listener may serve."""
    if isinstance(file, Keystore):
        return file.path, KeystoreReader(file).leaves
    return file, partial(_read_leaf, file)


def _read_leaf(path: str) -> Sequence[bytes]:
    with Path(path).open("rb") as file:
        return (leaf(file.read(MAX_BYTES)),)
