"""Two exporters give one name, and one of them is down about the agent's restart."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from exporters import Exporter
from log_memory import Memory
from rule_files import SPECS, write

from agent.assembly.eyes import Eyes
from agent.assembly.given import Given
from agent.assembly.service import make_service
from agent.config import load
from agent.daemon.loop import Daemon
from agent.daemon.reload import Rules
from agent.journal import Journal
from agent.model import AlertState
from agent.rulebook import load as load_rules
from agent.series.snapshot import restore, written
from agent.sources.exposition import Exposition
from agent.sources.names import Names
from agent.sources.schedule import Polling

CONFIG = """
bootstrap_servers: ["127.0.0.1:1"]
rules: disk
broker: {{node_id: 1, log_dirs: [data]}}
state: state
socket: ottla.sock
exposition:
  - {{name: first, url: "{first}", labels: {{job: first}}}}
  - {{name: second, url: "{second}", labels: {{job: second}}}}
"""
RULES = "groups:\n  - name: all\n    rules:\n      - {alert: Bad, expr: pool_bad == 1}\n"
EVERY = 5_000


class Life:
    """An agent that sees by exporters alone."""

    def __init__(self, folder: Path, now: int, former: Life | None = None) -> None:
        self.now, self._folder = now, folder
        rules = Rules(load_rules([write(folder, alerts=RULES)], SPECS), Names({}))
        others: Any = SimpleNamespace(select=lambda names: None, facts=None)
        self._eyes = Eyes(load(folder / "ottla.yml"), others, others, others, ())
        self.sight = self._eyes.sight(rules)
        self._eyes.series.want(self.sight.windows)
        if former is not None:
            restore(self._eyes.series, io.BytesIO(b"".join(written(former._eyes.series, set()))), now)
            self.sight.resume(former.sight.alerts.keep())
        self.memory: Memory = Memory() if former is None else former.memory
        self.given = Given(self._eyes.exporters, self.memory)
        self._eyes.look(rules, self.sight)
        means: Any = SimpleNamespace(clock=lambda: self.now)
        exporters = [each for each in self._eyes.sources if isinstance(each, Exposition)]
        daemon = Daemon(means, self.sight, unread=[each.name for each in exporters])
        self._all = [
            Polling(each, lambda samples: daemon.take(samples, self.now), lambda: self.now)
            for each in exporters
        ]

    async def again(self) -> Life:
        """The next one, after ten seconds."""
        await self.given.keep()
        life = Life(self._folder, self.now + 2 * EVERY, self)
        await life.given.load()
        return life

    async def read(self, readings: int) -> tuple[list[AlertState], str]:
        """The alerts' states after so many of each exporter, and the rule's health."""
        for _ in range(readings):
            self.now += EVERY
            for polling in self._all:
                await polling.once()
        states = [alert.state for alert in self.sight.alerts.active()]
        return states, str(self.sight.alerts.health("Bad"))


@pytest.mark.parametrize("failed", [0, 1, 100])
async def test_what_an_exporter_gave_before_the_restart_rests_on_it(tmp_path: Path, failed: int) -> None:
    """Nothing is concluded while it does not answer, be it since before the restart, and for longer than its
    series are remembered; one that never gave the name is waited for by nobody."""
    first, second = Exporter(), Exporter()
    first.text, second.text = 'pool_bad{pool="a"} 0\n', 'pool_bad{pool="b"} 1\n'
    async with first.running(), second.running():
        (tmp_path / "ottla.yml").write_text(CONFIG.format(first=first.url, second=second.url))
        life = Life(tmp_path, 10_000_000_000)
        assert await life.read(3) == ([AlertState.FIRING], "ok")

        second.reply = lambda: web.Response(status=500)
        if failed:
            assert await life.read(failed) == ([AlertState.FIRING], "failing")
        life = await life.again()
        for _ in range(2):
            assert await life.read(100) == ([AlertState.FIRING], "failing")

        second.reply, second.text = None, 'pool_good{pool="b"} 1\n'
        assert await life.read(2) == ([], "ok")

        first.text, second.reply = 'pool_bad{pool="a"} 1\n', lambda: web.Response(status=500)
        assert await life.read(3) == ([AlertState.FIRING], "ok")
        life = await life.again()
        first.text = 'pool_bad{pool="c"} 0\n'
        assert await life.read(2) == ([], "ok"), "what the first one gave has ended"


async def test_what_cannot_be_read_of_the_former_life_is_found_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps no agent from starting, and is saved again."""
    first = Exporter()
    first.text = 'pool_bad{pool="a"} 1\n'
    async with first.running():
        (tmp_path / "ottla.yml").write_text(CONFIG.format(first=first.url, second="http://127.0.0.1:1"))
        life = Life(tmp_path, 10_000_000_000)
        life.memory.value = b"[]"
        await life.given.load()
        assert "is found anew" in caplog.text
        assert await life.read(2) == ([AlertState.FIRING], "ok")
        await life.given.keep()
        assert life.memory.value == b'{"first":["pool_bad"],"second":[]}'


async def test_an_agent_goes_on_from_it_and_saves_it() -> None:
    """Through its journal, though no exporter answers; of one that is configured no more nothing stays."""
    with TemporaryDirectory(prefix="ottla-") as short:  # as a socket's path is
        folder = Path(short)
        write(folder, alerts=RULES)
        (folder / "ottla.yml").write_text(
            CONFIG.format(first="http://127.0.0.1:1", second="http://127.0.0.1:1")
        )
        journal = Journal(folder / "state")
        await journal.open()
        await journal.save("exporters", b'{"first":["pool_bad"],"gone":["pool_bad"]}')
        await journal.close()

        service = await make_service(load(folder / "ottla.yml"))
        async with asyncio.timeout(60):
            await service.run(lambda _: service.desk.end.set())

        await journal.open()
        assert await journal.load("exporters") == b'{"first":["pool_bad"],"second":[]}'
        await journal.close()
