"""A claim's writes: fenced, in doubt until answered, settled before it may go (coordination.md 4 and 8)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from fake_log import FakeLog
from fenced_cluster import TIMES, Cluster, boot_ms

from agent.actions import NotKnown, Ports, Stopped
from agent.actions.configs import apply, undo
from agent.control_topic import ControlTopic, Effects, Settings, Surroundings, Times
from agent.daemon.fence import ClaimWrites, Fence
from agent.daemon.settling import settle
from agent.kafka.errors import KafkaInDoubt, KafkaRefused
from agent.model import Change, Operation, Policy
from agent.rehearsal.virtual_time import run

CHANGE = Change("broker/1", "follower.replication.throttled.rate", Operation.SET, None, "1000007")
EFFECT = json.dumps({"action": "a", "owner": "broker-1", "changes": []})


@dataclass
class Scene:
    """A holder of a dirty claim."""

    topic: ControlTopic
    log: FakeLog
    cluster: Cluster
    writes: ClaimWrites
    fence: Fence
    ports: Ports
    told: list[str] = field(default_factory=list)

    async def settled(self) -> Any:
        """What stands once it is sure."""
        sent = self.writes.doubt
        assert sent is not None
        seen = await settle(self.fence, sent, self._observe, self.told.append)
        self.writes.settled(sent)
        return seen

    async def _observe(self) -> str:
        return self.cluster.values.get("broker/1", {}).get(CHANGE.key, "absent")


def bare(cluster: Any) -> Ports:
    """What it is sent by where nothing fences it."""
    return Ports(cluster, 1, cluster, Policy(), boot_ms, asyncio.sleep, cluster)


def play(story: Callable[[Scene], Coroutine[Any, Any, None]], look: str | None = None) -> Scene:
    async def whole() -> Scene:
        log, cluster = FakeLog(boot_ms), Cluster()
        settings = Settings("broker-1", "h", times=TIMES, create=True)
        topic = ControlTopic(log, settings, Surroundings(boot_ms, boot=boot_ms))
        await topic.start()
        claim = await topic.claim("throttle", ["throttle"], "p", "why")
        await topic.granted(claim)
        await topic.intent(claim, EFFECT)
        whole: Any = cluster
        fence = Fence(topic, Effects(topic, cluster), whole, cluster.process)
        writes = ClaimWrites(fence, claim, 1)

        async def refusing() -> str | None:
            return look

        async def allowing() -> str | None:
            return None

        ports = writes.ports(bare(cluster), refusing, allowing)
        scene = Scene(topic, log, cluster, writes, fence, ports)
        await story(scene)
        assert not cluster.killed
        await topic._life.stop()
        return scene

    return run(whole())


def test_an_answered_write_leaves_no_doubt() -> None:
    async def story(scene: Scene) -> None:
        await apply([CHANGE], scene.ports)
        assert scene.cluster.values == {"broker/1": {CHANGE.key: "1000007"}}
        await undo([CHANGE], scene.ports)
        assert scene.cluster.values["broker/1"] == {}
        assert scene.writes.doubt is None

    assert play(story).cluster.writes == 2


def test_each_write_is_preceded_by_a_beat() -> None:
    async def story(scene: Scene) -> None:
        await apply([CHANGE], scene.ports)
        newest = [json.loads(record.value)["t"] for record in scene.log.records][-2:]
        assert newest[-1] == "beat"

    play(story)


def test_whom_the_last_look_reads_from_is_connected_before_the_deadman_is_armed() -> None:
    """Rule 4: no name is looked up and nothing connected from there on."""
    listed = Change("topic/t", "follower.replication.throttled.replicas", Operation.APPEND, None, "3:1")

    async def story(scene: Scene) -> None:
        await apply([CHANGE, listed], scene.ports)
        await undo([CHANGE, listed], scene.ports)

    told = ["broker 1", "armed", "any broker", "armed"]
    assert play(story).cluster.steps == [*told, *told[2:], *told]  # the list is emptied, and then deleted


def test_a_refused_write_was_not_done() -> None:
    async def story(scene: Scene) -> None:
        scene.cluster.fate = "refused"
        with pytest.raises(KafkaRefused):
            await apply([CHANGE], scene.ports)
        assert scene.writes.doubt is None

    play(story)


def test_a_lost_answer_is_read_back_first() -> None:
    async def story(scene: Scene) -> None:
        scene.cluster.fate = "lost answer"
        await apply([CHANGE], scene.ports)
        assert scene.writes.doubt is None

    assert play(story).cluster.writes == 1


def test_what_is_absent_proves_no_delete_of_ours() -> None:
    """An operator removed the key, too; our request may still strip what the next one sets."""

    async def story(scene: Scene) -> None:
        await apply([CHANGE], scene.ports)
        scene.cluster.fate, sent = "late", scene.cluster.writes
        undoing, begun = asyncio.ensure_future(undo([CHANGE], scene.ports)), boot_ms()
        while scene.cluster.writes == sent:
            await asyncio.sleep(0.001)
        scene.cluster.values["broker/1"].clear()
        await undoing
        assert scene.writes.doubt is not None
        assert await scene.settled() == "absent"
        assert boot_ms() - begun >= TIMES.e_controller

    play(story)


def test_what_lands_late_is_seen_before_it_is_called_settled() -> None:
    """Undone half a minute early it would stand for ever."""

    async def story(scene: Scene) -> None:
        scene.cluster.fate = "late"
        begun = boot_ms()
        with pytest.raises(KafkaInDoubt):
            await apply([CHANGE], scene.ports)
        assert await scene.settled() == "1000007"
        assert boot_ms() - begun >= 30_000 + TIMES.e_controller
        assert scene.writes.doubt is None
        assert "it may land for another" in scene.told[0]

    play(story)


def test_a_target_that_is_silent_settles_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.cluster.fate = "never"
        with pytest.raises(KafkaInDoubt):
            await apply([CHANGE], scene.ports)
        scene.cluster.answering = False
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(scene.settled(), 1_000)
        assert "does not answer" in scene.told[-1]
        scene.cluster.answering, begun = True, boot_ms()
        assert await scene.settled() == "absent"
        assert boot_ms() - begun >= TIMES.e_controller

    play(story)


def test_a_cancelled_write_is_in_doubt() -> None:
    """The carrier stops an action in its midst where things get worse."""

    async def story(scene: Scene) -> None:
        scene.cluster.fate = "late"
        work = asyncio.ensure_future(apply([CHANGE], scene.ports))
        while not scene.cluster.writes:
            await asyncio.sleep(0.001)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert scene.writes.doubt is not None

    play(story)


def test_the_last_look_refuses_what_takes_and_not_what_puts_back() -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(Stopped, match="healthy elsewhere: broker 3 is down"):
            await apply([CHANGE], scene.ports)
        assert (scene.writes.begun, scene.writes.refused) == (False, "healthy elsewhere: broker 3 is down")
        scene.cluster.values["broker/1"] = {CHANGE.key: str(CHANGE.new)}
        await undo([CHANGE], scene.ports)
        assert scene.cluster.values["broker/1"] == {}

    play(story, look="healthy elsewhere: broker 3 is down")


def test_what_cannot_be_looked_at_now_is_asked_again_and_nothing_is_in_doubt() -> None:
    """The sources are silent for a minute between a throttle's first write and its next."""
    other = Change("topic/orders", "follower.replication.throttled.replicas", Operation.APPEND, None, "3:1")

    async def story(scene: Scene) -> None:
        begun, tries = boot_ms(), 0

        async def look() -> str | None:
            nonlocal tries
            if not scene.writes.begun or boot_ms() - begun > 60_000:
                return None
            tries += 1
            raise NotKnown("the cluster's state is not known")

        scene.cluster.values["topic/orders"] = {}
        await apply([other, CHANGE], scene.writes.ports(bare(scene.cluster), look, look))
        assert tries <= 7
        assert scene.cluster.values["broker/1"] == {CHANGE.key: "1000007"}
        assert scene.writes.doubt is None

    assert play(story).cluster.writes == 2


