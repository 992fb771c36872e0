"""Two exporters give one name, and one of them is down about the agent's restart."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from exporters import Exporter
from rule_files import SPECS, write

from agent.assembly.eyes import Eyes
from agent.config import load
from agent.daemon.loop import Daemon
from agent.daemon.reload import Rules
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
        self.now = now
        rules = Rules(load_rules([write(folder, alerts=RULES)], SPECS), Names({}))
        others: Any = SimpleNamespace(select=lambda names: None, facts=None)
        self._eyes = Eyes(load(folder / "ottla.yml"), others, others, others, ())
        self.sight = self._eyes.sight(rules)
        self._eyes.series.want(self.sight.windows)
        if former is not None:
            restore(self._eyes.series, io.BytesIO(b"".join(written(former._eyes.series, set()))), now)
            self.sight.resume(former.sight.alerts.keep())
            self._eyes.go_on(rules, self.sight)
        self._eyes.look(rules, self.sight)
        means: Any = SimpleNamespace(clock=lambda: self.now)
        exporters = [each for each in self._eyes.sources if isinstance(each, Exposition)]
        daemon = Daemon(means, self.sight, unread=[each.name for each in exporters])
        self._all = [
            Polling(each, lambda samples: daemon.take(samples, self.now), lambda: self.now)
            for each in exporters
        ]

    async def read(self, readings: int) -> tuple[list[AlertState], str]:
        """The alerts' states after so many of each exporter, and the rule's health."""
        for _ in range(readings):
            self.now += EVERY
            for polling in self._all:
                await polling.once()
        states = [alert.state for alert in self.sight.alerts.active()]
        return states, str(self.sight.alerts.health("Bad"))


async def test_what_an_exporter_gave_before_the_restart_rests_on_it(tmp_path: Path) -> None:
    """Nothing is concluded while it does not answer; one that never gave the name is waited for by nobody."""
    first, second = Exporter(), Exporter()
    first.text, second.text = 'pool_bad{pool="a"} 0\n', 'pool_bad{pool="b"} 1\n'
    async with first.running(), second.running():
        (tmp_path / "ottla.yml").write_text(CONFIG.format(first=first.url, second=second.url))
        life = Life(tmp_path, 10_000_000_000)
        assert await life.read(3) == ([AlertState.FIRING], "ok")

        second.reply = lambda: web.Response(status=500)
        life = Life(tmp_path, life.now + 2 * EVERY, life)
        for _ in range(2):
            assert await life.read(100) == ([AlertState.FIRING], "failing")

        second.reply, second.text = None, 'pool_good{pool="b"} 1\n'
        assert await life.read(2) == ([], "ok")

        first.text, second.reply = 'pool_bad{pool="a"} 1\n', lambda: web.Response(status=500)
        assert await life.read(3) == ([AlertState.FIRING], "ok")
        life = Life(tmp_path, life.now + 2 * EVERY, life)
        first.text = 'pool_bad{pool="c"} 0\n'
        assert await life.read(2) == ([], "ok"), "what the first one gave has ended"
