"""The stop file, as the agent finds it: also on a disk that hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hung_files import LOOKS, assert_threads_are_free, hung

from agent import stop_file
from agent.stop_file import SHOWN, StopFile


async def test_its_text_is_the_reason_and_one_that_cannot_be_read_stops(tmp_path: Path) -> None:
    """Absent is None, and so is a path whose folder is a file."""
    file = tmp_path / "stop"
    own = StopFile(file)

    assert await own.read() is None
    file.write_text(" moving racks \n")
    assert await own.read() == "moving racks"
    file.write_bytes(b"\xff" * 3 * SHOWN)
    assert await own.read() == "\ufffd" * SHOWN
    assert await StopFile(file / "beneath").read() is None
    why = await StopFile(tmp_path).read()
    assert why is not None
    assert why.startswith("it is taken to stand, as it cannot be read: ")
    assert "Is a directory" in why


async def test_one_that_hangs_stops_in_words_until_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And costs one thread, none of those that all share."""
    monkeypatch.setattr(stop_file, "DEADLINE_S", 0.2)
    with hung(tmp_path / "stop") as file:
        own = StopFile(file)
        async with asyncio.timeout(20):
            told = {await own.read() for _ in range(LOOKS)}
        assert told == {
            "it is taken to stand, as it cannot be read: reading of the stop file has not returned for 0.2 s"
        }
        await assert_threads_are_free()

    file.write_text("moving racks")
    async with asyncio.timeout(20):
        while await own.read() != "moving racks":
            pass
