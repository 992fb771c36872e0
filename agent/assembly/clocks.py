"""The clocks of an agent: the one on the wall, and the one that nobody sets."""

from __future__ import annotations

import time


def clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def steady() -> float:
    """Milliseconds of the clock that nobody sets, and that stands still while the machine is suspended."""
    return time.monotonic_ns() / 1_000_000


def looking_since(woke: float) -> int:
    """When an agent that woke at `woke` of the steady clock began to look, by the wall clock as it is now:
    to set that makes the time since neither longer nor shorter."""
    return clock() - round(steady() - woke)
