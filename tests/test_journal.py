"""The journal on a real disk: durable, locked, and honest when it cannot be written."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import entry

from agent import journal
from agent.journal import Journal, JournalFailed, JournalLocked, read
from agent.model import Kind
from agent.wire import BadEntry, decode, encode

ROOT = Path(__file__).parent.parent
DIE = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests")
from stories import entry
from agent.journal import Journal
from agent.model import Kind
async def main():
    journal = Journal(Path(sys.argv[1]))
    await journal.open()
    await journal.append(entry(1, Kind.STARTED))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    """By the next process, in order."""
    entries = (entry(1, Kind.STARTED), entry(2, Kind.DONE))
    first = Journal(tmp_path)
    await first.open()
    assert await first.entries() == ()
    await first.append(*entries)
    await first.close()

    second = Journal(tmp_path)

    await second.open()
    assert await second.entries() == entries
    await second.close()


def test_an_entry_survives_the_kill_right_after_it(tmp_path: Path) -> None:
    """Write down, then do: append has returned, so it is there."""
    dead = subprocess.run([sys.executable, "-c", DIE, str(tmp_path)], cwd=ROOT, check=False)

    assert dead.returncode == -signal.SIGKILL
    assert read(tmp_path) == (entry(1, Kind.STARTED),)


async def test_two_agents_cannot_share_a_journal(tmp_path: Path) -> None:
    """The second is told what to do; reading needs no lock."""
    first, second = Journal(tmp_path), Journal(tmp_path)
    await first.open()

    with pytest.raises(JournalLocked, match="held by another agent: stop it first"):
        await second.open()

    assert read(tmp_path) == ()
    await second.close()
    await first.close()


async def test_a_full_journal_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never fails silently: nothing new may be begun after this."""
    monkeypatch.setattr(journal, "MAX_PAGES", 8)
    full = Journal(tmp_path)
    await full.open()

    with pytest.raises(JournalFailed, match="full"):
        await full.append(*(entry(n, Kind.STARTED) for n in range(500)))

    assert read(tmp_path) == ()
    await full.close()


async def test_values_are_kept_beside_the_entries(tmp_path: Path) -> None:
    """The log tail's offsets, say."""
    kept = Journal(tmp_path)
    await kept.open()
    assert await kept.load("logs") is None

    await kept.save("logs", b"1")
    await kept.save("logs", b"2")

    assert await kept.load("logs") == b"2"
    await kept.close()


def test_no_journal_is_a_sentence(tmp_path: Path) -> None:
    """Not a traceback, and not an empty history."""
    with pytest.raises(JournalFailed, match="no journal at"):
        read(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """Before anything is begun."""
    tmp_path.chmod(0o500)

    with pytest.raises(JournalFailed, match="Permission denied"):
        await Journal(tmp_path / "state").open()


@given(st.binary(max_size=200))
def test_any_bytes_are_an_entry_or_a_complaint(line: bytes) -> None:
    """Nothing else is ever raised."""
    with contextlib.suppress(BadEntry):
        assert encode(decode(line))
