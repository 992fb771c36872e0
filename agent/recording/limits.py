"""How much history one command may take in, and how it stops when that is too much."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Tell = Callable[[str], None]  # what is being done now; shown where it takes long

MAX_SAMPLES = 50_000_000  # 16 bytes each
MAX_SERIES = 100_000
MAX_BYTES = 8 << 30  # of text, unpacked


class BadHistory(Exception):
    """History that cannot be read: the text says where, what is wrong and what to do."""


def silent(_doing: str) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class Allowance:
    """What may still be taken in. `deadline` is of the monotonic clock, in seconds; None: for ever."""

    samples: int = MAX_SAMPLES
    series: int = MAX_SERIES
    bytes: int = MAX_BYTES
    deadline: float | None = None

    def expired(self) -> bool:
        """Whether the time is over."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def take(self, what: str, *, samples: int = 0, series: int = 0, size: int = 0) -> None:
        """Note what came in. Raises BadHistory at the first limit that is passed."""
        self.samples -= samples
        self.series -= series
        self.bytes -= size
        if self.samples < 0:
            raise BadHistory(f"{what}: too many samples; take a shorter time (--start, --end, --last)")
        if self.series < 0:
            raise BadHistory(f"{what}: too many series; choose some (--where instance=broker-1:7071)")
        if self.bytes < 0:
            raise BadHistory(f"{what}: too many bytes; take fewer files or a shorter time")
        if self.expired():
            raise BadHistory(f"{what}: not done within the time allowed (--timeout)")
