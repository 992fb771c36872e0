"""`ottla rules check --agent`: what a running agent has nothing of, asked over its real API."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake_surface import NOW, FakeSurface

from agent.commands.rules import rules
from agent.model import Sample
from agent.web.server import Server

RULES = """\
groups:
  - name: g
    rules:
      - alert: A
        expr: |
          host_log_dir_used_ratio{path="/a"} > 0.85
          or host_log_dir_used_ratio{path="/b"} > 0.85
          or rate(kafka_server_replicamanager_isrshrinks_total[5m] offset 1m) > 1
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's path."""
    path = Path(tempfile.mkdtemp(prefix="ottla-"))
    (path / "alerts.yml").write_text(RULES)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def agent(folder: Path) -> AsyncIterator[Server]:
    """An agent that has one of the series."""
    surface = FakeSurface()
    surface.series.add([Sample("host_log_dir_used_ratio", (("path", "/a"),), NOW - 1000, 0.5)])
    server = Server(surface, listen="127.0.0.1:0", path=folder / "s", state=folder)
    await server.start()
    yield server
    await server.close()


async def check(*args: str | Path) -> Result:
    """Run the command in a thread, as the server runs on the loop."""
    return await asyncio.to_thread(CliRunner().invoke, rules, ["check", *map(str, args)])


async def test_selectors_without_series_are_told_over_the_socket(agent: Server, folder: Path) -> None:
    """Each with its place; what it has is not told."""
    result = await check(folder / "alerts.yml", "--socket", folder / "s")
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if "[blind-here]" in line]
    assert [line.split(": ", 1)[0].rpartition("/")[2] for line in lines] == [
        "alerts.yml:7:14",
        "alerts.yml:8:19",
    ]
    assert 'the agent has no series for host_log_dir_used_ratio{path="/b"}' in lines[0]


async def test_the_same_over_http_and_strict_fails(agent: Server, folder: Path) -> None:
    """A gate before a rule goes out to hosts."""
    url = f"http://{(folder / 'http.address').read_text().strip()}"
    result = await check(folder / "alerts.yml", "--agent", url, "--strict")
    assert (result.exit_code, result.stdout.count("[blind-here]")) == (1, 2)


async def test_nobody_there_is_exit_3_and_a_bad_address_exit_2(folder: Path) -> None:
    """Neither is a mistake in the rules."""
    assert (await check(folder / "alerts.yml", "--socket", folder / "none")).exit_code == 3
    assert (await check(folder / "alerts.yml", "--agent", "ftp://x")).exit_code == 2
