"""A scene on the shared lab: agents with rules of their own, and waits that have a deadline."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.history import replay
from agent.journal import JournalFailed, read
from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.lab.agents import Agent, Agents
from agent.lab.cluster import Lab
from agent.model import Entry, Kind

ROOT = Path(__file__).parent.parent
ENDS = {Kind.CLOSED, Kind.WITHDRAWN, Kind.ESCALATED}
DRAIN = """
owner: test
remedies:
  LogDirFillingUp:
    mode: act
    target: path
    steps:
      - do: drain_disk
        with: {{log_dir: $path, until_used_ratio: 0.74, rate: {rate}}}
        verify: {{expr: 'host_log_dir_used_ratio{{path="$path"}} < 0.75', within: 90s, stable_for: 2s}}
      - do: escalate
    limits: {{cooldown: 1s, per_host: 20/1h}}
"""
FULL = """
groups:
  - name: disk
    rules:
      - {alert: LogDirFillingUp, expr: host_log_dir_used_ratio > 0.85, for: 1s}
"""


@dataclass
class Scene:
    """One test's agents on the lab."""

    lab: Lab
    agents: Agents
    admin: Admin

    async def agent(self, broker: int) -> Agent:
        """Start an agent and wait until it is ready."""
        return await self.agents.start(broker)

    def write_rules(self, alerts: str, remedies: str) -> None:
        """Replace the rules of all agents of this scene."""
        (self.agents.rules / "alerts.yml").write_text(alerts)
        (self.agents.rules / "remedies.yml").write_text(remedies)

    def ottla(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person would."""
        command = [sys.executable, "-m", "agent", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)

    def asked(self, agent: Agent, name: str) -> dict[str, Any]:
        """What `ottla NAME -o json` of a running agent says."""
        done = self.ottla(name, "--socket", str(agent.socket), "-o", "json")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    async def configs(self, resource: str, *keys: str) -> dict[str, str]:
        """What is set dynamically at the resource now."""
        return dict(await self.admin.configs(resource, keys))


def entries(agent: Agent, alert: str = "") -> list[Entry]:
    """What the agent's journal holds of one alert."""
    try:
        return [e for e in read(agent.state) if e.incident.startswith(f"{alert}/") or not alert]
    except JournalFailed:
        return []


def kinds(agent: Agent, alert: str) -> list[Kind]:
    """Only the kinds."""
    return [e.kind for e in entries(agent, alert)]


def nothing_stands(agent: Agent) -> bool:
    """Whether the undo journal is empty."""
    return not replay(entries(agent)).standing()


async def until(
    what: str,
    holds: Callable[[], bool] | Callable[[], Awaitable[bool]],
    seconds: float = 60,
    agent: Agent | None = None,
) -> None:
    """Wait for a condition; past the deadline say what was waited for and what the agent's journal holds."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = holds()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        told = [f"{e.kind}: {e.reason}" for e in entries(agent)][-12:] if agent else []
        raise AssertionError(f"waited {seconds:g} s for: {what}; the journal ends with {told}") from None


async def closed(agent: Agent, alert: str, seconds: float = 60) -> list[Kind]:
    """Wait for the end of the alert's first incident; the kinds of its entries."""
    await until(f"the end of {alert}", lambda: bool(ENDS & set(first(agent, alert))), seconds, agent)
    return first(agent, alert)


def first(agent: Agent, alert: str) -> list[Kind]:
    """The kinds of the first incident's entries: a later one of the same alert is another story."""
    told = entries(agent, alert)
    return [e.kind for e in told if e.incident == told[0].incident]


def open_scene(lab: Lab, name: str) -> Scene:
    """Agents that know nothing yet, with empty rules in a folder of the lab."""
    rules = lab.state / f"rules-{name}"
    rules.mkdir()
    for broker in lab.brokers:
        shutil.rmtree(lab.state / f"agent-{broker}", ignore_errors=True)
    return Scene(lab, Agents(lab, rules), Admin(lab.bootstrap, Security(), client_id="test"))
