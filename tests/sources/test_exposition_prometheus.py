"""A real Prometheus scrapes the same bodies as we do: the same ones are refused, and the same series end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from debian_prometheus import program
from prometheus_server import Server

from agent.model import Labels, Sample
from agent.series import Series
from agent.sources.exposition import Exposition
from agent.sources.exposition_http import Target
from agent.sources.schedule import Polling

TEXT, OPENMETRICS = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"
NAMES = frozenset({"a", "b_total", "c_count"})
LOOKBACK_MS = 300_000
_DEADLINE_S = 60
CASES: dict[str, tuple[str, str, str]] = {  # what is exposed at first, then, and at last; empty: HTTP 500
    "gone": ('a{x="1"} 1\na{x="2"} 2\n', 'a{x="2"} 3\n', 'a{x="1"} 4\na{x="2"} 5\n'),
    "failed": ("a 1\nb_total 2\n", "", "a 3\nb_total 4\n"),
    "malformed": ("a 1\nb_total 2\n", "b_total x\na 2\n", "a 3\n"),
    "cut": ("a 1\n", "a 2\nb_total 1", "a 3\n"),
    "labels_twice": ("a 1\n", 'a{x="1",x="2"} 2\n', "a 3\n"),
    "twice": ('a{x="1",y="2"} 1\n', 'a{x="1",y="2"} 2\na{y="2",x="1"} 3\n', "a 4\n"),
    "odd": ('a{x="} 1 # {"} 1\n', 'a{x="\\"\\\\\\n,",} 2\n\n# any\n', "a\tNaN\nb_total +Inf\nc_count -0\n"),
    "blanks": ('a 1 \na {x="1"}   2\t\n', "a  3\n", 'a{ x = "1" , y="2" } 4\n'),
    "underscore": ("a 1\n", "a 1_0\n", "a 0x1p-2x\n"),
    "return": ("a 1\n", "a 2\r\n", "a 3\n"),
    "exemplar": ("a 1\n", 'a 2 # {x="1"} 1\n', "a 3\n"),
    "empty_label": ('a{x=""} 1\n', 'a{x="",y="1"} 2\n', "a 3\n"),
    "unlike": ("# TYPE a gauge\na 1\n# TYPE a gauge\nb_total 1\n", "# TYPE a\na 2\n", "a 3\n"),
    "om": ("a 1\n# EOF\n", 'b_total 2 # {t="}"} 1\n# EOF\n', "a 3\n"),
    "om_after": ("b_total 1\n# EOF\n", "a 2\n# EOF\na 3\n", "a 4\n# EOF\n"),
}


class Pages:
    """Every case at a path of its own, all at the same step."""

    def __init__(self) -> None:
        self.step = 0

    async def handle(self, request: web.Request) -> web.Response:
        """One scrape."""
        case = request.match_info["case"]
        text = CASES[case][self.step]
        kind = OPENMETRICS if case.startswith("om") else TEXT
        return web.Response(body=text.encode(), headers={"Content-Type": kind}, status=200 if text else 500)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Its port."""
        app = web.Application()
        app.router.add_get("/{case}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
        await runner.cleanup()


def config(port: int) -> str:
    """A job a case."""
    jobs = "".join(
        f"  - {{job_name: {case}, metrics_path: /{case}, scrape_interval: 500ms, scrape_timeout: 500ms,"
        f' static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}\n'
        for case in CASES
    )
    return f"scrape_configs:\n{jobs}"


Found = dict[tuple[str, Labels], str]


class Ours:
    """One case, as an agent would read it."""

    def __init__(self, case: str, port: int) -> None:
        self.series = Series(3_600_000)
        self._source = Exposition(Target(f"http://127.0.0.1:{port}/{case}"), 1000)
        self._source.select(NAMES)
        self._now = 0
        self._polling = Polling(self._source, self._take, lambda: self._now)

    def _take(self, samples: list[Sample]) -> None:
        self.series.add(samples)

    async def found(self, now: int) -> Found:
        """What an instant query shows after one more scrape."""
        self._now = now
        await self._polling.once()
        found: Found = {}
        for name in (*NAMES, "up"):
            newest = self.series.latest(name, (), now - LOOKBACK_MS, now)
            for labels, value, there in zip(newest.rows.labels, newest.values, newest.found, strict=True):
                if there:
                    found[name, tuple(pair for pair in labels if pair[0] != "__name__")] = shown(value)
        return found


def shown(value: float) -> str:
    """NaNs are the same."""
    return "NaN" if math.isnan(value) else repr(float(value))


def theirs(server: Server, case: str) -> Found:
    """The same in Prometheus, without what names the target."""
    query = f'{{__name__=~"{"|".join((*sorted(NAMES), "up"))}", job="{case}"}}'
    found: Found = {}
    for each in server.api("query", query=query)["result"]:
        labels = {k: v for k, v in each["metric"].items() if k not in ("__name__", "instance", "job")}
        found[each["metric"]["__name__"], tuple(sorted(labels.items()))] = shown(float(each["value"][1]))
    return found


async def test_the_same_series_live_and_end_as_in_prometheus(tmp_path: Path) -> None:
    """At each of three steps, in every case."""
    pages = Pages()
    async with pages.running() as port:
        server = await asyncio.to_thread(Server, program("prometheus"), tmp_path, config(port))
        try:
            ours = {case: Ours(case, port) for case in CASES}
            for pages.step in range(3):
                wanted = {case: await each.found(1_000 * (pages.step + 1)) for case, each in ours.items()}
                await agreed(server, wanted, pages.step)
        finally:
            await asyncio.to_thread(server.close)


async def agreed(server: Server, wanted: dict[str, Found], step: int) -> None:
    """Wait until Prometheus, which scrapes twice a second, says the same of every case."""
    until = asyncio.get_running_loop().time() + _DEADLINE_S
    left = dict(wanted)
    while left:
        found = {case: await asyncio.to_thread(theirs, server, case) for case in left}
        left = {case: found[case] for case in left if found[case] != wanted[case]}
        if left and asyncio.get_running_loop().time() > until:
            told = [f"{case}: ours {wanted[case]}, theirs {other}" for case, other in left.items()]
            pytest.fail(f"step {step}: " + "\n".join(told))
        await asyncio.sleep(0.2)
