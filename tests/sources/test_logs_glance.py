"""What is written is told at once, at a bounded pace, by inotify or by looking each second."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from inotify_simple import INotify
from log_memory import Memory, value

from agent.model import LogPattern, Place, Sample
from agent.sources import file_events
from agent.sources.log_pace import Pace
from agent.sources.logs import LogTail

CODES = LogPattern("error", "*", r"ERROR (?P<code>\w+)", "Errors", Place("logs.yml", 1, 1))
WAIT_S = 20.0


class Watched:
    """A tail whose first reading is done; `news` waits for what is told next."""

    def __init__(self, folder: Path, interval_ms: int = 60_000) -> None:
        self.path = folder / "server.log"
        self.path.write_text("old\n")
        self.memory = Memory()
        self.tail = LogTail([str(self.path)], [CODES], self.memory, interval_ms)
        self.clock = itertools.count(1_000_000, 10)

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def news(self) -> list[Sample]:
        async with asyncio.timeout(WAIT_S):
            while True:
                await self.tail.stirred()
                if samples := await self.tail.glance(next(self.clock)):
                    return samples

    async def rest(self) -> None:
        """Until names have settled: then only what is written stirs it."""
        async with asyncio.timeout(WAIT_S):
            while any(inputs.restless for inputs in self.tail._lanes.answering):
                await self.tail.stirred()
                await self.tail.glance(next(self.clock))


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    watched = Watched(tmp_path)
    await watched.tail.read(next(watched.clock))
    await watched.rest()
    yield watched
    watched.tail.close()


def told(samples: list[Sample]) -> list[tuple[str, float]]:
    return [(dict(s.labels).get("code", ""), s.value) for s in samples]


async def test_a_line_is_told_at_once(watched: Watched) -> None:
    """Only what changed; a new series with what it was before, so that increase() sees it."""
    watched.write("ERROR EIO\nINFO\n")
    first = await watched.news()
    watched.write("ERROR EIO\n")

    assert told(first) == [("EIO", 0), ("EIO", 1)]
    assert first[0].at == first[1].at - 60_000
    assert told(await watched.news()) == [("EIO", 2)]


async def test_patterns_are_compiled_before_the_first_line(watched: Watched) -> None:
    """That takes a tenth of a second or two. It waits for a second, so that no start is slower by it."""
    assert not watched.tail._scanners.knows(str(watched.path))
    assert watched.tail._compile_at > asyncio.get_running_loop().time()

    async with asyncio.timeout(WAIT_S):
        while not watched.tail._scanners.knows(str(watched.path)):
            await watched.tail.stirred()
            assert not await watched.tail.glance(next(watched.clock))


async def test_patterns_that_were_replaced_are_compiled_before_their_first_line(watched: Watched) -> None:
    watched.write("ERROR EIO\n")
    await watched.news()
    watched.tail.patterns = (CODES, msgspec.structs.replace(CODES, name="other"))
    await watched.tail.read(next(watched.clock))
    assert not watched.tail._scanners.knows(str(watched.path))

    async with asyncio.timeout(WAIT_S):
        while not watched.tail._scanners.knows(str(watched.path)):
            await watched.tail.stirred()
            await watched.tail.glance(next(watched.clock))


async def test_nothing_written_stirs_nothing(watched: Watched) -> None:
    """An idle log costs nothing between two readings."""
    watched.tail._next_glance = 0.0
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watched.tail.stirred(), 0.3)


async def test_names_settle_though_the_clock_was_set_back(watched: Watched) -> None:
    """Else folders were listed ten times a second until it is as late again as when a name changed last."""
    later = time.time() + 7200
    os.utime(watched.path.parent, (later, later))
    await watched.tail.read(next(watched.clock))
    await watched.rest()


async def test_a_file_that_takes_the_place_of_another_is_seen_at_once(watched: Watched) -> None:
    """Rotation stirs it too, and what the writer adds to the old file later."""
    with watched.path.open("a") as late:
        watched.path.rename(f"{watched.path}.1")
        watched.write("ERROR NEW\n")
        assert told(await watched.news()) == [("NEW", 0), ("NEW", 1)]
        late.write("ERROR LATE\n")
        late.flush()
        assert told(await watched.news()) == [("LATE", 0), ("LATE", 1)]


async def test_a_glance_saves_nothing_and_the_reading_saves_it_once(watched: Watched) -> None:
    """What the journal must sync is bounded by the interval; killed before, the line is read again."""
    saves = watched.memory.saves
    watched.write("ERROR EIO\n")
    await watched.news()
    assert watched.memory.saves == saves

    again = LogTail([str(watched.path)], [CODES], watched.memory, 60_000)
    assert ("EIO", 1) in told(await again.read(next(watched.clock)))
    again.close()
    await watched.tail.read(next(watched.clock))
    assert watched.memory.saves == saves + 2


async def test_the_end_saves_what_glances_gave(watched: Watched) -> None:
    """A successor's counters begin no lower than what was shown: a counter that fell would count twice."""
    watched.write("ERROR EIO\n")
    await watched.news()
    await watched.tail.keep()

    again = LogTail([str(watched.path)], [CODES], watched.memory, 60_000)
    assert (
        told([s for s in await again.read(next(watched.clock)) if s.labels])
        == [("EIO", 0)] + [("EIO", 1)] * 2
    )
    again.close()


async def test_without_inotify_files_are_looked_at_each_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No watches left: it is said once, counted, and the line is told all the same."""

    def none_left(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(INotify, "add_watch", none_left)
    watched = Watched(tmp_path)
    samples = await watched.tail.read(next(watched.clock))
    await watched.tail.read(next(watched.clock))
    watched.write("ERROR EIO\n")

    assert told(await watched.news()) == [("EIO", 0), ("EIO", 1)]
    assert value(samples, "ottla_log_polled_files") == 1
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert said[0].endswith("([Errno 28] No space left on device): such files are read each second")
    watched.tail.close()


async def test_on_a_network_file_system_files_are_looked_at_each_second_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host may write there, of which nobody tells."""
    monkeypatch.setattr(file_events, "_file_system", lambda _: "nfs4")
    watched = Watched(tmp_path)

    assert value(await watched.tail.read(next(watched.clock)), "ottla_log_polled_files") == 1
    assert await watched.tail.read(next(watched.clock))
    await watched.rest()
    watched.write("ERROR EIO\n")
    assert told(await watched.news()) == [("EIO", 0), ("EIO", 1)]
    watched.tail.close()


async def test_a_series_that_never_rests_is_told_at_a_bounded_pace(watched: Watched) -> None:
    """Some samples at once; then its newest value when its time has come, not one for each line."""
    shown = 0
    for n in range(1, 30):
        watched.write("ERROR EIO\n")
        await watched.tail.stirred()
        samples = await watched.tail.glance(next(watched.clock))
        shown += any(s.value == n for s in samples)

    assert 5 <= shown <= 10
    assert ("EIO", 29) in told(await watched.tail.read(next(watched.clock)))


def test_the_pace_of_a_series() -> None:
    """Some at once, then four in an interval; who rested may begin again, also after the clock went back."""
    pace, series = Pace(1000), ("log_error_total", ())
    at_once = [pace.wait(series, 10_000) for _ in range(12)]
    later = [now for now in range(10_000, 20_000, 10) if not pace.wait(series, now)]

    assert at_once.count(0) == 9
    assert 38 <= len(later) <= 41
    assert pace.wait(series, 30_000) == 0
    assert pace.wait(series, 5_000) == 0
    assert pace.wait(("log_error_total", (("code", "EIO"),)), 10_000) == 0
