"""What reading 23 MB of exposition costs: 200,000 lines as jmx_exporter writes them, 16 names wanted or all.

Beside it client_python's parser on the same bytes, and Debian's Prometheus scraping the same file. Ours and
the parser run in processes of their own, so that the peak of their memory is theirs. Targets: 20 ms of
processor time for 16 names once the bytes are in, 150 ms for all.
"""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from debian_prometheus import find
from prometheus_client.parser import text_string_to_metric_families
from prometheus_server import Server

from agent.model import Sample
from agent.sources.exposition import Exposition
from agent.sources.exposition_body import Wanted
from agent.sources.exposition_http import PIECE, Target
from agent.sources.exposition_series import Known
from agent.sources.exposition_text import Reader

# Of each kind how many families there are, the series of each, and the families of them that are wanted: 16.
KINDS = {
    "partition": (30, 4_000, 2),
    "topic": (180, 200, 4),
    "request": (120, 300, 4),
    "gauge": (2_000, 1, 6),
}
ROUNDS = 9
SCRAPES, EVERY_S = 8, 4
_ROOT = Path(__file__).parents[2]
_DEADLINE_S = 240


def main() -> None:
    """A line a figure; where no Prometheus is to be had, without it."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for number in range(2):
            (folder / f"body{number}").write_bytes(_body(number))
        body = (folder / "body0").read_bytes()
        print(f"the body                                    {len(body) / 1e6:8.1f} MB, {_lines(body)} lines")
        _tell("16 names", _run("names", folder))
        _tell("all names", _run("all", folder))
        client = _run("client", folder)
        print(f"client_python, all names: CPU               {client['cpu']:8.0f} ms")
        print(f"client_python, all names: peak RSS          {_memory(client)}")
        with _served(folder) as port:
            there = _run("http", folder, str(port))
            print(f"16 names, received over loopback: CPU       {there['cpu']:8.0f} ms")
            print(f"16 names, received over loopback: wall      {there['wall']:8.0f} ms")
            print(f"16 names, received over loopback: peak RSS  {_memory(there)}")
            programs, why = find()
            if programs is None:
                print(f"nothing to compare with: {why}")
                return
            (folder / "prometheus").mkdir()
            _prometheus(str(programs / "prometheus"), folder / "prometheus", port)


def _tell(what: str, own: dict[str, float]) -> None:
    print(
        f"{what + ', ours: CPU once the bytes are in':42}  {own['cpu']:8.1f} ms  ({own['count']:.0f} series)"
    )
    print(f"{what + ', ours: the same with the samples':42}  {own['samples']:8.1f} ms")
    print(f"{what + ', ours: the first time':42}  {own['first']:8.0f} ms")
    print(f"{what + ', ours: longest piece':42}  {own['longest']:8.1f} ms")
    print(f"{what + ', ours: peak RSS':42}  {_memory(own)}")


def _memory(own: dict[str, float]) -> str:
    return f"{own['rss']:8.0f} MiB, {own['before']:.0f} before the first"


def _run(what: str, folder: Path, *more: str) -> dict[str, float]:
    """One of the measurements, in a process of its own."""
    path = os.pathsep.join(map(str, (_ROOT, _ROOT / "tests")))
    command = [sys.executable, __file__, what, str(folder), *more]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, stdout=-1, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _ours(folder: Path, names: frozenset[str] | None) -> dict[str, float]:
    """Bodies whose values change from one to the next."""
    bodies = [list(_pieces(folder / f"body{number}")) for number in range(2)]
    known, wanted = Known(), Wanted(names)
    cpu, both, longest, count = [], [], [], 0
    for turn in range(ROUNDS):
        begun, slowest = time.process_time(), 0.0
        reader = Reader(known, wanted, whole=turn == 0)
        for piece in bodies[turn % 2]:
            at = time.perf_counter()
            reader.feed(piece)
            slowest = max(slowest, time.perf_counter() - at)
        body = reader.end()
        read = time.process_time()
        pairs = zip(body.rows.tolist(), body.values.tolist(), strict=True)
        named = ((*known.series[row], value) for row, value in pairs)
        samples = [Sample(name, labels, 0, value) for name, labels, value in named]
        cpu.append(read - begun)
        both.append(time.process_time() - begun)
        longest.append(slowest)
        count = len(samples)
    return {
        "cpu": 1e3 * min(cpu[2:]),  # the others met somebody else's work
        "samples": 1e3 * min(both[2:]),
        "first": 1e3 * cpu[0],
        "longest": 1e3 * median(longest[2:]),
        "count": count,
    }


def _client(folder: Path) -> dict[str, float]:
    text = (folder / "body0").read_text()
    begun = time.process_time()
    count = sum(len(family.samples) for family in text_string_to_metric_families(text))
    return {"cpu": 1e3 * (time.process_time() - begun), "count": count}


async def _http(port: int) -> dict[str, float]:
    """The whole reading, connection and all; the exporter does not honour name[]."""
    source = Exposition(Target(f"http://127.0.0.1:{port}/body", max_body=64 << 20), 1_000, deadline=60)
    source.select(_names())
    cpu, wall = [], []
    for _ in range(ROUNDS):
        begun, at = time.process_time(), time.perf_counter()
        await source.read(0)
        cpu.append(time.process_time() - begun)
        wall.append(time.perf_counter() - at)
    return {"cpu": 1e3 * median(cpu[2:]), "wall": 1e3 * median(wall[2:])}


def _prometheus(program: str, folder: Path, port: int) -> None:
    config = f"""
