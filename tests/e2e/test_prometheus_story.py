"""promtool, as it is, asks an agent that runs beside a real broker."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest
from debian_prometheus import program
from scene import FULL, Scene, until

from agent.lab.agents import Agent

pytestmark = pytest.mark.e2e
USED = "host_log_dir_used_ratio"
ALERTS = FULL + "      - {alert: LogDirUsed, expr: host_log_dir_used_ratio >= 0}\n"


async def promtool(*words: str) -> str:
    """What `promtool query -o json` prints; it must succeed."""
    command = [program("promtool"), "query", "-o", "json", *words]
    child = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    out, err = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 0, err.decode()
    return out.decode()


async def test_promtool_asks_a_running_agent(scene: Scene) -> None:
    """Values at an instant and over a range, series and labels; what fires is among the rules."""
    scene.write_rules(ALERTS, "owner: test\nremedies: {}\n")
    agent = await scene.agent(1)
    assert agent.url is not None
    began = time.time()
    dirs = {str(path) for path in scene.lab.node(1).log_dirs}

    async def seen() -> bool:
        return len(json.loads(await promtool("instant", str(agent.url), USED))) == len(dirs)

    await until("every log dir to have a sample", seen, 20, agent)
    now = json.loads(await promtool("instant", agent.url, f"max by (path) ({USED})"))
    assert {cell["metric"]["path"] for cell in now} == dirs
    assert all(0 <= float(cell["value"][1]) <= 1 for cell in now)

    async def filled() -> bool:
        return min(await counts(str(agent.url), began)) >= 5

    await until("five seconds of a range", filled, 30, agent)
    labels = (await promtool("labels", "--match", USED, agent.url, "path")).strip()
    assert set(json.loads(labels)) == dirs
    series = json.loads(await promtool("series", "--match", USED, agent.url))
    assert {one["path"] for one in series} == dirs
    await until("the alerts to fire", lambda: fires(agent), 20, agent)


async def counts(url: str, since: float) -> list[int]:
    """How many points each line of a range has, a second apart."""
    span = (f"--start={since:.3f}", f"--end={time.time() + 1:.3f}", "--step=1s")
    return [len(line["values"]) for line in json.loads(await promtool("range", *span, url, USED))] or [0]


async def fires(agent: Agent) -> bool:
    """Whether the rule that always holds is shown as firing, and the other is not."""
    async with aiohttp.ClientSession() as client, client.get(f"{agent.url}/api/v1/rules") as answer:
        told = await answer.json()
    states = {rule["name"]: (rule["state"], rule["health"]) for rule in told["data"]["groups"][0]["rules"]}
    return states.get("LogDirUsed") == ("firing", "ok") and states["LogDirFillingUp"][0] != "firing"
