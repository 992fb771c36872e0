"""One connection to one broker, with a deadline on everything."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import BrokerResponseError
from aiokafka.errors import KafkaError as AiokafkaError

from agent.kafka.bridge import Answer, Call, MalformedAnswerError
from agent.kafka.errors import KafkaInDoubt, KafkaNoLogin, KafkaOwnFiles, KafkaUnreachable
from agent.lone_thread import LoneThread

# A broker that wants re-authentication, or drops idle clients after ten minutes, closes at the next call
# without a word before it; aiokafka does not tell when, so no connection gets that old. docs/security.md asks
# for re-authentication after 60 s: what a frozen machine sends later is refused.
MAX_AGE = 50.0
_FILES_S = 5.0
_AIOKAFKA_TIMEOUT_MS = 600_000  # never reached: each call has its own, shorter deadline


class TlsFilesUnread(OSError):
    """Why the agent's own certificate, key or authorities are not there to connect with."""


@dataclass(frozen=True)
class Security:
    """How to reach the brokers: Kafka's protocol names, SASL's mechanism names, PEM files."""

    protocol: str = "PLAINTEXT"  # PLAINTEXT | SSL | SASL_PLAINTEXT | SASL_SSL
    mechanism: str | None = None  # PLAIN | SCRAM-SHA-256 | SCRAM-SHA-512
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None  # None: the system's authorities
    cert_file: str | None = None
    key_file: str | None = None
    _thread: LoneThread = field(
        init=False, repr=False, compare=False, default_factory=partial(LoneThread, "reading of the TLS files")
    )

    @property
    def encrypted(self) -> bool:
        """Whether connections speak TLS."""
        return self.protocol in ("SSL", "SASL_SSL")

    async def context(self) -> ssl.SSLContext | None:
        """The TLS settings, None for plaintext. TlsFilesUnread, also where the disk of their files hangs."""
        if not self.encrypted:
            return None
        files = ", ".join(filter(None, (self.ca_file, self.cert_file, self.key_file)))
        try:
            return await self._thread.run(self._read, _FILES_S)
        except TimeoutError:
            raise TlsFilesUnread(f"the TLS files {files} have not been read within {_FILES_S:g} s") from None
        except OSError as error:  # Python's own text names no file
            raise TlsFilesUnread(f"{error.strerror or error}, reading the TLS files {files}") from error

    def _read(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


class _LostError(Exception):
    """The connection ended before the answer came."""


class Broker:
    """One connection, made when needed. Calls may overlap; a time-out closes it under all of them, since
    later answers wait behind the one that does not come."""

    def __init__(self, address: str, security: Security, *, client_id: str, max_age: float = MAX_AGE) -> None:
        self.address = address
        self._security = security
        self._client_id = client_id
        self._max_age = max_age
        self._connecting = asyncio.Lock()
        self._connection: AIOKafkaConnection | None = None
        self._connected_at = 0.0
        self._reads_files = False
        self._in_flight = 0
        self._ended = False

    async def ask(self, call: Call, deadline: float) -> Any:
        """kio's answer within `deadline` seconds, connecting included.

        KafkaUnreachable: nothing was sent, or it was a read (repeated once after a lost connection).
        KafkaInDoubt: a write was sent and not answered. KafkaRefused: the broker lacks the API.
        """
        until = asyncio.get_running_loop().time() + deadline
        for repeat in (not call.write, False):
            connection = await self._connect(until, deadline)
            try:
                return await self._exchange(connection, call, until)
            except (_LostError, MalformedAnswerError, TimeoutError) as error:
                self._drop(connection)
                if isinstance(error, _LostError) and repeat and not self._ended:
                    continue
                raise self._unanswered(call, error, deadline) from error
        raise AssertionError("the second attempt either returns or raises")

    def end(self) -> asyncio.Future[None] | None:
        """Close the connection for good, without waiting for its end; calls in flight and later ones fail."""
        self._ended = True
        return self._drop(self._connection) if self._connection else None

    async def close(self) -> None:
        """`end`, and see it closed, for a second at most: a hung broker says no goodbye."""
        if closing := self.end():
            await asyncio.wait({closing}, timeout=1.0)

    async def _connect(self, until: float, deadline: float) -> AIOKafkaConnection:
        try:
            async with asyncio.timeout_at(until), self._connecting:
                return await self._current()
        except TimeoutError as error:
            if self._reads_files:  # so that nothing was asked of the broker
                why = f"the agent's TLS files have not been read within {deadline:.3g} s"
                raise KafkaOwnFiles(self.address, why) from error
            raise KafkaUnreachable(self.address, f"no connection within {deadline:.3g} s") from error
        except (OSError, AiokafkaError) as error:
            raise not_connected(self.address, error) from error

    async def _current(self) -> AIOKafkaConnection:
        now = asyncio.get_running_loop().time()
        if self._connection and not self._in_flight and now - self._connected_at > self._max_age:
            self._drop(self._connection)
        if self._connection is None or not self._connection.connected():
            self._connection = await self._open()
            self._connected_at = now
        if self._ended:  # perhaps while it was opening: nobody would close it
            await self._drop(self._connection)
            raise KafkaUnreachable(self.address, "the connection was closed on this side")
        return self._connection

    async def _open(self) -> AIOKafkaConnection:
        self._reads_files = True  # stays so where the deadline passes meanwhile
        context = await self._security.context()
        self._reads_files = False
        return await _created(self.address, self._security, self._client_id, context)

    async def _exchange(self, connection: AIOKafkaConnection, call: Call, until: float) -> Any:
        try:
            waiting = connection.send(call)
        except AiokafkaError as error:  # raised here means that nothing was sent
            self._drop(connection)
            raise KafkaUnreachable(self.address, in_words(error)) from error
        self._in_flight += 1
        try:
            async with asyncio.timeout_at(until):
                answer: Answer = await waiting
        except (OSError, AiokafkaError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise _LostError(in_words(error)) from error
        finally:
            self._in_flight -= 1
        return answer.read()

    def _unanswered(self, call: Call, error: Exception, deadline: float) -> KafkaInDoubt | KafkaUnreachable:
        why = f"no answer within {deadline:.3g} s" if isinstance(error, TimeoutError) else str(error)
        if call.write:
            return KafkaInDoubt(call.api, f"{self.address}: {why}")
        return KafkaUnreachable(self.address, f"{call.api}: {why}")

    def _drop(self, connection: AIOKafkaConnection) -> asyncio.Future[None]:
        if self._connection is connection:
            self._connection = None
        closing: asyncio.Future[None] = connection.close()
        return closing


async def connect(address: str, security: Security, client_id: str) -> AIOKafkaConnection:
    """A connection that has named its client and proved who it is. OSError, and aiokafka's errors."""
    return await _created(address, security, client_id, await security.context())


async def _created(
    address: str, security: Security, client_id: str, context: ssl.SSLContext | None
) -> AIOKafkaConnection:
    host, _, port = address.rpartition(":")
    return await create_conn(
        host.strip("[]"),
        int(port),
        client_id=client_id,
        request_timeout_ms=_AIOKAFKA_TIMEOUT_MS,
        security_protocol=security.protocol,
        ssl_context=context,
        sasl_mechanism=security.mechanism,
        sasl_plain_username=security.username,
        sasl_plain_password=security.password,
    )


def not_connected(address: str, error: Exception) -> KafkaUnreachable:
    """What `connect` raised, told apart by who is at fault: our files, the login, or who does not answer."""
    if isinstance(error, TlsFilesUnread):
        return KafkaOwnFiles(address, str(error))
    if _is_answer(error) or _is_answer(error.__cause__):
        return KafkaNoLogin(address, in_words(error))
    return KafkaUnreachable(address, f"cannot connect: {in_words(error)}")


def _is_answer(error: BaseException | None) -> bool:
    """Of SASL any error code; of TLS a certificate that we do not trust, or an alert, unless of a fault."""
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        alert = "_ALERT_" in reason and not reason.endswith("INTERNAL_ERROR")
        return alert or isinstance(error, ssl.SSLCertVerificationError)
    return isinstance(error, BrokerResponseError)


def in_words(error: BaseException) -> str:
    """An error and what is beneath it; aiokafka's own text often says only that something closed."""
    causes = [error, *([error.__cause__] if error.__cause__ else [])]
    return "; ".join(
        f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__ for cause in causes
    )
