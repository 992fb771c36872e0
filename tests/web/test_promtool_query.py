"""promtool, as it is, asks an agent: what people type, and what they see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from debian_prometheus import program
from fake_surface import NOW, FakeSurface
from prometheus_samples import store

from agent.web.server import Server

AT = f"{NOW / 1000:.3f}"
SINCE = f"{NOW / 1000 - 30:.3f}"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    surface = FakeSurface()
    surface.series = store()
    server = Server(surface, listen="127.0.0.1:0", path=tmp_path / "s", state=tmp_path)
    yield f"http://{await server.start()}"
    await server.close()


async def promtool(*words: str) -> tuple[int, str, str]:
    """Exit code, output and complaints of `promtool query`."""
    child = await asyncio.create_subprocess_exec(program("promtool"), "query", *words, stdout=-1, stderr=-1)
    out, err = await asyncio.wait_for(child.communicate(), 30)
    return child.returncode or 0, out.decode(), err.decode()


async def test_instant(url: str) -> None:
    """A vector, a line an element."""
    at = f"@[{NOW // 1000}]"
    code, out, err = await promtool("instant", f"--time={AT}", url, 'work_total{host="a"} * 2')
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f'{{host="a", path="/d1"}} => 160 {at}',
        f'{{host="a", path="/d2"}} => 240 {at}',
    ]


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("1 / 0", "scalar: +Inf"),
        ("early", ""),
        ('up{host="a"}[16s]', 'up{host="a", job="kafka"} =>'),
    ],
)
async def test_every_kind_of_result(url: str, expression: str, shown: str) -> None:
    code, out, err = await promtool("instant", f"--time={AT}", url, expression)
    assert (code, err) == (0, "")
    assert out.startswith(shown)


async def test_range(url: str) -> None:
    """The same series at each step, and JSON where it is asked for."""
    code, out, _ = await promtool(
        "range", f"--start={SINCE}", f"--end={AT}", "--step=15s", url, 'up{host="a"}'
    )
    assert code == 0
    assert out.splitlines()[0] == 'up{host="a", job="kafka"} =>'
    assert [line.split(" ")[0] for line in out.splitlines()[1:4]] == ["0", "1", "0"]
    code, out, _ = await promtool(
        "-o", "json", "range", f"--start={SINCE}", f"--end={AT}", "--step=15s", url, "sum(up)"
    )
    assert [value for _, value in json.loads(out)[0]["values"]] == ["0", "3", "0"]


async def test_series(url: str) -> None:
    """Of two selectors, without a time: whatever there is."""
    code, out, _ = await promtool("series", '--match=up{host="a"}', '--match={path="/d1", host!~"c.*"}', url)
    assert code == 0
    assert sorted(out.splitlines()) == [
        '{__name__="up", host="a", job="kafka"}',
        '{__name__="work_total", host="a", path="/d1"}',
        '{__name__="work_total", host="b", path="/d1"}',
    ]


async def test_labels(url: str) -> None:
    assert await promtool("labels", url, "path") == (0, "/d1\n/d2\n", "")
    assert await promtool("labels", "--match=up", url, "path") == (0, "", "")


async def test_what_is_refused_is_shown_as_prometheus_s_errors(url: str) -> None:
    """promtool reads type and words of the error; it fails."""
    code, _, err = await promtool("instant", url, "sum(up")
    assert code == 1
    assert err.startswith('query error: bad_data: invalid parameter "query": 1:')
    code, _, err = await promtool("instant", f"--time={AT}", url, "up * on(job) up")
    assert code == 1
    assert err.startswith("query error: execution: ")
