"""A follower that catches up is throttled; restored exactly, by the lease, by hand, and after a kill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaProducer
from scene import Scene, closed, entries, kinds, nothing_stands, until

from agent.kafka.configs import ConfigChange
from agent.lab.agents import Agent
from agent.lab.load import Load
from agent.model import Kind

pytestmark = pytest.mark.e2e
TOPIC = "behind"
RATE = "follower.replication.throttled.rate"
LEADER_RATE = "leader.replication.throttled.rate"
LIST = "follower.replication.throttled.replicas"
LEADER_LIST = "leader.replication.throttled.replicas"
ALERTS = """
groups:
  - name: replication
    rules:
      - alert: CatchUp
        expr: max(kafka_server_replicafetchermanager_maxlag{clientId="Replica"}) > 10
        for: 1s
"""
REMEDIES = """
owner: test
remedies:
  CatchUp:
    mode: act
    target: alertname
    steps:
      - do: throttle_replication
        with: {{rate: 4MiB/s}}
        lease: {lease}
        verify:
          expr: max(kafka_admin_throttle_bytes_per_second{{key="follower.replication.throttled.rate"}}) > 0
          within: 1m
          stable_for: 2s
      - do: escalate
    limits: {{cooldown: 1h, per_host: 20/1h}}
"""


@dataclass(frozen=True)
class Pair:
    """One partition's leader and the follower that is behind of it."""

    leader: int
    follower: int


@pytest.fixture
async def pair(scene: Scene) -> AsyncIterator[Pair]:
    """A follower that misses 24 MB and is served 60 kB/s: really behind, and for long.

    The leader's own throttle is the cause; the follower's list holds an operator's entry for the leader.
    """
    await scene.admin.create_topic(TOPIC, 1, 2, {"min.insync.replicas": "1"})
    await until("the topic to have a leader", lambda: led(scene), 20)
    (partition,) = await scene.admin.partitions([TOPIC])
    (follower,) = set(partition.replicas) - {partition.leader}
    own = Pair(partition.leader, follower)
    await scene.lab.kill(own.follower)
    await until("the leader to be alone", lambda: led(scene, alone=True), 30)
    await produce(scene, 24)
    await scene.admin.alter_configs(
        [
            ConfigChange(f"topic/{TOPIC}", LEADER_LIST, "set", f"0:{own.leader}"),
            ConfigChange(f"topic/{TOPIC}", LIST, "set", f"0:{own.leader}"),
            ConfigChange(f"broker/{own.leader}", LEADER_RATE, "set", "60000"),
        ]
    )
    await scene.lab.start_broker(own.follower)
    yield own
    await scene.admin.alter_configs([ConfigChange(f"broker/{own.leader}", LEADER_RATE, "delete", None)])
    await scene.admin.delete_topics([TOPIC])
    left = await scene.configs(f"broker/{own.follower}", RATE, LEADER_RATE)
    await scene.admin.alter_configs([ConfigChange(f"broker/{own.follower}", k, "delete", None) for k in left])


async def led(scene: Scene, *, alone: bool = False) -> bool:
    """Whether the partition has a leader (and nobody else in sync)."""
    return any(
        p.leader >= 0 and (not alone or len(p.isr) == 1) for p in await scene.admin.partitions([TOPIC])
    )


async def produce(scene: Scene, megabytes: int) -> None:
    """Records of a quarter of a megabyte to the one partition."""
    producer = AIOKafkaProducer(bootstrap_servers=list(scene.lab.bootstrap), acks=1)
    await producer.start()
    try:
        for _ in range(4 * megabytes):
            await producer.send_and_wait(TOPIC, bytes(250_000), partition=0)
    finally:
        await producer.stop()


async def throttled(scene: Scene, pair: Pair, lease: str) -> Agent:
    """Start the follower's agent and wait until its throttle stands."""
    scene.write_rules(ALERTS, REMEDIES.format(lease=lease))
    agent = await scene.agent(pair.follower)
    await until("the throttle to be set", lambda: Kind.DONE in kinds(agent, "CatchUp"), 60, agent)
    return agent


async def standing(scene: Scene, pair: Pair) -> tuple[dict[str, str], dict[str, str]]:
    """What is set on the follower's broker and in the topic's lists."""
    rates = await scene.configs(f"broker/{pair.follower}", RATE, LEADER_RATE)
    return rates, await scene.configs(f"topic/{TOPIC}", LIST, LEADER_LIST)


