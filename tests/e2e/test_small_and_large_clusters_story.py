"""The fleet on one, two and five brokers: what can work works, and what needs a peer says so."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from fleet_steps import (
    all_live,
    answered,
    cleared,
    forget,
    lab_of,
    live,
    operators_configuration,
    said,
    throttles,
    write_rules,
)
from scene import Scene, until
from test_drain_story import peer
from test_fleet_story import ordered_through_any

from agent.lab.agents import Agent

pytestmark = pytest.mark.e2e
FETCHES = "kafka.network:name=RequestsPerSec,request=Fetch,type=RequestMetrics,version=*"
IDLE_S = 10
MOST = 3.0  # fetches a second and agent
more = pytest.mark.skipif(os.environ.get("OTTLA_STORIES") != "all", reason="OTTLA_STORIES=all tells it, too")


async def test_one_broker_is_healed_alone_and_asked_at_most_three_times_a_second() -> None:
    async with lab_of(1, "one") as scene:
        write_rules(scene)
        agent = await scene.agent(1)
        topic = answered(scene, "control", "status", "--config", str(agent.config))["topic"]
        assert (topic["replicas"], topic["deviations"]) == ([1], [])
        assert "ottla-control has 1 of 3 replicas" in agent.output.read_text()
        await forget(scene, 1)
        effect = await cleared(scene, agent)
        assert await throttles(scene) == {}
        assert live(scene, agent) == ["broker-1"]
        # No replica fetches here, so every fetch of this broker is an agent's.
        async with peer(scene, 2), peer(scene, 3):
            await until("all to be live", lambda: len(live(scene, agent)) == 3, 30)
            each = await fetches_a_second(scene) / 3
        assert 0 < each <= MOST
        print(f"one broker: start to effect {effect:.2f} s; fetches a second of an idle agent: {each:.1f}")


async def fetches_a_second(scene: Scene) -> float:
    """Of all agents together, as broker 1 counts them."""
    before, began = await fetches(scene), time.monotonic()
    await asyncio.sleep(IDLE_S)
    return (await fetches(scene) - before) / (time.monotonic() - began)


async def fetches(scene: Scene) -> int:
    """Since broker 1 started, of every version."""
    url = f"{scene.lab.brokers[1].jolokia_url}/read/{quote(FETCHES, safe=':=,*')}/Count"

    def read() -> int:
        answer = json.load(urllib.request.urlopen(url, timeout=10))
        return sum(values["Count"] for values in answer["value"].values())

    return await asyncio.to_thread(read)


@more
async def test_of_two_agents_one_alone_ends_the_dead_ones_session() -> None:
    async with lab_of(2, "two") as scene:
        write_rules(scene)
        agents = await scene.agents.start_all()
        await all_live(scene, agents)
        assert "ottla-control has 2 of 3 replicas" in agents[1].output.read_text()
        for agent in agents.values():
            await forget(scene, agent.node.id)
            await cleared(scene, agent)
        await scene.agents.kill(2)
        died = time.monotonic()
        await until("its session to be ended by the only witness", lambda: gone(scene, agents[1], 2), 60)
        took = time.monotonic() - died
        await forget(scene, 1)
        await cleared(scene, agents[1], times=2)
        print(f"two brokers: the dead agent's session ended after {took:.0f} s (3 W idle are 24)")


def gone(scene: Scene, agent: Agent, node: int) -> bool:
    """Whether this agent knows it as one that was there before."""
    return bool(said(scene, agent, "fleet")["gone"] == [f"broker-{node}"])


@more
async def test_five_brokers_share_one_log(tmp_path: Path) -> None:
    async with lab_of(5, "five") as scene:
        config = ("--config", str(await operators_configuration(scene, tmp_path)))
        write_rules(scene)
        answered(scene, "control", "init", *config)
        agents = await scene.agents.start_all()
        await ordered_through_any(scene, agents)
        for agent in agents.values():
            await forget(scene, agent.node.id)
        for agent in agents.values():
            await cleared(scene, agent, seconds=120)
        assert await throttles(scene) == {}
