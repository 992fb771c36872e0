"""What stories of several agents on a real cluster share: a throttle that somebody forgot and an agent clears
under a claim, what agents say of the log, and labs of other sizes."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from scene import Scene, entries, open_scene, until
from untouched import untouched

from agent.kafka.configs import ConfigChange
from agent.kafka.metadata import PartitionInfo
from agent.lab.agents import Agent, configuration
from agent.lab.cluster import Lab
from agent.lab.plan import Size
from agent.model import Kind

TOPIC = "ottla-control"
RATE = "follower.replication.throttled.rate"
FORGOTTEN = "1000000"
ALERTS = f"""
groups:
  - name: throttles
    rules:
      - alert: Forgotten
        expr: max(kafka_admin_throttle_bytes_per_second{{key="{RATE}"}}) >= 0
        for: 1s
"""
REMEDIES = """
owner: test
remedies:
  Forgotten:
    mode: act
    target: alertname
    steps:
      - do: clear_leftover_throttle
        with: {{keys: [{key}], up_to: 1MiB/s}}
        verify: {{expr: '{verify}', within: 10m, stable_for: 1s}}
      - do: escalate
    limits: {{cooldown: 1s, per_host: 20/1h}}
"""
CLEARED = f'max(kafka_admin_throttle_bytes_per_second{{key="{RATE}"}}) < 0'
NEVER = "max(kafka_admin_brokers) > 90"  # its effect stands until somebody has it undone
WHOLE = [Kind.STARTED, Kind.DONE, Kind.HEALED, Kind.CLOSED]


def write_rules(scene: Scene, verify: str = CLEARED) -> None:
    """A forgotten throttle is cleared; it has helped where `verify` says so."""
    scene.write_rules(ALERTS, REMEDIES.format(key=RATE, verify=verify))


async def forget(scene: Scene, broker: int) -> None:
    """Somebody sets a throttle there, and goes home."""
    await scene.admin.alter_configs([ConfigChange(f"broker/{broker}", RATE, "set", FORGOTTEN)])


async def unthrottle(scene: Scene) -> None:
    """What a story that failed may have left."""
    left = await throttles(scene)
    await scene.admin.alter_configs([ConfigChange(f"broker/{node}", RATE, "delete", None) for node in left])


async def throttles(scene: Scene) -> Mapping[int, str]:
    """The brokers that are throttled, and their rates, from their own configuration."""
    seen = {node: await scene.configs(f"broker/{node}", RATE) for node in scene.lab.brokers}
    return {node: values[RATE] for node, values in seen.items() if values}


async def cleared(scene: Scene, agent: Agent, times: int = 1, seconds: float = 60) -> float:
    """Waits until this agent has cleared and verified so many; seconds from start to effect."""

    def closed() -> bool:
        return kinds(agent).count(Kind.CLOSED) >= times

    await until(f"throttle {times} of {agent.node.name} to be cleared", closed, seconds, agent)
    last = entries(agent, "Forgotten")[-4:]
    assert [e.kind for e in last] == WHOLE, [f"{e.kind}: {e.reason}" for e in last]
    return (last[1].at - last[0].at) / 1_000


def kinds(agent: Agent) -> list[Kind]:
    """Of all that it did about forgotten throttles, but for waiting."""
    return [e.kind for e in entries(agent, "Forgotten") if e.kind is not Kind.WAITING]


def answered(scene: Scene, *words: str, code: int = 0) -> Any:
    """What a command prints for programs."""
    done = scene.ottla(*words, "-o", "json")
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


def said(scene: Scene, agent: Agent, *words: str) -> Any:
    """The same of one asked of an agent, whatever its code."""
    done = scene.ottla(*words, "--socket", str(agent.socket), "-o", "json")
    assert done.stdout, (words, done.returncode, done.stderr)
    return json.loads(done.stdout)


def live(scene: Scene, agent: Agent) -> list[str]:
    """The agents that this one shows."""
    return [each["agent"] for each in said(scene, agent, "fleet")["agents"]]


async def all_live(scene: Scene, agents: Mapping[int, Agent]) -> None:
    """Waits until each shows all of them."""
    names = [f"broker-{node}" for node in sorted(agents)]
    for agent in agents.values():
        words = f"{agent.node.name}'s agent to show {', '.join(names)}"
        await until(words, lambda agent=agent: live(scene, agent) == names, 40)


def series(agent: Agent, name: str) -> dict[str, float]:
    """What it exposes under this name, by what stands in the braces."""
    text = urllib.request.urlopen(f"{agent.url}/metrics", timeout=10).read().decode()
    rows = (line.rpartition(" ") for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))
    return {row.removeprefix(name): float(value) for row, _, value in rows}


async def partition(scene: Scene, *, ask: int | None = None) -> PartitionInfo:
    """The control topic's one, as a broker sees it."""
    (found,) = await scene.admin.partitions([TOPIC], ask=ask)
    return found


async def operators_configuration(scene: Scene, folder: Path) -> Path:
    """That file; no control topic is there."""
    lab, agents = scene.lab, scene.agents
    settings = yaml.safe_load(configuration(lab.plan, agents.agent(1), agents))
    settings.pop("security", None)
    file = folder / "ottla.yml"
    file.write_text(yaml.safe_dump({**settings, "bootstrap_servers": list(lab.bootstrap)}))
    await until("the last test's control topic to be gone", lambda: no_topic(scene), 30)
    return file


async def no_topic(scene: Scene) -> bool:
    """Whether no broker shows it any more."""
    shown = [await scene.admin.partitions([TOPIC], ask=node) for node in scene.lab.brokers]
    return not any(shown)


@asynccontextmanager
async def lab_of(brokers: int, name: str) -> AsyncIterator[Scene]:
    """A scene on a lab of its own, which is left as it was, and gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"ottla-{brokers}-"))
    folder.chmod(0o755)
    lab = Lab.open(folder / "lab")
    try:
        await lab.up(Size(brokers=brokers))
        scene = open_scene(lab, name)
        try:
            async with untouched(scene, but=[RATE]):
                yield scene
        finally:
            for broker in lab.brokers:
                await scene.agents.kill(broker)
            await scene.admin.close()
    finally:
        await lab.down()
        shutil.rmtree(folder)
