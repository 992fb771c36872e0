"""The log's tail is really lost, its settings untouched: all notice, and what was done is known again."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from fleet_steps import (
    FORGOTTEN,
    NEVER,
    TOPIC,
    all_live,
    answered,
    forget,
    kinds,
    partition,
    said,
    throttles,
    write_rules,
)
from scene import Scene, entries, until

from agent.kafka.bridge import Call
from agent.kafka.cluster import Cluster
from agent.kafka.connection import Security
from agent.kafka.errors import check
from agent.lab.agents import Agent
from agent.model import Kind

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("as_it_was")]
UNCLEAN = 1


async def test_what_was_claimed_in_a_lost_tail_is_known_again_and_closed(scene: Scene) -> None:
    write_rules(scene, verify=NEVER)
    agents = await scene.agents.start_all()
    await all_live(scene, agents)
    where = ("--socket", str(agents[1].socket))
    answered(scene, "fleet", "budget", "throttle", "--cap", "1", "--reason", "one at a time", *where)
    await until("the log to be whole", lambda: in_sync(scene, 3), 30)
    log = await partition(scene)
    stale = next(node for node in log.replicas if node != log.leader)
    holder, other = sorted({*log.replicas} - {stale})

    scene.lab.pause(stale)
    await until(f"broker {stale} to be out of sync", lambda: in_sync(scene, 2, ask=holder), 30)
    await forget(scene, holder)
    await until("its throttle to be cleared", lambda: Kind.DONE in kinds(agents[holder]), 60, agents[holder])
    (claim,) = said(scene, agents[holder], "fleet", "--fresh")["claims"]
    assert (claim["state"], claim["holder"]) == ("dirty", f"broker-{holder}")
    before = said(scene, agents[holder], "fleet")["offset"]

    lost_at = time.monotonic()
    await lose_tail(scene, stale, (holder, other))
    led = time.monotonic() - lost_at
    epoch = log.leader_epoch
    await until("all to join anew", lambda: all(joined_anew(scene, a, epoch) for a in agents.values()), 60)
    joined = time.monotonic() - lost_at
    lost = [noticed(agent) for agent in agents.values()]
    assert all(lost), lost

    (known,) = said(scene, agents[other], "fleet", "--fresh")["claims"]
    assert (known["state"], known["holder"]) == ("dirty", f"broker-{holder}")
    assert known["claim"] != claim["claim"], "the tail with its record is gone"
    assert (known["why"], known["problem"]) == ("redeclared after a lost tail", claim["problem"])

    # I1: the cap is 1 and what stands fills it, so the next one waits, whatever the log has forgotten.
    await forget(scene, other)
    await until("the other to wait", lambda: waits_for(agents[other], holder), 30, agents[other])
    assert await throttles(scene) == {other: FORGOTTEN}

    undone = scene.ottla("undo", "--all", "--socket", str(agents[holder].socket))
    assert undone.returncode == 0, undone.stderr
    await until("the other's turn", lambda: Kind.DONE in kinds(agents[other]), 60, agents[other])
    assert await throttles(scene) == {holder: FORGOTTEN}, "what was cleared is put back exactly"
    undone = scene.ottla("undo", "--all", "--socket", str(agents[other].socket))
    assert undone.returncode == 0, undone.stderr
    assert await throttles(scene) == {holder: FORGOTTEN, other: FORGOTTEN}
    await until(
        "every claim to be closed", lambda: not said(scene, agents[stale], "fleet", "--fresh")["claims"], 30
    )
    assert [kinds(agents[node]).count(Kind.STARTED) for node in (holder, other)] == [1, 1], "I2: each once"

    own = ("--config", str(agents[1].config))
    verified = answered(scene, "control", "verify", *own)
    assert verified["faults"] == []
    print(f"its end {before} was lost: a leader after {led:.1f} s, all joined anew after {joined:.1f} s")
    print(f"claim {claim['claim']} is known again as {known['claim']}, and closed")
    await until("the log to be whole again", lambda: in_sync(scene, 3), 60)


async def in_sync(scene: Scene, count: int, *, ask: int | None = None) -> bool:
    """Whether so many replicas are."""
    return len((await partition(scene, ask=ask)).isr) == count


async def lose_tail(scene: Scene, stale: int, others: tuple[int, int]) -> None:
    """Who has all of it dies, who was left behind is elected, and the dead come back as its followers."""
    await asyncio.gather(*(scene.lab.kill(node) for node in others))
    scene.lab.resume(stale)
    await until(f"broker {stale} to be back", lambda: unfenced(scene, stale), 30)
    await until(f"broker {stale} to lead", lambda: elected(scene, stale), 30)
    await asyncio.gather(*(scene.lab.start_broker(node) for node in others))


async def unfenced(scene: Scene, node: int) -> bool:
    """Whether the cluster counts on it."""
    return not (await scene.admin.brokers(ask=node))[node].fenced


async def elected(scene: Scene, node: int) -> bool:
    """Asks for an unclean election, as kafka-leader-election.sh does, until it leads."""

    def build(m: ModuleType) -> Any:
        partitions = (m.TopicPartitions(topic=TOPIC, partitions=(0,)),)
        return m.ElectLeadersRequest(
            election_type=UNCLEAN, topic_partitions=partitions, timeout=timedelta(seconds=5)
        )

    cluster = Cluster(scene.lab.bootstrap, Security(), client_id="test", deadline=10)
    try:
        answer = await cluster.ask(Call("elect_leaders", 43, 2, 2, build, write=True), node=node)
    finally:
        await cluster.close()
    check("elect_leaders", answer.error_code)
    return (await partition(scene, ask=node)).leader == node


def joined_anew(scene: Scene, agent: Agent, epoch: int) -> bool:
    """Whether it is well, in a log that another leads."""
    told = said(scene, agent, "fleet")
    return told["epoch"] > epoch and not told["degraded"] and not told["barrier"] and len(told["agents"]) == 3


def noticed(agent: Agent) -> bool:
    """Whether it said so."""
    return "control topic: its tail was lost" in agent.output.read_text()


def waits_for(agent: Agent, holder: int) -> bool:
    """Whether it says for whom."""
    told = [e.reason for e in entries(agent, "Forgotten") if e.kind is Kind.WAITING]
    return any(f"throttle is held by broker-{holder}" in words for words in told)