async def set_times(scene: Scene, **values: int) -> None:
    """They are in force when it returns: longer ones, and shorter ones of a doubt, count late."""
    await scene.topic.order("params", {"values": values, "expect": -1, "reason": "r", "by": "p"})
    await asyncio.sleep((TIMES.act + TIMES.e_controller) / 1_000 + 1)
    await scene.topic.barrier()
    assert {name: scene.topic.params[name] for name in values} == values


def test_longer_times_say_how_long_it_is_in_doubt() -> None:
    async def story(scene: Scene) -> None:
        scene.writes.suspect()
        await set_times(scene, e_controller=300_000)
        begun = boot_ms()
        assert await scene.settled() == "absent"
        assert 300_000 <= boot_ms() - begun <= 302_000

    play(story)


def test_what_left_under_longer_times_is_as_long_in_doubt_after_they_were_shortened() -> None:
    """Its broker was silent all the while, and its connection's own time-out is still the older one."""

    async def story(scene: Scene) -> None:
        scene.cluster.fate = "never"
        with pytest.raises(KafkaInDoubt):
            await apply([CHANGE], scene.ports)
        scene.writes.suspect()
        sent = boot_ms()
        await set_times(scene, act=1_000, e_controller=10_000)
        doubt = scene.writes.doubt
        assert doubt is not None
        assert (doubt.act, doubt.e) == (TIMES.act, TIMES.e_controller)
        scene.writes.settled(doubt)
        assert scene.writes.doubt is None
        scene.writes.suspect()
        assert scene.writes.doubt is not None
        assert (scene.writes.doubt.act, scene.writes.doubt.e) == (1_000, 10_000)
        assert boot_ms() - sent > TIMES.act + TIMES.e_controller

    play(story)


