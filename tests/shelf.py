"""What an agent keeps durably, for tests."""

from __future__ import annotations


class Shelf:
    """A durable memory: one value, which outlives the process."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.broken = ""
        self.full = ""  # nothing can be saved

    async def load(self) -> bytes | None:
        """What was saved last."""
        self._check()
        return self.value

    async def save(self, value: bytes) -> None:
        """Replace it."""
        self._check(self.full)
        self.value = value

    def _check(self, fault: str = "") -> None:
        if fault or self.broken:
            raise OSError(fault or self.broken)
