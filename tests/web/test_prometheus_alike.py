"""The same questions to an agent and to a real Prometheus: the same JSON comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from debian_prometheus import program
from fake_surface import NOW, FakeSurface
from prometheus_samples import lines, store
from prometheus_server import Server as RealServer

from agent.web.server import Server

AT = NOW / 1000 + 1  # between samples: before 3.0 Prometheus's windows were closed on both sides
Pairs = list[tuple[str, str]]
EVER = [("start", f"{AT - 3_600}"), ("end", f"{AT}")]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with RealServer(program("prometheus"), tmp_path_factory.mktemp("prometheus")) as server:
        server.write(lines())
        yield server


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    surface = FakeSurface()
    surface.series = store()
    server = Server(surface, listen="127.0.0.1:0", path=tmp_path / "s", state=tmp_path)
    yield await server.start()
    await server.close()


def query(text: str, at: float = AT) -> tuple[str, Pairs]:
    return "query", [("query", text), ("time", f"{at}")]


def ranged(text: str, step: str = "15") -> tuple[str, Pairs]:
    return "query_range", [("query", text), ("start", f"{AT - 300}"), ("end", f"{AT}"), ("step", step)]


@pytest.mark.parametrize(
    ("path", "pairs"),
    [
        query("odd"),
        query("odd * 3"),
        query("up"),
        query("up[1m]"),
        query("nothing"),
        query("nothing[1m]"),
        query("1 / 3"),
        query("-1 / 0"),
        query('"text ü"'),
        query("sum by (host) (rate(work_total[5m]))"),
        query("late[2m]", NOW / 1000 + 0.123),
        ("query", [("query", "time()"), ("time", "2026-09-21T14:13:20.5Z")]),
        query("up and on () vector(1)"),
        ranged("up"),
        ranged("late"),
        ranged("odd", "1m"),
        ranged("nothing"),
        ranged("1"),
        ranged("sum(work_total) by (path)", "7.5"),
        ("series", [("match[]", "up"), ("match[]", '{path="/d1"}'), *EVER]),
        ("series", [("match[]", "nothing"), *EVER]),
        ("labels", EVER),
        ("labels", [("match[]", '{__name__=~"w.*"}'), *EVER]),
        ("label/host/values", EVER),
        ("label/__name__/values", EVER),
        ("label/nobody/values", EVER),
        ("label/path/values", [("match[]", 'work_total{host="a"}'), *EVER]),
        ("query_exemplars", [("query", "up"), *EVER]),
        # what is refused
        query("up{"),
        query("sum("),
        query("up * on(job) up"),
        query('label_replace(up, "host", "x", "", "")'),
        ("query", [("query", "up"), ("time", "x")]),
        ("query", [("query", "up"), ("timeout", "x")]),
        ("query_range", [("query", "up"), ("start", "5"), ("end", "4"), ("step", "1")]),
        ("query_range", [("query", "up"), ("start", "4"), ("end", "5"), ("step", "0")]),
        ("query_range", [("query", "up"), ("start", "4"), ("end", "5"), ("step", "x")]),
        ("query_range", [("query", "up"), ("start", "0"), ("end", "99999"), ("step", "1")]),
        ("query_range", [("query", "up[5m]"), ("start", "4"), ("end", "5"), ("step", "1")]),
        ("query_range", [("query", '"a"'), ("start", "4"), ("end", "5"), ("step", "1")]),
        ("series", []),
        ("series", [("match[]", "{}")]),
        ("labels", [("match[]", "up[5m]")]),
        ("rules", [("type", "x")]),
    ],
)
async def test_the_same_is_answered(address: str, real: RealServer, path: str, pairs: Pairs) -> None:
    """Status and body; of errors the type, since words about expressions are the parser's own."""
    ours, theirs = [
        await asked(f"http://{where}/api/v1/{path}?{urlencode(pairs)}")
        for where in (address, f"127.0.0.1:{real._port}")
    ]
    assert ours == theirs


async def asked(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        told = json.loads(await answer.read())
    assert answer.content_type == "application/json"
    data = told.get("data")
    if isinstance(data, list) and data and isinstance(data[0], dict):  # series come in no order
        data.sort(key=lambda labels: sorted(labels.items()))
    elif isinstance(data, dict) and isinstance(data["result"], list) and data["resultType"] == "vector":
        data["result"].sort(key=lambda cell: sorted(cell["metric"].items()))
    if told["status"] == "error":
        assert told.pop("error")
    return answer.status, told
