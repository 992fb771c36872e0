"""The demo's story, told by agents that were granted just what docs/security.md says."""

from __future__ import annotations

import asyncio

import pytest
from scene import Scene

from agent.demo.screen import Screen
from agent.demo.story import Story

pytestmark = pytest.mark.e2e


async def test_the_demo_s_story_needs_no_more_than_the_documented_grants(scene: Scene) -> None:
    """The stories' cluster has the authorizer on, and each agent comes by SASL."""
    assert scene.lab.plan.size.sasl
    story = Story.on(scene.lab, Screen())
    try:
        await story.play()
    finally:
        await asyncio.gather(*(story.agents.stop(broker) for broker in scene.lab.brokers))
    assert not story.failures
    assert len(story.rows) == 7, "each act was told to its end, and the load"
