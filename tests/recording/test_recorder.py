"""Recording from an agent: its samples to the bit, over the socket; and a server that comes and goes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from fake_surface import NOW, FakeSurface
from held import START, Held, holding, made, plain
from prometheus_samples import lines, store

from agent.recording.dump import Dump
from agent.recording.limits import silent
from agent.recording.prometheus import Found, NoAnswer, Prometheus, TooLarge
from agent.recording.recorded import Recorded, Track
from agent.recording.recorder import Recorder, Wanted
from agent.recording.tape import Tape
from agent.sources.series_text import split_name
from agent.web.server import Server

ALL = Wanted('{__name__!=""}', 3_600_000, 15_000)


@pytest.mark.parametrize("by", ["http", "socket"])
async def test_an_agent_is_recorded_as_it_is(tmp_path: Path, by: str) -> None:
    """Odd values, odd labels, over its own API; what ended there has its end in the recording."""
    surface = FakeSurface()
    surface.series = store()
    server = Server(surface, listen="127.0.0.1:0", path=tmp_path / "s", state=tmp_path)
    address = await server.start()
    tape = Tape(tmp_path / "a.om.gz", 1 << 30)
    async with Prometheus(tmp_path / "s" if by == "socket" else f"http://{address}") as client:
        await Recorder(client, tape, ALL, silent).run(for_ms=0)
    tape.finish()
    await server.close()
    wanted = Recorded()
    for labels, times, values in lines():
        wanted.put(*split_name(dict(labels)), Track(times[times <= NOW], values[times <= NOW]))
    assert plain(Dump(tmp_path / "a.om.gz").read()) == plain(wanted)


class Leaving(Held):
    """Answers, is away, refuses, and answers again."""

    script: list[Exception | None]

    async def samples(self, selector: str, start: int, end: int) -> Found:
        """Fails where the script says so."""
        trouble = self.script.pop(0) if self.script else None
        self.at += 15_000
        if trouble is not None:
            raise trouble
        return await super().samples(selector, start, end)


async def test_a_server_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    """What it held meanwhile is read when it is back; how often it did not answer is counted."""
    times = [START + n * 15_000 for n in range(40)]
    held = Leaving(holding(up=made(times, [1.0] * 40)), at=START)
    held.script = [None, NoAnswer("away"), NoAnswer("away"), TooLarge("busy"), TooLarge("busy"), None]
    tape = Tape(tmp_path / "a.om", 1 << 20)
    wanted = Wanted("up", 15_000, 20)
    recorder = Recorder(cast(Prometheus, held), tape, wanted, silent)
    task = asyncio.create_task(recorder.run(None))
    async with asyncio.timeout(20):
        while tape.samples < 20:
            await asyncio.sleep(0.01)
    recorder.stop.set()
    await task
    tape.finish()
    assert recorder.unanswered >= 2
    found = plain(Dump(tmp_path / "a.om").read())["up", ()]
    assert [at for at, _ in found] == times[: len(found)]


async def test_an_address_where_nobody_ever_answered_is_a_mistake(tmp_path: Path) -> None:
    """It is said at once, and not waited for."""
    tape = Tape(tmp_path / "a.om", 1 << 20)
    async with Prometheus("http://127.0.0.1:1") as client:
        with pytest.raises(NoAnswer):
            await Recorder(client, tape, ALL, silent).run(None)
    tape.discard()
    assert list(tmp_path.iterdir()) == []


async def test_a_full_tape_ends_it(tmp_path: Path) -> None:
    """With what is on it, and why."""
    held = Held(holding(up=made([START + n for n in range(500)], [1.0] * 500)), at=START + 1000)
    tape = Tape(tmp_path / "a.om", 2_000)
    recorder = Recorder(cast(Prometheus, held), tape, Wanted("up", 15_000, 1_000), silent)
    async with asyncio.timeout(5):
        await recorder.run(None)
    tape.finish()
    assert "has reached its size" in recorder.why
    assert Dump(tmp_path / "a.om").read().samples == 500
