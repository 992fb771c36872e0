"""What the control topic's shell needs of Kafka, and what it raises."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.control.fold import Logged
from agent.kafka.metadata import PartitionInfo, Place

RETRY = 0.2  # seconds from a call that failed to its repetition


class ClaimVoid(Exception):
    """The claim is no longer open: dropped, cancelled or handled by another; the text says why."""


class NotAccepted(Exception):
    """A record was written and is void by the log's order; the text says why."""


class ControlUnavailable(Exception):
    """The log cannot be used now; the text says why. A record of ours may still land."""


class InDoubt(Exception):
    """An effect's bytes may have left this process in part or whole, and nobody waits for its answer."""


class LogRecord(Logged, Protocol):
    """One record as it lies in the log. `at` is LogAppendTime in ms, `batch_bytes` its whole batch's size.

    `void` says why nothing can be read here; such a record stands for its batch, at the batch's last offset.
    """

    @property
    def batch_bytes(self) -> int: ...
    @property
    def void(self) -> str: ...


class Log(Protocol):
    """One partition, as agent.kafka.log.PartitionLog gives it; the errors are those of agent.kafka.errors."""

    @property
    def topic_id(self) -> str:
        """Kafka's id of the topic; known after the first call."""
        ...

    @property
    def log_start(self) -> int:
        """The first offset that retention has left, as of the last fetch or bounds; -1 before."""
        ...

    async def append(self, value: bytes, *, apart: bool = False) -> int:
        """Its offset once all in-sync replicas have it. `apart`: nothing waits behind it."""
        ...

    async def fetch(self, offset: int, *, max_wait_ms: int, min_bytes: int) -> Sequence[LogRecord]:
        """Records from `offset` on; a long poll."""
        ...

    async def bounds(self) -> tuple[int, int]:
        """Log start and high watermark."""
        ...


class Memory(Protocol):
    """What outlives the process and a lost log: one value, durable when `save` returns. Raises OSError."""

    async def load(self) -> bytes | None:
        """What was saved last."""
        ...

    async def save(self, value: bytes) -> None:
        """Replace it."""
        ...


CreateTopic = Callable[[str, int, int, Mapping[str, str]], Awaitable[None]]  # name, partitions, RF, configs


def _nonce() -> str:
    return secrets.token_hex(16)


# The topic's partitions, its settings in effect, and how many brokers its cluster has.
Describe = Callable[[], Awaitable[tuple[Sequence[PartitionInfo], Mapping[str, str], int]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a life needs besides the log. `boot` is the time since boot in ms, suspends included, by which
    leases are reckoned; the clock where there is none. Without a memory a lost log may be a lost effect.
    `nonce`: 32 hex digits, never twice the same. `reaches`: whether effects can be undone from here: asked
    before what another left is adopted, and answered within a second or so."""

    clock: Callable[[], int]
    create_topic: CreateTopic | None = None
    boot: Callable[[], int] | None = None
    memory: Memory | None = None
    nonce: Callable[[], str] = _nonce
    describe: Describe | None = None  # without it the topic's settings are taken to be right
    place: Callable[[], Awaitable[Place]] | None = None  # of the own broker; without it the settings say
    reaches: Callable[[], Awaitable[bool]] | None = None  # without it they always can
