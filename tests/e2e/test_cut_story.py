"""One agent is cut off from the log but not from the brokers, another the other way round; then healed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from claimed_throttle import RATE, Story, behind
from kafka_relay import ALTER, Relays
from scene import Scene

from agent.control.state import ClaimState
from agent.model import Kind

pytestmark = pytest.mark.e2e
LEADER, FROM_LOG, FROM_BROKERS = 1, 2, 3
LEASE_S = 35  # longer than peers need to undo what an agent that is cut off left


@pytest.fixture
async def relays(scene: Scene) -> AsyncIterator[Relays]:
    """One agent is to reach the control topic through them, another all else, the third nothing."""
    async with Relays(scene.lab) as own:
        yield own


async def test_agents_are_cut_off_from_the_log_or_from_the_brokers(scene: Scene, relays: Relays) -> None:
    async with behind(scene, LEADER, (FROM_LOG, FROM_BROKERS)) as story:
        plan, agents = scene.lab.plan, scene.agents
        far_log = replace(agents, control_servers=plan.relayed_bootstrap)
        far_brokers = replace(agents, servers=plan.relayed_bootstrap, control_servers=plan.agents_bootstrap)
        starts = far_log.start(FROM_LOG), far_brokers.start(FROM_BROKERS), scene.agent(LEADER)
        await asyncio.gather(*starts)  # the last one makes the topic: who has another address for it does not
        await story.open()
        story.chapter("CutOff", f"{LEASE_S}s")
        healing = asyncio.Event()
        await asyncio.gather(cut_from_log(story, relays, healing), cut_from_brokers(story, relays, healing))
        await story.over(ask=LEADER)


async def cut_from_log(story: Story, relays: Relays, healing: asyncio.Event) -> None:
    """With its throttle in force: peers end its session, and undo what it set, before it is healed."""
    await story.until("the throttle stands", lambda: Kind.DONE in story.told(FROM_LOG))
    session, claim = story.session(FROM_LOG), story.claim(FROM_LOG)
    assert claim is not None
    relays.cut(client(FROM_LOG))
    story.say(f"agent {FROM_LOG} is cut off from the log")
    await story.until("its peers ended its session", lambda: session not in story.state.sessions, 60)
    await story.until("peers closed its claim", lambda: claim.id not in story.state.claims, 120)
    assert RATE not in await story.scene.configs(f"broker/{FROM_LOG}", RATE)
    healing.set()
    await relays.heal(client(FROM_LOG))
    story.say(f"agent {FROM_LOG} is healed")
    await story.until("it joined again", lambda: story.session(FROM_LOG) is not None, 60)


async def cut_from_brokers(story: Story, relays: Relays, healing: asyncio.Event) -> None:
    """With its first request under way, which arrives when it is healed: its claim is kept meanwhile."""
    first = relays.stop(client(FROM_BROKERS), ALTER)
    await story.until("the first request is under way", first.reached.is_set, 90)
    relays.cut(client(FROM_BROKERS))
    first.deliver()  # as far as the cut
    story.say(f"agent {FROM_BROKERS} is cut off from the brokers, its first request under way")
    await asyncio.wait_for(healing.wait(), 240)
    assert story.is_claimed(FROM_BROKERS, ClaimState.DIRTY), "it may land yet"
    await relays.heal(client(FROM_BROKERS))
    story.say(f"agent {FROM_BROKERS} is healed")


def client(node: int) -> str:
    """What an agent calls itself."""
    return f"ottla-broker-{node}"
