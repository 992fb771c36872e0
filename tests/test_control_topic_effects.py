"""Rule 4 of coordination.md section 4: what precedes each effect, in virtual time over a log in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from fake_log import FakeLog
from shelf import Shelf

from agent.control_topic import (
    ControlTopic,
    ControlUnavailable,
    Effects,
    InDoubt,
    NotAccepted,
    Settings,
    Surroundings,
    Times,
)
from agent.control_topic.effects import LEAST
from agent.rehearsal.virtual_time import run

QUICK = Times(beat_each=0, settle=0, probation=0, degraded=6_000)
EFFECT = json.dumps({"action": "a", "owner": "broker-1", "changes": []})


@dataclass
class Scene:
    """One agent with a dirty claim, and a record of what happened to its effect in order."""

    log: FakeLog
    topic: ControlTopic
    claim: int = -1
    told: list[str] = field(default_factory=list)
    armed_until: int | None = None
    look_takes: float = 0.0  # seconds
    objection: str | None = None
    send_takes: float = 0.0
    before_look: Callable[[], Coroutine[Any, Any, None]] | None = None

    def boot(self) -> int:
        return boot_ms()

    def arm(self, at: int) -> Callable[[], None]:
        """The deadman."""
        self.told.append("armed")
        self.armed_until = at

        def disarm() -> None:
            self.told.append("disarmed")
            self.armed_until = None

        return disarm

    async def ready(self) -> Scene:
        """The request."""
        self.told.append("ready")
        return self

    async def look(self) -> str | None:
        """The last look."""
        if self.before_look:
            await self.before_look()
        await asyncio.sleep(self.look_takes)
        self.told.append("looked")
        return self.objection

    async def send(self) -> None:
        """Leaves after a while."""
        self.told.append("sending")
        await asyncio.sleep(self.send_takes)
        assert self.armed_until is not None, "nothing is sent without the deadman"
        assert self.boot() < self.armed_until, "and nothing after its instant"
        self.told.append("sent")

    async def answer(self) -> str:
        """Always yes."""
        self.told.append("answered")
        return "yes"

    async def close(self) -> None:
        """The end of its connection."""
        self.told.append("closed")

    async def apply(self) -> str:
        """One effect."""
        return await Effects(self.topic, self).apply(
            self.claim, self.ready, self.look, lambda at: self.told.append("in doubt")
        )

    async def undo(self, *, adopted: bool = False) -> str:
        """Putting it back."""
        return await Effects(self.topic, self).undo(
            self.claim, self.ready, self.look, lambda at: self.told.append("in doubt"), adopted=adopted
        )


def boot_ms() -> int:
    return 1_000_000 + round(asyncio.get_running_loop().time() * 1_000)


def _topic(log: FakeLog, shelf: Shelf | None) -> ControlTopic:
    settings = Settings("broker-1", "h", times=QUICK, create=True)
    return ControlTopic(log, settings, Surroundings(boot_ms, boot=boot_ms, memory=shelf))


def play(story: Callable[[Scene], Coroutine[Any, Any, None]], shelf: Shelf | None = None) -> Scene:
    """An agent alone, its claim dirty; then the story."""

    async def whole() -> Scene:
        log = FakeLog(boot_ms)
        topic = _topic(log, shelf)
        await topic.start()
        scene = Scene(log, topic)
        scene.claim = await topic.claim("throttle", ["throttle"], "p", "why")
        await topic.granted(scene.claim)
        await topic.intent(scene.claim, EFFECT)
        await story(scene)
        await scene.topic._life.stop()
        return scene

    return run(whole())


def test_the_steps_come_in_their_order() -> None:
    async def story(scene: Scene) -> None:
        before = len(scene.log.records)
        assert await scene.apply() == "yes"
        assert json.loads(scene.log.records[before].value)["t"] == "beat"

    assert play(story).told == [
        "ready",
        "armed",
        "looked",
        "in doubt",
        "sending",
        "sent",
        "disarmed",
        "answered",
        "closed",
    ]


def test_what_the_last_look_finds_keeps_it_from_being_sent() -> None:
    async def story(scene: Scene) -> None:
        scene.objection = "the stop file stands"
        with pytest.raises(NotAccepted, match="the stop file stands"):
            await scene.apply()

    assert play(story).told == ["ready", "armed", "looked", "disarmed", "closed"]


def test_what_was_read_during_the_last_look_counts() -> None:
    """A leader changed: the barrier stands."""

    async def story(scene: Scene) -> None:
        async def leader_changes() -> None:
            scene.log.epoch += 1
            await scene.log.land(b"another's")
            await asyncio.sleep(0.1)

        scene.before_look = leader_changes
        with pytest.raises(NotAccepted, match="the leader changed"):
            await scene.apply()

    assert "sending" not in play(story).told


def test_the_deadman_ends_with_act_or_with_the_hold_time() -> None:
    async def story(scene: Scene) -> None:
        begun, seen = scene.boot(), list[int]()

        async def note() -> None:
            seen.append(scene.armed_until or 0)

        scene.before_look = note
        await scene.apply()
        assert begun + QUICK.act <= seen[0] <= scene.boot() + QUICK.act
        scene.topic._life.duties.hold.since = scene.boot() - QUICK.h + 200
        assert scene.topic.act_by() == scene.boot() + 200

    play(story)


def test_an_effect_that_would_begin_right_before_the_hold_time_ends_is_not_begun() -> None:
    """A loop that lags for some milliseconds would be killed in its midst."""

    async def story(scene: Scene) -> None:
        async def fire(left: int) -> None:
            scene.topic._life.duties.hold.since = scene.boot() - QUICK.h + left
            await Effects(scene.topic, scene)._fire(
                scene, scene.look, lambda: None, lambda _: scene.told.append("in doubt")
            )

        for left in (0, 50, LEAST - 1):
            with pytest.raises(NotAccepted, match="the hold time is over"):
                await fire(left)
        assert "armed" not in scene.told
        await fire(LEAST)

    assert play(story).told == ["armed", "looked", "in doubt", "sending", "sent", "disarmed"]


def test_a_last_look_that_takes_too_long_is_given_up_before_the_deadman() -> None:
    async def story(scene: Scene) -> None:
        scene.look_takes = 600
        begun = scene.boot()
        with pytest.raises(NotAccepted, match="the last look took over"):
            await scene.apply()
        assert scene.boot() < begun + QUICK.act

    assert play(story).told == ["ready", "armed", "disarmed", "closed"]


def test_a_request_that_does_not_leave_in_time_is_in_doubt() -> None:
    async def story(scene: Scene) -> None:
        scene.send_takes = 600
        with pytest.raises(InDoubt, match="did not leave"):
            await scene.apply()

    assert play(story).told == ["ready", "armed", "looked", "in doubt", "sending", "disarmed", "closed"]


def test_a_claim_that_is_anothers_is_touched_by_nobody() -> None:
    """Rule 6; no timer is armed for it, and no undo sent."""

    async def story(scene: Scene) -> None:
        await scene.topic.release(scene.claim, "undone")
        for effect in (scene.apply, scene.undo):
            with pytest.raises(NotAccepted, match="not this agent's any more"):
                await effect()

    assert play(story).told == ["ready", "closed"] * 2


def test_an_undo_does_not_wait_for_a_log_that_cannot_be_used() -> None:
    """Section 8; the deadman and the last look remain."""

    async def story(scene: Scene) -> None:
        scene.log.unreadable = scene.log.unwritable = "down"
        await asyncio.sleep(QUICK.degraded / 1_000 + 2)
        assert "unreadable since" in (scene.topic.degraded or "")
        assert await scene.undo() == "yes"
        scene.objection = "the stop file stands"
        with pytest.raises(NotAccepted, match="stop file"):
            await scene.undo()

    assert play(story).told[:5] == ["ready", "armed", "looked", "in doubt", "sending"]


@pytest.mark.parametrize("fault", ["broken", "full"])
def test_an_undo_does_not_wait_for_a_join_that_its_own_disk_prevents(fault: str) -> None:
    """Section 8: nobody knows what a former life kept; or what a tail took along cannot be kept, as it must
    before it is told."""
    shelf = Shelf()

    async def story(scene: Scene) -> None:
        name = scene.topic.named(scene.claim)
        await scene.topic._life.stop()
        setattr(shelf, fault, "disk error")
        await scene.log.lose_tail(1)
        scene.topic = _topic(scene.log, shelf)
        await scene.topic.start()
        async with asyncio.timeout(60):
            await Effects(scene.topic, scene).undo(name, scene.ready, scene.look, lambda _: None)
        assert "disk error" in (scene.topic.degraded or "")
        assert (scene.topic.degraded or "").startswith("not joined since "), "the topic itself is read"
        setattr(shelf, fault, "")
        async with asyncio.timeout(5):
            await scene.topic._life.until(lambda: scene.topic.degraded is None)

    play(story, shelf)


def test_an_undo_under_way_when_the_log_fails_goes_on_without_it() -> None:
    async def story(scene: Scene) -> None:
        scene.log.unreadable = scene.log.unwritable = "down"
        assert await scene.undo() == "yes"
        assert scene.topic.degraded

    play(story)


def test_what_another_agent_set_is_not_undone_without_the_log() -> None:
    """Section 8 is for one's own effects; what another has closed since, rule 6 says to leave."""

    async def story(scene: Scene) -> None:
        assert await scene.undo(adopted=True) == "yes"
        sent = scene.told.count("sent")
        scene.log.unreadable = scene.log.unwritable = "down"
        for _ in range(2):  # while the beat is tried, and once it is known that the log cannot be used
            with pytest.raises(ControlUnavailable, match="what another agent set waits for the log: control"):
                await scene.undo(adopted=True)
        assert scene.told.count("sent") == sent
        assert scene.told[-2:] == ["ready", "closed"]

    play(story)