scrape_configs:
  - job_name: bench
    scrape_interval: {EVERY_S}s
    scrape_timeout: {EVERY_S}s
    metrics_path: /body
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
    with Server(program, folder, config) as server:
        _until_scraped(server, 3)  # the first ones make the series
        used, at = server.cpu_seconds(), _scrapes(server)
        _until_scraped(server, at + SCRAPES)
        cpu = (server.cpu_seconds() - used) / (_scrapes(server) - at)
        took = server.api("query", query="quantile_over_time(0.5, scrape_duration_seconds[30s])")
        seconds = float(took["result"][0]["value"][1])
        print(f"Prometheus {server.version}, all names: CPU a scrape {1e3 * cpu:8.0f} ms")
        print(f"Prometheus, scrape_duration_seconds         {1e3 * seconds:8.0f} ms")
        print(f"Prometheus, peak RSS                        {server.peak_mib():8.0f} MiB")


def _scrapes(server: Server) -> int:
    found = server.api("query", query="count_over_time(up[1h])")["result"]
    return int(found[0]["value"][1]) if found else 0


def _until_scraped(server: Server, times: int) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while _scrapes(server) < times:
        if time.monotonic() > deadline:
            raise AssertionError(f"Prometheus has not scraped {times} times in {_DEADLINE_S} s")
        time.sleep(0.5)


class _served:  # noqa: N801 used like a function
    """The body over HTTP, from a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> int:
        handler = functools.partial(_Handler, body=(self._folder / "body0").read_bytes())
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server.server_address[1]

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, *arguments: Any, body: bytes) -> None:
        self._body = body
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(self._body)))
        self.end_headers()
        self.wfile.write(self._body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 its name there
        """Nothing."""


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _family(kind: str, number: int) -> str:
    return f"kafka_server_brokertopicmetrics_{kind}{number}_total"


def _names() -> frozenset[str]:
    return frozenset(_family(kind, n) for kind, (_, _, wanted) in KINDS.items() for n in range(wanted))


def _families() -> list[tuple[str, int]]:
    """Name and series of each, in an order that puts none of them together."""
    found = [(_family(kind, n), series) for kind, (count, series, _) in KINDS.items() for n in range(count)]
    random.Random(7).shuffle(found)
    return found


def _body(seed: int) -> bytes:
    """Always the same series; two of three values change with the seed."""
    dice, lines = random.Random(seed), []
    for name, size in _families():
        lines.append(f"# HELP {name} Attribute exposed for management kafka.server:name=None,type=Topics")
        lines.append(f"# TYPE {name} counter")
        for series in range(size):
            labels = f'topic="topic-{series // 12}-orders",partition="{series % 12}",clientId="x y"'
            value = "0.0" if series % 3 == 0 else repr(dice.random() * 1e9)
            lines.append(f"{name}{{{labels}}} {value}")
    return "".join(f"{line}\n" for line in lines).encode()


def _lines(body: bytes) -> int:
    return body.count(b"\n")


def _child(what: str, folder: Path, more: list[str]) -> None:
    measures: dict[str, Callable[[], dict[str, float]]] = {
        "names": lambda: _ours(folder, _names()),
        "all": lambda: _ours(folder, None),
        "client": lambda: _client(folder),
        "http": lambda: asyncio.run(_http(int(more[0]))),
    }
    before = _peak()
    found = measures[what]() | {"before": before}
    found["rss"] = _peak()
    print(json.dumps(found))


def _peak() -> float:
    """MiB of resident memory at most; getrusage would tell the parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
