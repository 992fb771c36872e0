"""What the ledger reads of its journal, and when."""

from __future__ import annotations

from pathlib import Path

import pytest
from full_journal import agent_without_room
from stories import decision, entry

from agent import journal
from agent.daemon.ledger import Ledger
from agent.history import replay
from agent.journal import Journal, JournalFailed
from agent.model import Entry, Kind

LIVES = [entry(n, (Kind.REFUSED, Kind.WITHDRAWN)[n % 2], of=decision(f"d@{n // 2}")) for n in range(10)]


class Counting(Journal):
    """Tells how many entries it gave at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.given = list[int]()

    async def entries(self, after: int = 0) -> tuple[Entry, ...]:
        """As the journal does."""
        found = await super().entries(after)
        self.given.append(len(found))
        return found


async def test_a_long_journal_is_read_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And comes to what all of it at once amounts to."""
    monkeypatch.setattr(journal, "AT_ONCE", 4)
    before = Journal(tmp_path)
    await before.open()
    await before.append(*LIVES)
    await before.close()
    own = Counting(tmp_path)
    ledger = Ledger(own, lambda _: None)

    await ledger.open()
    await ledger.record(Entry(20, Kind.AGENT, "goes on"))

    assert own.given == [4, 4, 2, 0]
    assert ledger.history == replay(LIVES)
    assert list(ledger.entries) == [*LIVES, Entry(20, Kind.AGENT, "goes on")]
    assert await own.entries(after=9) == (LIVES[9], Entry(20, Kind.AGENT, "goes on"))
    await own.close()


async def test_a_full_journal_is_not_read_again_for_each_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each replay of 20,000 entries stopped the loop for seconds; only what is new can have been missed."""
    config = await agent_without_room(tmp_path, monkeypatch, *LIVES)
    own = Counting(config.state)
    ledger = Ledger(own, lambda _: None)
    await ledger.open()
    assert sum(own.given) > len(LIVES)
    own.given.clear()
    for _ in range(3):
        with pytest.raises(JournalFailed, match="full"):
            await ledger.record(Entry(20, Kind.AGENT, "goes on"))
    assert own.given == [0, 0]
    await own.close()