def test_what_another_agent_set_is_not_undone_where_the_log_fails_in_the_last_look() -> None:
    async def story(scene: Scene) -> None:
        async def fails() -> None:
            scene.topic._life.member.halt("the log is another one")

        scene.before_look = fails
        with pytest.raises(NotAccepted, match="waits for the log: the log is another one"):
            await scene.undo(adopted=True)
        assert "sent" not in scene.told

    play(story)


@dataclass
class Fallen:
    """A control topic whose session ended unseen: the beat of an undo tells so, and a join follows."""

    degraded: str | None = None
    joining: bool = False
    joins: int = 0
    boot: int = 0

    async def joined(self) -> None:
        """The join comes through; another has closed the claim meanwhile."""
        if self.joining:
            self.joining, self.degraded, self.joins = False, None, self.joins + 1

    async def barrier(self, claim: int, *, undo: bool) -> None:
        """The first beat is void."""
        assert undo
        if self.joins:
            raise NotAccepted("the claim is not this agent's any more")
        self.joining, self.degraded = True, "the session ended"
        raise ControlUnavailable("the session ended")

    def act_by(self) -> int:
        """Some time."""
        return self.boot + 2_000


async def test_an_undo_waits_for_the_join_that_its_own_beat_shows_to_be_needed() -> None:
    """A session that ended is no log that cannot be used."""
    control: Any = Fallen()
    scene = Scene(FakeLog(boot_ms), control)
    sent: list[int] = []
    with pytest.raises(NotAccepted, match="not this agent's any more"):
        await Effects(control, scene).undo(7, scene.ready, scene.look, sent.append)
    assert control.joins == 1
    assert sent == []
