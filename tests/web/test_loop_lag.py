"""The agent's loop goes on while its threads compute: heavy queries over HTTP, and its lag meanwhile."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_surface import NOW, FakeSurface

from agent.daemon.interpreter import settle
from agent.model import Sample, labels_of
from agent.series import Series
from agent.web.server import Server

P99_MS, MAX_MS = 10.0, 50.0
SPIN_MS = 5.0  # a loop that lags more beside a thread that only counts shows other processes' load, not ours
TRIES = 8
MATCH = {"query": "left * on (i) right", "time": NOW / 1000}
SUBQUERY = {"query": "max_over_time(rate(work_total[5m])[1h:15s])", "time": NOW / 1000}

# Another process, so that only the server's share of the work is on this interpreter.
CLIENT = """
import json, sys, urllib.parse, urllib.request
from concurrent.futures import ThreadPoolExecutor
address, queries = sys.argv[1], json.loads(sys.argv[2])
def ask(form):
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"http://{address}/api/v1/query", body, timeout=60) as answer:
        return len(json.loads(answer.read())["data"]["result"])
print("ready", flush=True)
with ThreadPoolExecutor(4) as pool:
    print(json.dumps(list(pool.map(ask, queries))))
"""


@pytest.fixture
def _settled() -> Iterator[None]:
    """As `ottla run` sets the interpreter, for this test only."""
    before = sys.getswitchinterval()
    settle()
    yield
    sys.setswitchinterval(before)
    gc.unfreeze()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[str, FakeSurface]]:
    """10,000 series on either side of a match, and 200 with an hour and more at 15 s."""
    surface = FakeSurface()
    surface.series = Series(2 * 3_600_000, limit=25_000)
    for name in ("left", "right"):
        surface.series.add(Sample(name, labels_of({"i": f"{i}"}), NOW, 1.0) for i in range(10_000))
    for at in range(NOW - 4_200_000, NOW, 15_000):
        surface.series.add(Sample("work_total", labels_of({"i": f"{i}"}), at, at * i) for i in range(200))
    made = Server(surface, listen="127.0.0.1:0", path=tmp_path / "s", state=tmp_path)
    yield await made.start(), surface
    await made.close()


async def lags_while(address: str, surface: FakeSurface) -> list[float]:
    """How late (ms) a waiting task came, every 2 ms, while the queries ran and samples came in."""
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, address, json.dumps([MATCH, SUBQUERY] * 4), stdout=-1
    )
    assert client.stdout is not None
    await client.stdout.readline()
    answered = asyncio.create_task(client.communicate())
    lags, at = [], NOW
    while not answered.done():
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        at += 2
        surface.series.add([Sample("fresh", labels_of({"i": f"{i}"}), at, 1.0) for i in range(50)])
        surface.series.add([Sample("right", labels_of({"i": f"new {at}"}), at, 1.0)])  # nothing is remembered
        lags.append((time.perf_counter() - began - 0.002) * 1000)
    assert json.loads((await answered)[0]) == [10_000, 200] * 4
    return lags


@pytest.mark.e2e  # needs no cluster, but the machine's cores: beside other tests it would measure those
@pytest.mark.usefixtures("_settled")
async def test_heavy_queries_do_not_stop_the_loop(server: tuple[str, FakeSurface]) -> None:
    """A match of 10,000 with 10,000 series and a subquery of an hour, asked four times each, four at once.

    A try counts where the machine is quiet before and after it; the second that lags is a failure.
    """
    seen, lagged = [], 0
    for _ in range(TRIES):
        if (spun := await spinning_lag()) > SPIN_MS:
            seen.append(f"beside a counting thread: p99 {spun:.1f} ms")
            continue
        lags = await lags_while(*server)
        p99, worst = float(np.percentile(lags, 99)), max(lags)
        seen.append(f"p99 {p99:.1f} ms, at most {worst:.1f} ms of {len(lags)}")
        print(seen[-1])
        if p99 <= P99_MS and worst <= MAX_MS:
            return
        lagged += await spinning_lag() <= SPIN_MS
        assert lagged < 2, f"the loop lagged: {seen}"
    pytest.skip(f"this machine is too busy to tell: {seen}")


async def spinning_lag() -> float:
    """The 99th percentile (ms) beside a thread that only counts: what this machine makes of a busy thread."""
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            pass

    thread = threading.Thread(target=count)
    thread.start()
    lags = []
    for _ in range(250):
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append((time.perf_counter() - began - 0.002) * 1000)
    over.set()
    thread.join()
    return float(np.percentile(lags, 99))
