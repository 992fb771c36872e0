"""What an agent costs beside a broker with 4,000 partitions: the shipped rules, Jolokia, every 5 s.

`OTTLA_BENCH_SECONDS` watches for less than ten minutes, `OTTLA_BENCH_PARTITIONS` asks for fewer.
"""

from __future__ import annotations

import asyncio
import compileall
import os
import statistics
import sys
import time
from pathlib import Path

import aiohttp
from lab_agents import bench_topic, cpu, on_a_lab, resident, stat

from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.lab.agents import PROJECT, RULES, Agent, Agents
from agent.lab.cluster import Lab
from agent.lab.plan import Size

SECONDS = int(os.environ.get("OTTLA_BENCH_SECONDS", "600"))
PARTITIONS = int(os.environ.get("OTTLA_BENCH_PARTITIONS", "4000"))
STARTS = 5
# As installed: without the tools of tests (kio imports hypothesis where it is), and with compiled files.
INSTALLED = "import sys; sys.modules['hypothesis'] = None; from agent.__main__ import main; main()"


def main() -> None:
    """Everything, on a lab of its own."""
    compileall.compile_dir(PROJECT / "agent", quiet=1)
    on_a_lab(_measure)


async def _measure(lab: Lab) -> None:
    await lab.up(Size(brokers=3, controllers=1))  # the least that has peers and a control topic
    admin = Admin(lab.bootstrap, Security(), client_id="ottla-bench", deadline=60)
    agents = Agents(lab, RULES, (sys.executable, "-c", INSTALLED), interval="5s", times="production")
    await _starts(agents)
    await _watch(agents, "idle, no topics", min(60, SECONDS))
    await bench_topic(admin, PARTITIONS, 600)
    await admin.close()
    await _watch(agents, f"{PARTITIONS} partitions", SECONDS)


async def _starts(agents: Agents) -> None:
    """From the start of the process to the first rule that was evaluated; the best, and the median."""
    taken, used = [], []
    for _ in range(STARTS):
        agent = await agents.start(1)
        taken.append(await _first_evaluation(agent) - _started(agent))
        used.append(cpu(agent))
        await agents.stop(1)
    print(f"start to first evaluation, best          {min(taken):8.2f} s  (target 0.70)")
    print(f"start to first evaluation, median        {statistics.median(taken):8.2f} s")
    print(f"processor until that was seen, median    {statistics.median(used):8.2f} s")


async def _watch(agents: Agents, what: str, seconds: int) -> None:
    """Processor and memory from ten seconds after the start on; whether memory grows from then on."""
    agent = await agents.start(1)
    await asyncio.sleep(10)
    before, began = cpu(agent), time.monotonic()
    seen = [resident(agent)]
    while time.monotonic() < began + seconds:
        await asyncio.sleep(5)
        seen.append(resident(agent))
    used = (cpu(agent) - before) / (time.monotonic() - began)
    print(f"{what}, every 5 s: CPU".ljust(41) + f"{100 * used:8.2f} % of a core  (target 1.00)")
    most = f"{max(seen):8.1f} MiB  (target 85.8: 90 MB; idle 62.0: 65 MB)"
    print(f"{what}, every 5 s: RSS, at most".ljust(41) + most)
    print(
        f"{what}, every 5 s: RSS, first, last".ljust(41) + f"{seen[0]:8.1f} MiB, {seen[-1]:.1f} MiB",
        flush=True,
    )
    await agents.stop(1)


async def _first_evaluation(agent: Agent) -> float:
    """Seconds since the epoch; what the first answer with a rule says that was judged: one whose source was
    not read yet has the time of that finding."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            async with session.get(f"{agent.url}/api/v1/rules") as response:
                groups = (await response.json())["data"]["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            seen = [_seconds(rule["lastEvaluation"]) for rule in rules if rule["judged"] == "ok"]
            if seen:
                return min(seen)
            await asyncio.sleep(0.05)


def _seconds(text: str) -> float:
    """An RFC 3339 time with a fraction of any length, as seconds since the epoch."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return (
        time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float(f"0.{fraction or 0}")
    )


def _started(agent: Agent) -> float:
    """When its process was started, in seconds since the epoch: /proc knows it to 10 ms."""
    ticks = int(stat(agent)[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
