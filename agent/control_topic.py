"""The control topic's reader and writer: joins the log, folds it, and waits for its order to decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.control.state import Claim, Limit, State
from agent.control.times import Settings


class ClaimVoid(Exception):
    """The claim is no longer open: refused, dropped or cancelled; the text says why."""


class NotAccepted(Exception):
    """A record was written and the log's order made it void; the text says why."""


class ControlUnavailable(Exception):
    """The log cannot be used now; the text says since when and why. A record of ours may still land."""


class LogRecord(Protocol):
    """One record as it lies in the log. `at` is LogAppendTime in ms, `batch_bytes` its batch's size."""

    @property
    def offset(self) -> int: ...
    @property
    def leader_epoch(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def batch_bytes(self) -> int: ...


class Log(Protocol):
    """One partition, as agent.kafka.log.PartitionLog gives it."""

    @property
    def topic_id(self) -> str: ...
    async def append(self, value: bytes) -> int: ...
    async def fetch(self, offset: int, *, max_wait_ms: int, min_bytes: int) -> Sequence[LogRecord]: ...
    async def bounds(self) -> tuple[int, int]: ...


CreateTopic = Callable[[str, int, int, Mapping[str, str]], Awaitable[None]]  # name, partitions, RF, configs


@dataclass(frozen=True, slots=True)
class Peer:
    """What another agent last said. `at` is the append time of its last accepted record."""

    at: int
    firing: tuple[str, ...]
    status: str


class ControlTopic:
    """This agent's part in the log. Everything here is on one event loop."""

    def __init__(
        self, log: Log, settings: Settings, clock: Callable[[], int], create_topic: CreateTopic | None = None
    ) -> None:
        raise NotImplementedError

    @property
    def state(self) -> State:
        """The folded state."""
        raise NotImplementedError

    @property
    def degraded(self) -> str | None:
        """Why nothing may be claimed now, in words; None while all is well."""
        raise NotImplementedError

    @property
    def caught_up(self) -> bool:
        """Whether everything readable was read."""
        raise NotImplementedError

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def claim(
        self, kind: str, scopes: Sequence[str], problem: str, why: str, *, limit: Limit | None = None
    ) -> int:
        raise NotImplementedError

    async def granted(self, claim_id: int) -> int:
        raise NotImplementedError

    async def barrier(self) -> None: ...
    async def intent(self, claim_id: int, effect_json: str) -> None: ...
    async def release(self, claim_id: int, outcome: str) -> None: ...
    async def note(self, entry_line: str) -> None: ...
    def set_firing(self, names: Iterable[str], status: str = "") -> None: ...
    def blockers(self, claim_id: int) -> tuple[str, ...]:
        raise NotImplementedError

    def own_claims(self) -> Mapping[int, Claim]:
        raise NotImplementedError

    def peers(self) -> Mapping[str, Peer]:
        raise NotImplementedError
