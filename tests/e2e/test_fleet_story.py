"""The fleet on a real cluster: its log is born, agents show it, people order it, and the log is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from fleet_steps import TOPIC, answered, operators_configuration
from scene import Scene, until

from agent.kafka.connection import Security
from agent.kafka.log import PartitionLog
from agent.lab.agents import Agent

pytestmark = pytest.mark.e2e
NOTHING = "groups: []\n"


@pytest.fixture
async def operator(scene: Scene, tmp_path: Path) -> Path:
    """The configuration file of a person who may do anything on the cluster."""
    scene.write_rules(NOTHING, "owner: test\nremedies: {}\n")
    return await operators_configuration(scene, tmp_path)


async def test_three_agents_one_log_people_who_order_them_and_a_log_in_its_place(
    scene: Scene, operator: Path
) -> None:
    config = ("--config", str(operator))
    born = answered(scene, "control", "init", *config)
    assert (born["made"], born["born"], born["topic"]["deviations"]) == (True, True, [])
    assert len(born["topic"]["replicas"]) == 3
    again = scene.ottla("control", "init", *config)
    assert again.stdout.splitlines() == [
        f"the topic {TOPIC} is there already",
        f"its log {born['log']} is born already",
    ]

    agents = await scene.agents.start_all()
    assert answered(scene, "fleet", "--fresh", *at(agents[1]))["log"] == born["log"]
    await ordered_through_any(scene, agents)

    await write(scene, b"\xff garbage")
    own = ("--config", str(agents[1].config))  # an agent's grants are enough to read
    verified = answered(scene, "control", "verify", *own)
    assert verified["voids"]["not printable ASCII"] == 1
    assert verified["voids"]["changed meanwhile"] == 2
    assert (verified["faults"], verified["differing"]) == ([], {})
    assert verified["accepted"]["pause"] == 2
    status = scene.ottla("control", "status", *own)
    assert status.returncode == 0, status.stdout
    assert "quota       0 of 1      0 of 3 in 1d" in status.stdout

    rows = [json.loads(row) for row in tailed(scene, own)]
    assert [row["offset"] for row in rows] == list(range(len(rows)))
    assert (rows[0]["type"], rows[0]["void"]) == ("genesis", None)
    (garbage,) = [row for row in rows if row["void"] == "not printable ASCII"]
    assert (garbage["type"], garbage["body"]) == (None, None)
    (order,) = [row for row in rows if row["type"] == "budget" and row["void"] is None]
    assert order["body"]["cap"] == 1
    assert "(uid " in order["body"]["by"]

    await made_again(scene, config, born["log"])


async def ordered_through_any(scene: Scene, agents: Mapping[int, Agent]) -> None:
    """What one agent is told all know, and of two who order at once the second is refused."""
    one, two, three = (at(agents[number]) for number in (1, 2, 3))
    await until("all agents to be shown", lambda: live(scene, one) == [f"broker-{n}" for n in agents], 30)
    reason = ("--reason", "game day")

    paused = answered(scene, "fleet", "pause", "kind:drain_disk", "--for", "1h", *reason, *two)
    (pause,) = answered(scene, "fleet", "--fresh", *three, code=1)["pauses"]
    assert (pause["selector"], pause["changed_at"]) == ("kind:drain_disk", paused["offset"])
    late = scene.ottla("fleet", "resume", "kind:drain_disk", "--expect", "-1", *reason, *three)
    assert late.returncode == 1
    assert f"somebody changed it meanwhile, at offset {paused['offset']}" in late.stderr
    answered(scene, "fleet", "budget", "quota", "--cap", "1", "--rate", "3/24h", *reason, *one)
    late = scene.ottla("fleet", "budget", "quota", "--cap", "9", "--expect", "-1", *reason, *two)
    assert (late.returncode, late.stdout) == (1, "")
    answered(scene, "fleet", "resume", "kind:drain_disk", *reason, *three)


def at(agent: Agent) -> tuple[str, str]:
    """How commands ask this one."""
    return "--socket", str(agent.socket)


def live(scene: Scene, where: tuple[str, ...]) -> list[str]:
    """The agents that this one shows."""
    done = scene.ottla("fleet", "--fresh", "-o", "json", *where)
    return [agent["agent"] for agent in json.loads(done.stdout)["agents"]]


async def write(scene: Scene, value: bytes) -> None:
    """A record of somebody who may."""
    log = PartitionLog(scene.lab.bootstrap, Security(), TOPIC, client_id="test")
    try:
        await log.append(value)
    finally:
        await log.close()


def tailed(scene: Scene, config: tuple[str, ...]) -> list[str]:
    """All records."""
    done = scene.ottla("control", "tail", "--from", "0", "-o", "json", *config)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def made_again(scene: Scene, config: tuple[str, ...], old: str) -> None:
    """The agents belong to the old log, and go on in a new one that a person says takes its place."""
    await asyncio.gather(*(scene.agents.kill(broker) for broker in scene.lab.brokers))
    words = ("control", "init", "--recreate", "--after", old, *config)
    assert scene.ottla(*words).returncode == 130, "nobody said yes"
    made = answered(scene, *words, "--yes")
    assert (made["made"], made["born"], made["after"]) == (True, True, old)
    assert made["log"] != old
    agent = await scene.agent(1)
    where = ("--socket", str(agent.socket))
    assert answered(scene, "fleet", "--fresh", *where)["log"] == made["log"]
    assert live(scene, where) == ["broker-1"]
