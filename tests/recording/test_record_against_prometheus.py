"""A real Prometheus, read and recorded: samples and ends of series are what was written to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from debian_prometheus import program
from held import START, made, plain
from prometheus_server import Server

from agent.model import Labels
from agent.promql.vectors import Floats, Times
from agent.recording.dump import Dump, pieces
from agent.recording.limits import BadHistory
from agent.recording.prometheus import NoAnswer, NotUnderstood, Prometheus
from agent.recording.reading import Reading
from agent.recording.recorded import Recorded

ROOT = Path(__file__).parents[2]
STEP = 15_000
Plain = dict[tuple[str, Labels], list[tuple[int, str]]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One that scrapes nothing."""
    (tmp_path / "server").mkdir()
    with Server(program("prometheus"), tmp_path / "server") as running:
        yield running


def history(start: int) -> Recorded:
    """Three series, steady, ended and gone, back after its end."""
    recorded = Recorded()
    times = [start + n * STEP for n in range(40)]
    recorded.put("up", (), made(times, [float(n % 3) for n in range(40)]))
    recorded.put("used", (("path", "/d1"),), made(times[:10], [0.1 * n for n in range(10)], [times[10]]))
    recorded.put("used", (("path", 'a "b"'),), made(times[:5] + times[12:], [0.5] * 33, [times[5]]))
    return recorded


def rows(recorded: Recorded) -> list[tuple[Labels, Times, Floats]]:
    """As the server takes them."""
    return [((("__name__", name), *labels), t.times, t.values) for name, labels, t in recorded]


async def test_what_was_written_is_read(server: Server) -> None:
    """To the bit, from one piece or many; ends within a step."""
    start = START // STEP * STEP
    recorded = history(start)
    server.write(rows(recorded))
    for piece in (STEP * 4, STEP * 100):
        again = Recorded()
        async with Prometheus(f"http://127.0.0.1:{server._port}/") as client:
            reading = Reading(client, '{__name__!=""}', STEP, piece)
            async for part in reading.read(start - STEP, start + 60 * STEP):
                for key, each in part.found.items():
                    again.put(*key, each)
        assert samples(plain(again)) == samples(plain(recorded))
        assert ends(plain(again)) == ends(plain(recorded))


async def test_what_the_server_refuses_is_said_in_its_words(server: Server) -> None:
    """And a port where nobody is."""
    async with Prometheus(f"http://127.0.0.1:{server._port}") as client:
        with pytest.raises(NotUnderstood, match=r"answers 400 to sum.*parse error"):
            await client.samples("sum(", START, START + STEP)
    async with Prometheus("http://127.0.0.1:1") as client:
        with pytest.raises(NoAnswer, match="no answer from"):
            await client.now()
    with pytest.raises(BadHistory, match="write it like"):
        Prometheus("127.0.0.1:9090")


def test_record_writes_what_is_held_and_what_comes(server: Server, tmp_path: Path) -> None:
    """Until ^C; then the file has its name, and --append goes on with it."""
    start = (int(time.time() * 1000) - 1_200_000) // STEP * STEP
    recorded = history(start)
    server.write(rows(recorded))
    file = tmp_path / "a.om.gz"
    recording = record(server, file, "--interval", "100ms", "--for", "60s")
    part = tmp_path / "a.om.gz.part"
    until("the first reading", lambda: part.exists() and b"up " in written(part))
    now = int(time.time() * 1000)
    server.write([((("__name__", "late"),), np.array([now]), np.array([7.0]))])
    until("the second reading", lambda: b"late " in written(part))
    recording.send_signal(signal.SIGINT)
    assert "samples of 4 series, 2 ends of series" in recording.communicate(timeout=30)[0]
    assert recording.returncode == 0
    found = plain(Dump(file).read())
    assert found.pop(("late", ())) == [(now, "7.0")]
    assert samples(found) == samples(plain(recorded))
    again = record(server, file, "--append", "--for", "0s")
    assert again.communicate(timeout=30)[0].startswith(f"{file}: ")
    assert samples(plain(Dump(file).read())) == samples({**found, ("late", ()): [(now, "7.0")]})


def record(server: Server, file: Path, *options: str) -> subprocess.Popen[str]:
    """The command, as a person starts it."""
    words = [
        sys.executable,
        "-m",
        "agent",
        "record",
        str(file),
        "--agent",
        f"http://127.0.0.1:{server._port}",
    ]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*words, *options], stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=dict(os.environ)
    )


def written(part: Path) -> bytes:
    """What a recording under way holds so far."""
    return b"\n".join(line for lines in pieces(part, lambda: "", cut=True) for line in lines)


def until(what: str, holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition, and say which never came."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)


def samples(found: Plain) -> Plain:
    """Without the ends."""
    return {key: [row for row in each if row[1] != "stale"] for key, each in found.items()}


def ends(found: Plain) -> Plain:
    """Nothing else."""
    return {key: [row for row in each if row[1] == "stale"] for key, each in found.items()}
