"""The one way to record a fact: folded to see that it may be, made durable, then told to everybody."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator

from agent.families import Family, gauge
from agent.history import History, fold, replay
from agent.journal import Journal, JournalFailed
from agent.model import Entry

log = logging.getLogger(__name__)
SHOWN = 5_000  # entries kept in memory for `why` and `actions`


class Ledger:
    """The journal and what its entries amount to. `failed` says why nothing new may be begun."""

    def __init__(self, journal: Journal, told: Callable[[Entry], None]) -> None:
        self._journal = journal
        self._told = told
        self._turn = asyncio.Lock()
        self.history = History()
        self.entries: deque[Entry] = deque(maxlen=SHOWN)
        self.failed: str | None = None
        self._folded = 0  # entries of the journal

    async def open(self) -> None:
        """Replay everything. Raises JournalFailed, ImpossibleTransition."""
        await self._journal.open()
        await self._catch_up()

    async def record(self, entry: Entry, still: Callable[[], bool] | None = None) -> bool:
        """Durable and part of the history when this returns. Raises JournalFailed, ImpossibleTransition.

        False, and nothing is recorded, where `still` says, once all that came before is part of the history,
        that it is not so any more what the entry rests on.
        It goes on where the caller is cancelled: the line may be on disk already, and history must know it.
        """
        return await asyncio.shield(self._record(entry, still))

    def collect(self) -> Iterator[Family]:
        """Whether it can be written."""
        words = "1 while the journal cannot be written: nothing new is begun"
        yield gauge("ottla_journal_failed", words, float(self.failed is not None))

    async def _record(self, entry: Entry, still: Callable[[], bool] | None) -> bool:
        async with self._turn:
            if self.failed is not None:
                await self._look_again()
            if still is not None and not still():
                return False
            after = fold(self.history, entry)
            try:
                await self._journal.append(entry)
            except JournalFailed as error:
                if self.failed is None:
                    log.error("nothing new is begun: %s", error)
                self.failed = str(error)
                raise
            self.failed = None
            self.history = after
            self.entries.append(entry)
            self._folded += 1
        self._told(entry)
        return True

    async def _look_again(self) -> None:
        """What failed may have been written all the same. Raises JournalFailed where it was: whoever records
        now has decided on a history that is not so."""
        before = self.history
        await self._catch_up()
        if self.history != before:
            self.failed = None
            raise JournalFailed("what could not be written before was written all the same: look again")

    async def _catch_up(self) -> None:
        """With what is in the journal; a batch at a time, so that neither memory nor the loop notices."""
        while found := await self._journal.entries(self._folded):
            self.history = replay(found, self.history)
            self.entries.extend(found)
            self._folded += len(found)
