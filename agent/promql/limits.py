"""What one evaluation may cost, and what it has cost."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from agent.promql.errors import TooMuch


class Limits(Struct, frozen=True):
    """`samples`: how many an evaluation may touch, its intermediate results included. `expired` is asked now
    and then, from whatever thread evaluates: whether the time for it is over.
    """

    samples: int = 50_000_000
    expired: Callable[[], bool] | None = None


class Budget:
    """What is left of the limits of one evaluation."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._used = 0

    def take(self, samples: int) -> None:
        """Count these before they are made. TooMuch where the limits do not allow them."""
        self._used += samples
        if self._used > self._limits.samples:
            raise TooMuch(f"the query would touch more than {self._limits.samples} samples")
        if self._limits.expired is not None and self._limits.expired():
            raise TooMuch("the query took longer than it may")