async def test_a_killed_agent_ends_its_throttle_at_the_lease_and_restores_exactly(
    scene: Scene, pair: Pair, load: Load
) -> None:
    """SIGKILL while it stands: the lease still ends it, at its own time, and the operator's entries stay."""
    agent = await throttled(scene, pair, "25s")
    rates, lists = await standing(scene, pair)
    assert set(rates) >= {RATE}
    assert f"0:{pair.follower}" in lists[LIST].split(",")

    await scene.agents.kill(pair.follower)
    assert await standing(scene, pair) == (rates, lists), "nobody undoes it while its agent is dead"
    await scene.agent(pair.follower)
    told = await closed(agent, "CatchUp", 90)

    assert told.count(Kind.STARTED) == 1
    assert told[-2:] == [Kind.UNDONE, Kind.CLOSED]
    started, undone = (
        next(e for e in entries(agent, "CatchUp") if e.kind is k) for k in (Kind.STARTED, Kind.UNDONE)
    )
    assert undone.at >= started.at + 25_000, "not before the lease ends"
    assert undone.reason == "the lease ended"
    lists_before = {LIST: f"0:{pair.leader}", LEADER_LIST: f"0:{pair.leader}"}
    assert await standing(scene, pair) == ({}, lists_before)
    assert nothing_stands(agent)


async def test_with_a_third_broker_down_it_is_refused_in_words(scene: Scene, pair: Pair, load: Load) -> None:
    """Nothing is taken from a cluster that misses a broker already: not a byte of configuration changes."""
    (third,) = set(scene.lab.brokers) - {pair.leader, pair.follower}
    before = await standing(scene, pair)
    await scene.lab.kill(third)
    await until(f"broker {third} to be fenced", lambda: fenced(scene, third), 30)
    scene.write_rules(ALERTS, REMEDIES.format(lease="25s"))
    agent = await scene.agent(pair.follower)

    await until(
        "a refusal for its sake",
        lambda: f"broker {third} is down: one patient at a time" in reasons(agent),
        30,
        agent,
    )

    assert Kind.STARTED not in kinds(agent, "CatchUp")
    assert await standing(scene, pair) == before
    await scene.lab.start_broker(third)


async def fenced(scene: Scene, broker: int) -> bool:
    """Whether the cluster has given it up."""
    return (await scene.admin.brokers())[broker].fenced


def reasons(agent: Agent) -> list[str]:
    """Of everything that was refused."""
    return [e.reason for e in entries(agent, "CatchUp") if e.question == "healthy elsewhere"]


async def test_an_operators_own_throttle_is_left_alone_and_reported(scene: Scene, pair: Pair) -> None:
    """Set while ours stood: what is not ours any more stays, and the journal says so."""
    agent = await throttled(scene, pair, "15s")
    theirs = ConfigChange(f"broker/{pair.follower}", RATE, "set", "7777777")
    await scene.admin.alter_configs([theirs])

    await closed(agent, "CatchUp", 60)

    rates, _ = await standing(scene, pair)
    assert rates == {RATE: "7777777"}
    undone = next(e for e in entries(agent, "CatchUp") if e.kind is Kind.UNDONE)
    assert (
        f"{RATE} of broker/{pair.follower} is '7777777' now, which is not ours: left alone" in undone.reason
    )
    assert nothing_stands(agent)


async def test_a_dead_agents_throttle_is_undone_offline(scene: Scene, pair: Pair) -> None:
    """`ottla undo --all --offline`: from the journal, under the daemon's lock, exactly."""
    agent = await throttled(scene, pair, "1h")
    refused = scene.ottla("undo", "--all", "--offline", "--config", str(agent.config))
    assert refused.returncode != 0, "the daemon lives and holds the lock"
    assert "held by another agent" in refused.stderr
    await scene.agents.kill(pair.follower)

    undone = scene.ottla("undo", "--all", "--offline", "--config", str(agent.config))

    assert undone.returncode == 0, undone.stderr
    rates, lists = await standing(scene, pair)
    assert (rates, lists[LIST]) == ({}, f"0:{pair.leader}")
    assert nothing_stands(agent)


async def test_sigterm_undoes_and_handover_keeps(scene: Scene, pair: Pair) -> None:
    """`ottla stop --handover` leaves it to the successor, which takes it over; SIGTERM puts it back."""
    agent = await throttled(scene, pair, "1h")
    done = scene.ottla("stop", "--handover", "--socket", str(agent.socket))
    assert done.returncode == 0, done.stderr
    await until("the agent to end", lambda: agent.pid is None, 30, agent)
    assert RATE in (await standing(scene, pair))[0]

    await scene.agent(pair.follower)
    await scene.agents.stop(pair.follower)

    assert (await standing(scene, pair))[0] == {}
    assert nothing_stands(agent)
