"""What an agent keeps durably, for tests."""

from __future__ import annotations


class Shelf:
    """A durable memory: one value, which outlives the process."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.broken = ""

    async def load(self) -> bytes | None:
        """What was saved last."""
        self._check()
        return self.value

    async def save(self, value: bytes) -> None:
        """Replace it."""
        self._check()
        self.value = value

    def _check(self) -> None:
        if self.broken:
            raise OSError(self.broken)
