"""What an agent costs beside a broker, and how fast it is, on a real cluster here."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lab_agents import bench_topic, cpu, on_a_lab, resident

from agent.history import replay
from agent.journal import read
from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.lab import faults
from agent.lab.agents import RULES, Agent, Agents
from agent.lab.cluster import Lab
from agent.model import Kind
from agent.sources.host import LogDirPath, measure

PARTITIONS = 1_000  # of three replicas each: as many on every broker
WATCHED_S = 60
DEMO_RULES = Path("agent/demo/rules")
THRESHOLD = 0.85


def main() -> None:
    """Everything, on a lab of its own."""
    on_a_lab(_measure)


async def _measure(lab: Lab) -> None:
    begun = time.monotonic()
    await lab.up()
    print(f"cluster RUNNING after                       {time.monotonic() - begun:8.1f} s")
    admin = Admin(lab.bootstrap, Security(), client_id="ottla-bench", deadline=60)
    await bench_topic(admin, PARTITIONS, 600)
    for interval in ("15s", "1s"):
        await _idle(Agents(lab, RULES, interval=interval), interval)
    await _speed(lab, admin)
    await admin.close()


async def _idle(agents: Agents, interval: str) -> None:
    """Resident memory and processor time of an agent with the shipped rules that has nothing to do."""
    agent = await agents.start(2)
    await asyncio.sleep(10)  # its start is not its rest
    before = cpu(agent)
    await asyncio.sleep(WATCHED_S)
    used = (cpu(agent) - before) / WATCHED_S
    print(f"idle, {PARTITIONS} partitions, every {interval:>3}: CPU       {100 * used:8.2f} % of a core")
    print(f"idle, {PARTITIONS} partitions, every {interval:>3}: RSS       {resident(agent):8.1f} MiB")
    await agents.stop(2)


async def _speed(lab: Lab, admin: Admin) -> None:
    """From the crossing of the threshold to the first copy that Kafka shows."""
    agents = Agents(lab, DEMO_RULES.absolute())
    agent = await agents.start(2)
    crossing = asyncio.create_task(_crossing(agent))
    moving = asyncio.create_task(_first_move(admin))
    await faults.load()["fill-disk"].break_(lab, 2, lambda _: None)
    crossed, moved = await crossing, await moving
    async with asyncio.timeout(90):
        while not [e for e in read(agent.state) if e.kind is Kind.HEALED]:
            await asyncio.sleep(0.2)
    times = {e.kind: e.at for e in reversed(read(agent.state)) if e.incident}
    print(f"threshold crossed → written start (for: 2s) {times[Kind.STARTED] - crossed:8d} ms")
    print(f"threshold crossed → first copy seen         {moved - crossed:8d} ms")
    print(f"threshold crossed → healed                  {times[Kind.HEALED] - crossed:8d} ms")
    assert not replay(read(agent.state)).standing()
    await agents.stop(2)


async def _crossing(agent: Agent) -> int:
    folder = LogDirPath(str(agent.node.log_dirs[0]))
    while True:
        space = measure(folder)
        if 1 - space.usable / space.total > THRESHOLD:
            return _now()
        await asyncio.sleep(0.05)


async def _first_move(admin: Admin) -> int:
    while not any(r.future for d in await admin.log_dirs(2) for r in d.replicas):
        await asyncio.sleep(0.05)
    return _now()


def _now() -> int:
    return time.time_ns() // 1_000_000
