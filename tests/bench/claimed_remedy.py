"""From a claim to its first effect, the whole of it: agents on a real cluster clear forgotten throttles.

Each of three agents, in the times of production, finds one throttle after the other on its broker, for
OTTLA_BENCH_REMEDY_S seconds (300). Relays before the brokers see its requests come: the claim's record, and
the change of configuration. In between lies what claim_latency.py has, and the plan's reading, the journal's
fsync, a fresh connection and the gate's last look at brokers. Target: 1 s at p99.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress

from fleet_steps import RATE
from kafka_relay import ALTER, PRODUCE, Relays, Request
from lab_agents import on_a_lab
from scene import Scene, open_scene

from agent.kafka.configs import ConfigChange
from agent.lab.agents import Agents
from agent.lab.cluster import Lab
from agent.lab.plan import Size

SECONDS = float(os.environ.get("OTTLA_BENCH_REMEDY_S", "300"))
MOST = 400  # rules: each problem is one alert's, and handled once
FIRST = 1_000_000
PATIENCE_S = 60
PROBATION_S = 75  # production's 60 s, and until the agents agree
OFTEN = "10000/1h"
ALERT = """
      - alert: Forgotten{n}
        expr: max(kafka_admin_throttle_bytes_per_second{{key="{key}"}}) == {rate}"""
REMEDY = """
  Forgotten{n}:
    mode: act
    target: alertname
    steps:
      - do: clear_leftover_throttle
        with: {{keys: [{key}], up_to: 2MiB/s}}
        verify:
          expr: max(kafka_admin_throttle_bytes_per_second{{key="{key}"}}) < 0
          within: 1m
          stable_for: 1s
    limits: {{cooldown: 1s, per_host: 10000/1h}}"""


class Watch:
    """When requests came to the relays."""

    def __init__(self, lab: Lab) -> None:
        self.took: list[float] = []  # ms from a claim to its first change
        self.released = {f"ottla-broker-{node}": asyncio.Event() for node in lab.brokers}
        self._claimed: dict[str, float] = {}

    def heard(self, request: Request) -> None:
        """A claim begins, its first change ends, and its release makes room for the next."""
        who = request.client
        if request.api == PRODUCE and b'"t":"claim"' in request.raw:
            self._claimed.setdefault(who, time.monotonic())
        elif request.api == ALTER and who in self._claimed:
            self.took.append((time.monotonic() - self._claimed.pop(who)) * 1_000)
        elif request.api == PRODUCE and b'"t":"release"' in request.raw:
            self._claimed.pop(who, None)
            self.released[who].set()


def write_rules(scene: Scene) -> None:
    """An alert for each rate, with a remedy of its own."""
    alerts = [ALERT.format(n=n, key=RATE, rate=FIRST + n) for n in range(MOST)]
    remedies = [REMEDY.format(n=n, key=RATE) for n in range(MOST)]
    head = "groups:\n  - name: throttles\n    rules:"
    scene.write_rules(head + "".join(alerts), "owner: bench\nremedies:" + "".join(remedies))


async def forget_for_ever(scene: Scene, broker: int, released: asyncio.Event) -> None:
    """One after the other, each once the claim of the last one is closed."""
    for n in range(MOST):
        released.clear()
        change = ConfigChange(f"broker/{broker}", RATE, "set", str(FIRST + n))
        await scene.admin.alter_configs([change])
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await released.wait()


async def measure(lab: Lab) -> None:
    """The distribution."""
    await lab.up(Size(relayed=True))
    watch, scene = Watch(lab), open_scene(lab, "bench")
    write_rules(scene)
    servers = lab.plan.relayed_bootstrap
    agents = Agents(lab, scene.agents.rules, times="production", servers=servers, per_host=OFTEN)
    async with Relays(lab, watch.heard):
        try:
            await agents.start_all()
            await asyncio.sleep(PROBATION_S)  # nothing is begun before
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(forget_for_ever(scene, node, watch.released[f"ottla-broker-{node}"]))
                    for node in lab.brokers
                ]
                await asyncio.sleep(SECONDS)
                for task in tasks:
                    task.cancel()
        finally:
            await asyncio.gather(*(agents.kill(broker) for broker in lab.brokers))
            await scene.admin.close()
    tell(sorted(watch.took))


def tell(took: Sequence[float]) -> None:
    """The row."""
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    what = f"… of an agent's remedy, {len(took)} of 3 agents"
    print(f"claim to first effect, {what:36} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  most {took[-1]:6.1f} ms")


def main() -> None:
    """On a lab of its own."""
    on_a_lab(measure)


if __name__ == "__main__":
    main()
