"""What people throttle counts towards the cap, although the log knows nothing of it."""

from __future__ import annotations

import pytest
from claimed_throttle import LEADER_RATE, RATE, behind
from scene import Scene, entries

from agent.kafka.configs import ConfigChange
from agent.model import Kind

pytestmark = pytest.mark.e2e
LEADER, PATIENT, BY_HAND = 1, 2, 3
WORDS = "the world guard: brokers 1 and 3 have a replication throttle already, and throttle allows 2"


async def test_two_throttles_by_hand_leave_no_room_for_a_third(scene: Scene) -> None:
    """The leader's is the cause of the lag."""
    async with behind(scene, LEADER, (PATIENT,)) as story:
        await story.open()
        await story.order("budget", "throttle", "--cap", "2", ask=LEADER)
        await scene.admin.alter_configs([ConfigChange(f"broker/{BY_HAND}", RATE, "set", "5000000")])
        story.chapter("TwoByHand", "30m")
        await story.until("it is refused", lambda: Kind.REFUSED in story.told(PATIENT), 90)

        told = entries(story.agent(PATIENT), story.alert)
        assert [entry.reason for entry in told if entry.kind is Kind.REFUSED][:1] == [WORDS]
        assert Kind.DONE not in story.told(PATIENT)
        assert await scene.configs(f"broker/{PATIENT}", RATE, LEADER_RATE) == {}
        await scene.admin.alter_configs([ConfigChange(f"broker/{BY_HAND}", RATE, "delete", None)])
        await story.over(ask=LEADER)
