"""One write on a connection of its own: sent once, never repeated beneath, and nothing of it left behind.

Our own kernel would otherwise deliver a request minutes later, when a cut path is mended, and after this
process is dead too. TCP_USER_TIMEOUT ends the connection where what was sent is not acknowledged in time, and
SO_LINGER (on, 0) drops what was not sent when the socket is closed, by whomever (coordination.md section 4,
rule 4).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError as AiokafkaError
from msgspec import Struct

from agent.kafka.bridge import Answer, Call, MalformedAnswerError
from agent.kafka.connection import Security, connect, in_words, not_connected
from agent.kafka.errors import KafkaInDoubt, KafkaUnreachable

_POLL = 0.002  # seconds between two looks at a buffer that did not go out at once
_Answer = TypeVar("_Answer")


class Write(Struct, Generic[_Answer], frozen=True):
    """What is written: the call, and what its answer means, which raises KafkaRefused or KafkaInDoubt. `ms`:
    how long the kernel may try to deliver it; `deadline`: seconds for the connection, and for the answer."""

    call: Call
    read: Callable[[Any], _Answer]
    ms: int
    deadline: float


class FreshRequest(Generic[_Answer]):
    """A write that is ready to go, on a connection that nothing else uses."""

    def __init__(self, address: str, connection: AIOKafkaConnection, write: Write[_Answer]) -> None:
        self._address = address
        self._connection = connection
        self._write = write
        self._waiting: asyncio.Future[Any] | None = None

    async def send(self) -> None:
        """Returns once the kernel has the last byte. KafkaUnreachable: nothing was sent."""
        try:
            self._waiting = asyncio.ensure_future(self._connection.send(self._write.call))
        except AiokafkaError as error:
            raise KafkaUnreachable(self._address, in_words(error)) from error
        self._waiting.add_done_callback(_look_at_its_end)  # where nobody waits for it any more
        while _buffered(self._connection):  # noqa: ASYNC110  no event tells it beneath TLS
            await asyncio.sleep(_POLL)

    async def answer(self) -> _Answer:
        """What the answer means. KafkaInDoubt where none came: it may have been done, or be done later."""
        assert self._waiting is not None, "it was not sent"
        call, deadline = self._write.call, self._write.deadline
        try:
            async with asyncio.timeout(deadline):
                found: Answer = await self._waiting
            message = found.read()
        except TimeoutError as error:
            raise KafkaInDoubt(call.api, f"{self._address}: no answer within {deadline:.3g} s") from error
        except (OSError, AiokafkaError, MalformedAnswerError) as error:
            raise KafkaInDoubt(call.api, f"{self._address}: {in_words(error)}") from error
        return self._write.read(message)

    async def close(self) -> None:
        """Reset, not closed: what was not delivered is dropped."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._connection.connected():
            _transport(self._connection).abort()
        await asyncio.wait({self._connection.close()}, timeout=1.0)


async def fresh_request(
    address: str, security: Security, client_id: str, write: Write[_Answer]
) -> FreshRequest[_Answer]:
    """Connects, and makes sure that the broker knows the call. Raises KafkaUnreachable, KafkaRefused; nothing
    was sent then."""
    try:
        async with asyncio.timeout(write.deadline):
            connection = await connect(address, security, client_id)
    except TimeoutError as error:
        raise KafkaUnreachable(address, f"no connection within {write.deadline:.3g} s") from error
    except (OSError, AiokafkaError) as error:
        raise not_connected(address, error) from error
    request = FreshRequest(address, connection, write)
    try:
        write.call.prepare(connection._versions)  # noqa: SLF001  a call it does not know is refused here
        _bind(_transport(connection), write.ms)
    except OSError as error:
        await request.close()
        raise KafkaUnreachable(
            address, f"a late delivery could not be ruled out: {in_words(error)}"
        ) from error
    except BaseException:
        await request.close()
        raise
    return request


def _look_at_its_end(waiting: asyncio.Future[Any]) -> None:
    if not waiting.cancelled():
        waiting.exception()


def _bind(transport: asyncio.WriteTransport, ms: int) -> None:
    """What is not acknowledged after so long ends the connection; what is closed is reset."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, ms)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _transport(connection: AIOKafkaConnection) -> asyncio.WriteTransport:
    transport: asyncio.WriteTransport = connection._writer.transport  # noqa: SLF001
    return transport


def _buffered(connection: AIOKafkaConnection) -> bool:
    """Whether this process still holds a part of what was written; a lost connection holds nothing."""
    if not connection.connected():
        return False
    transport = _transport(connection)
    beneath = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return any(t is not None and t.get_write_buffer_size() > 0 for t in (transport, beneath))
