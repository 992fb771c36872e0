"""The broker that leads the control partition fails while a claimed remedy is between its steps."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from claimed_throttle import NOTHING, Story, behind, set_once
from kafka_relay import ALTER, API_VERSIONS, Relays
from scene import Scene
from untouched import CONTROL

from agent.model import Kind

pytestmark = pytest.mark.e2e
ALL = os.environ.get("OTTLA_STORIES") == "all"
PAUSED_S = 40
LEASE_S = 8


@pytest.fixture
async def relays(scene: Scene) -> AsyncIterator[Relays]:
    """All that the agents say to brokers goes through them."""
    scene.agents = replace(scene.agents, servers=scene.lab.plan.relayed_bootstrap)
    async with Relays(scene.lab) as own:
        yield own


async def test_the_control_partitions_leader_fails_between_the_steps_of_a_remedy(
    scene: Scene, relays: Relays
) -> None:
    """Killed between two effects, restarted while it is undone, and paused while the effect stands."""
    scene.write_rules(*NOTHING)
    await scene.agents.start_all()  # the topic is made, and has a leader
    control = await leader(scene)
    one, patient = sorted({*scene.lab.brokers} - {control})
    async with behind(scene, one, (patient,)) as story:
        await story.open()
        await killed(story, relays, patient)
        await restarted(story, relays, patient)
        if ALL:
            await paused(story, patient)
        assert set_once(relays)


async def leader(scene: Scene) -> int:
    """Who leads the control partition."""
    (partition,) = await scene.admin.partitions([CONTROL])
    return partition.leader


async def leads(story: Story) -> int:
    """The same; the preferred one leads again some ten seconds after it came back."""
    (patient,) = story.patients
    control = ({*story.nodes} - {patient, story.leader}).pop()

    async def again() -> bool:
        return await leader(story.scene) == control

    await story.until(f"broker {control} leads the control partition", again, 90)
    return control


async def killed(story: Story, relays: Relays, patient: int) -> None:
    """With the connection for the second effect being made."""
    control = await leads(story)
    story.chapter("LeaderKilled", f"{LEASE_S}s")
    first = relays.stop(f"ottla-broker-{patient}", ALTER)
    await story.until("the first request is under way", first.reached.is_set, 90)
    second = relays.stop(f"ottla-broker-{patient}", API_VERSIONS)
    first.deliver()
    await story.until("the connection for the second is being made", second.reached.is_set, 30)
    await story.scene.lab.kill(control)
    story.say(f"broker {control} is killed between two effects")
    second.deliver()
    await story.until("the remedy ended", lambda: Kind.UNDONE in story.told(patient), 60)
    await story.scene.lab.start_broker(control)
    await story.over(ask=patient)


async def paused(story: Story, patient: int) -> None:
    """Stopped while the throttle stands, woken long after another has its place."""
    control = await leads(story)
    story.chapter("LeaderPaused", f"{LEASE_S}s")
    await story.until("the throttle stands", lambda: Kind.DONE in story.told(patient))
    story.scene.lab.pause(control)
    story.say(f"broker {control} is stopped for {PAUSED_S} s")
    try:
        await asyncio.sleep(PAUSED_S)
    finally:
        story.scene.lab.resume(control)
    story.say(f"broker {control} is woken; the journal holds {story.told(patient)}")
    await story.over(ask=patient)


async def restarted(story: Story, relays: Relays, patient: int) -> None:
    """With the first request of the undo under way."""
    control = await leads(story)
    story.chapter("LeaderRestarted", f"{LEASE_S}s")
    await story.until("the throttle stands", lambda: Kind.DONE in story.told(patient))
    undo = relays.stop(f"ottla-broker-{patient}", ALTER)
    await story.until("the undo is under way", undo.reached.is_set, LEASE_S + 30)
    await story.scene.lab.stop(control)
    story.say(f"broker {control} is stopped in good order, the undo under way")
    undo.deliver()
    await story.scene.lab.start_broker(control)
    story.say(f"broker {control} is back")
    await story.over(ask=patient)
