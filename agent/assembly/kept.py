"""The journal as parts of an agent want it that keep one value in it."""

from __future__ import annotations

from agent.journal import Journal, JournalFailed


class Kept:
    """One value of the journal, as the log tail wants to keep it."""

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal, self._name = journal, name

    async def load(self) -> bytes | None:
        """What was saved last."""
        try:
            return await self._journal.load(self._name)
        except JournalFailed as error:
            raise OSError(str(error)) from error

    async def save(self, value: bytes) -> None:
        """Replace it; durable when this returns."""
        try:
            await self._journal.save(self._name, value)
        except JournalFailed as error:
            raise OSError(str(error)) from error  # the source's reading failed: shown, and read again
