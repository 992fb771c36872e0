"""What benches of agents on a real cluster share: a lab of their own, and what a process uses."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from agent.kafka.admin import Admin
from agent.lab.agents import Agent
from agent.lab.cluster import Lab


def on_a_lab(measure: Callable[[Lab], Coroutine[Any, Any, None]]) -> None:
    """Measure on a lab of its own, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ottla-bench-"))
    folder.chmod(0o755)
    lab = Lab.open(folder / "lab")
    try:
        asyncio.run(measure(lab))
    finally:
        asyncio.run(lab.down())
        shutil.rmtree(folder)


async def bench_topic(admin: Admin, partitions: int, seconds: float) -> None:
    """A topic of so many partitions with three replicas each, all of them made.

    New replicas count as in sync from the start, long before their brokers have made all of them: that takes
    a minute of both cores, and writes 30,000 lines into their logs.
    """
    await admin.create_topic("bench", partitions, 3, {})
    async with asyncio.timeout(seconds):
        for broker in await admin.brokers():
            while sum(len(folder.replicas) for folder in await admin.log_dirs(broker)) < partitions:
                await asyncio.sleep(1)


def stat(agent: Agent) -> list[str]:
    """The fields of /proc/PID/stat from the third on."""
    return Path(f"/proc/{agent.pid}/stat").read_text().rpartition(")")[2].split()


def cpu(agent: Agent) -> float:
    """Seconds of processor time, user and system."""
    fields = stat(agent)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(agent: Agent) -> float:
    """MiB."""
    lines = Path(f"/proc/{agent.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
