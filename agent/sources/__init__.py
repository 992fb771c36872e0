"""What every source is: a named reader of samples with declared metrics, polled on its own schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from agent.model import Sample

# When the process behind a source began: another value in a later reading is another process.
PROCESS_START = "process_start_time_seconds"


class SourceFailed(Exception):
    """A reading gave nothing. The text says what was asked, what came back and what to look at.

    `samples` are what the failure itself tells: the ends of series, the source's own counters.
    """

    def __init__(self, why: str, samples: Sequence[Sample] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.samples = samples


class MetricInfo(Struct, frozen=True):
    """The declaration of one metric: `type` is gauge or counter, `unit` a Prometheus base unit or empty."""

    name: str
    type: str
    unit: str
    help: str


class Source(Protocol):
    """A reader of samples. `read` is never called twice at once; `now` is milliseconds since the epoch."""

    @property
    def name(self) -> str:
        """The label `source` of this source's own series."""

    @property
    def interval_ms(self) -> int:
        """Time between two readings."""

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """What it can yield."""

    @property
    def partial(self) -> bool:
        """Whether a series that a reading has not, and the one before had, need not have ended: then the
        source tells the ends of its series itself."""

    async def read(self, now: int) -> list[Sample]:
        """One reading. SourceFailed, TimeoutError and OSError mean that there is none this time."""


@runtime_checkable
class Partly(Source, Protocol):
    """A source of several questions, of which some may have no answer while others have."""

    @property
    def failed(self) -> Mapping[str, str]:
        """Why those parts of it failed whose last try did, by what names them to a person."""

    @property
    def unread(self) -> frozenset[str]:
        """After a reading that succeeded: the wanted metrics that it had to leave open, as what would tell of
        them did not answer, and that it gave no sample of. What an answer has not is known, and not in it."""


@runtime_checkable
class Eager(Source, Protocol):
    """A source that knows when it has something new, and may be asked before its interval is over."""

    async def stirred(self) -> None:
        """Returns when there is something new, at a pace that bounds what this costs. May be cancelled."""

    async def glance(self, now: int) -> list[Sample]:
        """What is new since the last reading or glance; series that are not in it have not ended.
        Raises as `read`, and is never called while that runs."""

    async def keep(self) -> None:
        """Save what glances gave: called at the end and before the window store is. Raises as `read`."""
