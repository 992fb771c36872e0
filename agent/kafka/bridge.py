"""One request and its answer: kio's messages in the shape that aiokafka's connection sends."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any

from aiokafka.protocol.api import RequestHeader_v1, RequestHeader_v2, ResponseHeader_v0, ResponseHeader_v1
from kio.index import load_entity_module, load_entity_schema
from kio.schema.index import schema_name_map
from kio.serial import entity_reader, entity_writer
from kio.serial.errors import SerialError
from kio.static.constants import EntityType

from agent.kafka.errors import UNSUPPORTED_VERSION, KafkaRefused


class MalformedAnswerError(ValueError):
    """The answer's bytes are not what the negotiated version promises."""


class Memory:
    """What `make` made of a call's newest answer. One with the same bytes is not read again: a cluster at
    rest answers alike for hours, and comparing 60 KB takes microseconds."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        self._data = b""
        self._made: Any = None

    def of(self, data: bytes, read: Callable[[], Any]) -> Any:
        """The newest answer's value; `read` gives kio's message."""
        if data != self._data:
            self._made = self._make(read())
            self._data = data
        return self._made


@dataclass(frozen=True)
class Call:
    """A request of any of the versions `oldest` to `newest`, which are those that a test has built.

    `build` gets kio's module of the negotiated version (field names differ between versions) and returns
    its request. `write` says that repeating it, or not knowing its end, matters. With a `memory` the answer
    is what that makes of kio's. One that is asked again is not built again.
    """

    api: str  # kio's name, e.g. "describe_configs"
    key: int
    oldest: int
    newest: int
    build: Callable[[ModuleType], Any]
    write: bool = False
    memory: Memory | None = None
    _built: dict[int, Exchange] = field(default_factory=dict, init=False, repr=False, compare=False)

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Exchange:
        """The newest version that both sides know; KafkaRefused if there is none. Called by aiokafka."""
        low, high = versions.get(self.key, (0, -1))
        common = [
            v for v in schema_name_map[self.api] if max(low, self.oldest) <= v <= min(high, self.newest)
        ]
        if not common:
            offer = f"offers {low} to {high}" if self.key in versions else "does not offer it"
            needs = f"the broker {offer}; Ottla needs one of {self.oldest} to {self.newest}"
            raise KafkaRefused(self.api, UNSUPPORTED_VERSION, needs)
        version = max(common)
        if version not in self._built:
            module, response = _messages(self.api, version)
            self._built[version] = Exchange(self.build(module), response, self.memory)
        return self._built[version]


@lru_cache
def _messages(api: str, version: int) -> tuple[ModuleType, Any]:
    """kio's module of the request, and its answer's class: to find them by name takes 40 us each time."""
    module = load_entity_module(api, version, EntityType.request)
    return module, load_entity_schema(api, version, EntityType.response)


class Exchange:
    """What AIOKafkaConnection.send wants of a request, by duck typing."""

    def __init__(self, request: Any, response: Any, memory: Memory | None = None) -> None:
        self._memory = memory
        self.API_KEY = request.__api_key__
        self.API_VERSION = request.__version__
        self.RESPONSE_TYPE = self
        self._flexible = request.__flexible__
        self._response = response
        out = io.BytesIO()
        entity_writer(type(request))(out, request)
        self._payload = out.getvalue()

    def build_request_header(self, correlation_id: int, client_id: str) -> Any:
        """The header's version follows the request's."""
        header = RequestHeader_v2 if self._flexible else RequestHeader_v1
        return header(self, correlation_id=correlation_id, client_id=client_id)

    def encode(self) -> bytes:
        """The request without its header."""
        return self._payload

    def parse_response_header(self, buffer: io.BytesIO) -> Any:
        """The answer's header has a version of its own: ApiVersions always answers with v0."""
        version = self._response.__header_schema__.__module__.split(".")[3]
        return (ResponseHeader_v1 if version == "v1" else ResponseHeader_v0).decode(buffer)

    def decode(self, buffer: io.BytesIO) -> Answer:
        """Only keeps the bytes: an exception in aiokafka's reader would close the connection."""
        return Answer(self._response, buffer.read(), self._memory)

    def __repr__(self) -> str:
        return f"<api {self.API_KEY} v{self.API_VERSION}, {len(self._payload)} bytes>"  # aiokafka logs it


class Answer:
    """An answer's bytes, to be read by whoever asked."""

    def __init__(self, response: Any, data: bytes, memory: Memory | None = None) -> None:
        self._response = response
        self._data = data
        self._memory = memory

    def read(self) -> Any:
        """kio's message, or what the call's memory makes of it."""
        return self._message() if self._memory is None else self._memory.of(self._data, self._message)

    def _message(self) -> Any:
        """MalformedAnswerError if it cannot be read, or bytes are left over.

        A broker is trusted in one thing: kio reserves memory for an array's length as claimed, so one of
        billions would end the process.
        """
        try:
            message, size = entity_reader(self._response)(self._data, 0)
        # a KeyError is a tagged field that kio does not know
        except (SerialError, ValueError, OverflowError, KeyError) as error:
            raise MalformedAnswerError(f"{self._response.__name__}: {error}") from error
        if size != len(self._data):
            left = len(self._data) - size
            raise MalformedAnswerError(f"{self._response.__name__}: {left} bytes left over")
        return message

    def __repr__(self) -> str:
        return f"<answer, {len(self._data)} bytes>"
