"""Grafana's requests, exactly as docs/grafana.md shows them, get the answers that it shows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml
from fake_surface import FakeSurface

from agent.model import Alert, AlertRule, AlertState, Place, RuleHealth, RuleNow, Sample, labels_of
from agent.surface import grouped
from agent.web.prometheus_answers import API_VERSION
from agent.web.server import Server

PAGE = (Path(__file__).parents[2] / "docs" / "grafana.md").read_text()
NOW = 1_790_000_120_000  # the end of the page's panels


@dataclass(frozen=True)
class Exchange:
    """A request, and how its answer begins."""

    method: str
    path: str
    body: str
    status: int
    begins: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body}"


def exchanges() -> Iterator[Exchange]:
    """Every block of the page: request line, body, an empty line, status and how the answer begins."""
    for block in re.findall(r"^```http\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        asked, told = block.rstrip("\n").split("\n\n")
        line, _, body = asked.partition("\n")
        method, _, path = line.partition(" ")
        status, _, begins = told.partition(" ")
        yield Exchange(method, path, body, int(status), begins)


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Two series and a firing alert, as the page has them."""
    surface = FakeSurface()
    for at in range(NOW - 1_800_000, NOW + 1, 15_000):
        surface.series.add([Sample("up", labels_of({"host": "broker-2"}), at, 1.0)])
        surface.series.add([Sample("work_seconds_total", labels_of({"path": "/d1"}), at, at / 1000)])
    rule = AlertRule("LogDirFillingUp", "up == 1", 0, 0, (), (), "disk", Place("rules/alerts.yml", 4, 9))
    labels = (("alertname", "LogDirFillingUp"), ("host", "broker-2"))
    alert = Alert("LogDirFillingUp", labels, AlertState.FIRING, NOW - 60_000, 1.0)
    surface.rule_groups = grouped([RuleNow(rule, RuleHealth.OK, "", (alert,), NOW)], 5_000)
    server = Server(surface, listen="127.0.0.1:0", path=tmp_path / "s", state=tmp_path)
    yield await server.start()
    await server.close()


def test_the_page_shows_every_way_of_asking() -> None:
    assert len(list(exchanges())) == 19


@pytest.mark.parametrize("exchange", list(exchanges()), ids=str)
async def test_grafana_gets_what_the_page_shows(address: str, exchange: Exchange) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if exchange.method == "POST" else {}
    async with (
        aiohttp.ClientSession(headers=headers | {"Accept-Encoding": "gzip"}) as client,
        client.request(
            exchange.method, f"http://{address}{exchange.path}", data=exchange.body or None
        ) as answer,
    ):
        text = await answer.text()
    assert answer.status == exchange.status
    assert text.startswith(exchange.begins), text[:400]


def test_the_data_source_is_what_grafana_reads() -> None:
    """Valid YAML, asking the agent's default address by POST for the version whose API it is."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (source,) = yaml.safe_load(block)["datasources"]
    assert (source["type"], source["access"], source["url"]) == (
        "prometheus",
        "proxy",
        "http://127.0.0.1:9901",
    )
    assert source["jsonData"]["httpMethod"] == "POST"
    assert source["jsonData"]["prometheusVersion"] == API_VERSION
