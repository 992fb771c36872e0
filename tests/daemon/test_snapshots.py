"""The window store's snapshot on disk: written whole or not at all, never in anybody's way."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.daemon import snapshots as module
from agent.daemon.snapshots import FILE, Snapshots
from agent.model import Sample
from agent.series import Series, snapshot
from agent.sources.agent_itself import Saved

NOW = 1_700_000_000_000


def filled(count: int = 1) -> Series:
    series = Series(3_600_000)
    series.add(Sample("a", (("n", f"{n}"),), NOW, 1.0) for n in range(count))
    return series


async def nothing() -> None:
    """No source has anything to save."""


def made(
    series: Series, folder: Path, keep: Callable[[], Awaitable[None]] = nothing
) -> tuple[Snapshots, Saved]:
    saved = Saved()
    return Snapshots(series, folder, lambda: NOW + 1000, saved, keep), saved


async def test_a_restart_finds_what_was_saved(tmp_path: Path) -> None:
    snapshots, saved = made(filled(3), tmp_path)
    await snapshots.save()
    again = Series(3_600_000)
    await made(again, tmp_path)[0].load()
    assert (again.count, again.first_at) == (3, NOW)
    assert (saved.at, saved.bytes, saved.failed) == (NOW + 1000, (tmp_path / FILE).stat().st_size, 0)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


async def test_without_a_snapshot_the_store_stays_empty_and_nobody_complains(tmp_path: Path) -> None:
    series = Series(3_600_000)
    snapshots, saved = made(series, tmp_path)
    await snapshots.load()
    assert (series.count, saved.ignored) == (0, 0)


@pytest.mark.parametrize("cut", [0, 1, 100])
async def test_a_damaged_one_is_told_counted_and_ignored(
    tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    await made(filled(), tmp_path)[0].save()
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:cut])
    series = Series(3_600_000)
    snapshots, saved = made(series, tmp_path)
    await snapshots.load()
    assert (series.count, saved.ignored) == (0, 1)
    assert FILE in caplog.text


async def test_where_it_cannot_be_written_the_one_before_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk fills up in the middle."""
    await made(filled(), tmp_path)[0].save()
    before = (tmp_path / FILE).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    snapshots, saved = made(filled(1000), tmp_path)
    await snapshots.save()
    assert saved.failed == 1
    assert "No space left" in caplog.text
    assert (tmp_path / FILE).read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


async def test_none_counts_before_what_sources_go_on_from_is_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a counter would begin lower in the next life than the store remembers, and grow twice."""
    series = filled()

    async def fail() -> None:
        raise OSError("journal: no space left")

    snapshots, saved = made(series, tmp_path, fail)
    await snapshots.save()
    assert (saved.failed, saved.at) == (1, Saved().at)
    assert "journal: no space left" in caplog.text
    assert not (tmp_path / FILE).exists()


async def test_what_it_has_no_room_for_is_told_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, and until there is room again."""
    snapshots, saved = made(filled(200), tmp_path)
    monkeypatch.setattr(snapshot, "MAX_BYTES", 4_000)
    for _ in range(2):
        await snapshots.save()
        assert saved.left_out == 1
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["a"]
    monkeypatch.undo()
    await snapshots.save()
    assert (saved.left_out, saved.failed) == (0, 0)


async def test_a_hung_disk_holds_nobody_up(tmp_path: Path) -> None:
    """The state folder's file is a pipe that nobody reads: opening it never returns."""
    os.mkfifo(tmp_path / f"{Path(FILE).stem}.new")
    snapshots, saved = made(filled(), tmp_path)
    for _ in range(2):
        await asyncio.wait_for(snapshots.save(0.05), 5)
    assert saved.failed == 2
    os.close(os.open(tmp_path / f"{Path(FILE).stem}.new", os.O_RDONLY | os.O_NONBLOCK))  # ends the thread


async def test_samples_may_come_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = filled(2000)
    snapshots, saved = made(series, tmp_path)
    parts: list[bytes] = []
    written = snapshot.written

    def slowly(of: Series, left_out: set[str]) -> object:
        for part in written(of, left_out):
            parts.append(part)
            series.add(Sample("a", (("n", f"{n}"),), NOW + len(parts), 2.0) for n in range(2500))
            yield part

    monkeypatch.setattr(module, "written", slowly)
    await snapshots.save(30)
    again = Series(3_600_000)
    await made(again, tmp_path)[0].load()
    assert saved.failed == 0
    assert again.count == 2500  # the others began when the first line was written


async def test_what_its_disk_gives_too_late_is_no_part_of_a_store_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rules were warm by what it covered, and judged on the minute since the start alone."""
    await made(filled(3), tmp_path)[0].save()
    answers, restored = threading.Event(), threading.Event()

    def hanging(*given: Any) -> None:
        answers.wait()
        snapshot.restore(*given)
        restored.set()

    monkeypatch.setattr(module, "restore", hanging)
    monkeypatch.setattr(module, "_DEADLINE_S", 0.05)
    series = Series(3_600_000, {"b": 60_000})
    snapshots, saved = made(series, tmp_path)
    await snapshots.load()
    assert saved.ignored == 1
    assert "has not returned for 0.05 s" in caplog.text
    series.add([Sample("b", (), NOW + 1000, 1.0)])
    answers.set()
    await asyncio.to_thread(restored.wait)
    assert (series.names, series.first_at, series.cover.wanted) == (("b",), NOW + 1000, {"b": 60_000})