def test_from_the_order_of_a_shorter_act_on_nothing_leaves_later_than_by_it() -> None:
    """What left right before it counts would outlast the doubt of who adopts the claim right after."""

    async def story(scene: Scene) -> None:
        values = {"act": 1_000}
        await scene.topic.order("params", {"values": values, "expect": -1, "reason": "r", "by": "p"})
        assert (scene.topic.params["act"], scene.topic.act) == (TIMES.act, 1_000)
        scene.cluster.act = 1_000
        await apply([CHANGE], scene.ports)
        assert scene.topic.act_by() - boot_ms() <= 1_000

    play(story)


@pytest.mark.parametrize("e", [5_000, 300_000])
def test_the_log_says_how_long_it_is_in_doubt_and_not_the_agents_own_settings(e: int) -> None:
    """By which it goes until it has read the log."""

    async def whole() -> None:
        log, cluster = FakeLog(boot_ms), Cluster()
        around = Surroundings(boot_ms, boot=boot_ms)
        times = Times(settle=0, probation=0, e_controller=e)
        other = ControlTopic(log, Settings("broker-2", "i", times=times, create=True), around)
        await other.start()
        topic = ControlTopic(log, Settings("broker-1", "h", times=TIMES), around)
        whole: Any = cluster
        writes = ClaimWrites(Fence(topic, Effects(topic, cluster), whole, cluster.process), 7, 1)
        writes.suspect()
        assert writes.doubt is not None
        assert writes.doubt.e == TIMES.e_controller != e
        await topic.start()
        assert (writes.doubt.act, writes.doubt.e) == (TIMES.act, e)
        await topic._life.stop()
        await other._life.stop()

    run(whole())


def test_what_another_may_have_sent_is_in_doubt_from_now_on() -> None:
    """After a restart, and after an adoption."""

    async def story(scene: Scene) -> None:
        begun = boot_ms()
        scene.writes.suspect()
        assert await scene.settled() == "absent"
        assert boot_ms() - begun >= TIMES.act + TIMES.e_controller

    play(story)


def test_what_is_sent_to_another_broker_is_in_doubt_there() -> None:
    """An adopter's undo of a broker's own setting: only that broker takes it, whoever sends it."""

    async def story(scene: Scene) -> None:
        scene.cluster.fate = "late"
        other = Change("broker/9", CHANGE.key, Operation.SET, None, "1000007")
        with pytest.raises(KafkaInDoubt):
            await apply((other,), scene.ports)
        assert scene.writes.doubt is not None
        assert scene.writes.doubt.targets == {"broker 9": "pid 7", "the controller": None}

    assert play(story).cluster.vias == [9]
