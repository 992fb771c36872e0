"""A log dir fills up: drained; the agent is killed, a broker is down, another agent holds the claim."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from scene import DRAIN, FULL, Scene, closed, entries, kinds, nothing_stands, until

from agent.control_topic import LAB, ControlTopic, Settings, Surroundings
from agent.kafka.connection import Security
from agent.kafka.log import PartitionLog
from agent.lab import faults
from agent.lab.agents import Agent
from agent.lab.load import Load
from agent.model import Entry, Kind
from agent.sources.host import LogDirPath, measure

pytestmark = pytest.mark.e2e
LIMIT = "replica.alter.log.dirs.io.max.bytes.per.second"
WHOLE = [Kind.STARTED, Kind.DONE, Kind.HEALED, Kind.CLOSED]
DETECTED_MS = 6_000  # `for: 1s`, an interval of 1 s, and a machine with two cores


async def fill(scene: Scene, until_ratio: float = 0.88) -> None:
    """Real records into the first log dir of broker 2."""
    await faults.load()["fill-disk"].break_(scene.lab, 2, lambda _: None, until=until_ratio)


def used(agent: Agent) -> float:
    """Of that dir, as the broker sees it."""
    space = measure(LogDirPath(str(agent.node.log_dirs[0])))
    return 1 - space.usable / space.total


@asynccontextmanager
async def peer(scene: Scene, node: int) -> AsyncIterator[ControlTopic]:
    """Another agent's part in the control topic, played by the test."""
    log = PartitionLog(scene.lab.bootstrap, Security(), "ottla-control", client_id="peer")
    around = Surroundings(lambda: time.time_ns() // 1_000_000)
    control = ControlTopic(log, Settings(f"broker-{node}", "elsewhere", times=LAB), around)
    await control.start()
    await until("the peer to join", lambda: control.caught_up and not control.degraded, 30)
    yield control
    await control.close()
    await log.close()


async def test_a_full_dir_is_drained_once_verified_and_left_as_it_was(scene: Scene, load: Load) -> None:
    """Detected in time, acted once, within the limit, verified; the limit taken off; nothing lost."""
    scene.write_rules(FULL, DRAIN.format(rate="50MiB/s"))
    agent = await scene.agent(2)
    await fill(scene)
    full_at = time.time_ns() // 1_000_000

    told = await closed(agent, "LogDirFillingUp")

    assert told == WHOLE
    assert entries(agent, "LogDirFillingUp")[0].at - full_at < DETECTED_MS
    assert used(agent) < 0.75
    assert await scene.configs("broker/2", LIMIT) == {}
    assert nothing_stands(agent)


async def test_a_killed_agent_finds_its_drain_again(scene: Scene, load: Load) -> None:
    """SIGKILL in the middle of a copy: after the restart the same drain goes on to its end."""
    scene.write_rules(FULL, DRAIN.format(rate="3MiB/s"))
    agent = await scene.agent(2)
    await fill(scene)

    await until("the first copy to run", lambda: copying(scene), 30, agent)
    await scene.agents.kill(2)
    assert kinds(agent, "LogDirFillingUp") == [Kind.STARTED]

    await scene.agent(2)
    told = await closed(agent, "LogDirFillingUp", 90)

    why = [f"{e.kind}: {e.reason}" for e in entries(agent, "LogDirFillingUp")]
    assert told == WHOLE, f"one start: it was found, not begun again: {why}"
    assert used(agent) < 0.75
    assert await scene.configs("broker/2", LIMIT) == {}
    assert nothing_stands(agent)


async def test_a_killed_broker_goes_on_with_the_drain(scene: Scene, load: Load) -> None:
    """SIGKILL of the broker in the middle of a copy: Kafka resumes the move, and the agent its watch."""
    scene.write_rules(FULL, DRAIN.format(rate="3MiB/s"))
    agent = await scene.agent(2)
    await fill(scene)
    await until("the first copy to run", lambda: copying(scene), 30, agent)

    await scene.lab.kill(2)
    await until("broker 2 to be fenced", lambda: fenced(scene, 2), 30)
    await scene.lab.start_broker(2)
    told = await closed(agent, "LogDirFillingUp", 120)

    assert told == WHOLE, "one start, no verdict of `worse` for the broker's own crash"
    assert used(agent) < 0.75
    assert await scene.configs("broker/2", LIMIT) == {}
    assert nothing_stands(agent)


async def copying(scene: Scene) -> bool:
    """Whether Kafka shows a copy under way."""
    return any(r.future for d in await scene.admin.log_dirs(2) for r in d.replicas)


async def test_with_a_second_broker_down_it_is_refused_in_words(scene: Scene, load: Load) -> None:
    """One patient at a time; when broker 3 is back, it is done."""
    scene.write_rules(FULL, DRAIN.format(rate="50MiB/s"))
    await fill(scene)
    await scene.lab.kill(3)
    await until("broker 3 to be fenced", lambda: fenced(scene, 3), 30)
    agent = await scene.agent(2)

    await until("a refusal for the other broker's sake", lambda: bool(refusals(agent)), 30, agent)
    (refused,) = refusals(agent)
    assert refused.reason == "broker 3 is down: one patient at a time"
    assert "broker 3 is down" in scene.ottla("why", "LogDirFillingUp", "--socket", str(agent.socket)).stdout

    await scene.lab.start_broker(3)
    told = await closed(agent, "LogDirFillingUp", 90)
    assert [k for k in told if k is not Kind.REFUSED] == WHOLE
    assert nothing_stands(agent)


def refusals(agent: Agent) -> list[Entry]:
    """What the journal says was refused because something else is wrong in the cluster."""
    return [e for e in entries(agent, "LogDirFillingUp") if e.question == "healthy elsewhere"]


async def fenced(scene: Scene, broker: int) -> bool:
    """Whether the cluster has given it up."""
    return (await scene.admin.brokers())[broker].fenced


async def test_it_waits_for_another_agents_claim_and_says_for_whose(scene: Scene, load: Load) -> None:
    """The log's order decides; `ottla why` names the holder; released, the drain begins."""
    scene.write_rules(FULL, DRAIN.format(rate="50MiB/s"))
    agent = await scene.agent(2)
    async with peer(scene, 9) as other:
        scope = f"x:disk/2/{agent.node.log_dirs[0]}"
        claim = await other.claim("drain_disk", [scope], "by hand", "a test holds the disk")
        await asyncio.wait_for(other.granted(claim), 20)
        await fill(scene)

        await until(
            "the drain to wait", lambda: kinds(agent, "LogDirFillingUp")[-1:] == [Kind.WAITING], 30, agent
        )
        why = scene.ottla("why", "LogDirFillingUp", "--socket", str(agent.socket)).stdout
        assert "broker-9" in why, why
        assert scope in why, why
        assert (await scene.configs("broker/2", LIMIT)) == {}, "nothing may begin while it waits"

        await other.release(claim, "cancelled")
        told = await closed(agent, "LogDirFillingUp")

    assert [k for k in told if k is not Kind.WAITING] == WHOLE
    assert nothing_stands(agent)
