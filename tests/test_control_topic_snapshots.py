"""Snapshots over a log in memory, in virtual time: who writes them, who starts from which, and what is none
to start from (coordination.md section 6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from fake_log import FakeLog
from msgspec.structs import replace as replaced
from shelf import Shelf
from virtual_clock import eventually, now

from agent.control.canonical import canonical
from agent.control.digests import sha256
from agent.control.fold import Verdict, fold
from agent.control.records import Record, decode, encode
from agent.control.snapshot import dump, load
from agent.control.state import State
from agent.control_topic import LAB, ControlTopic, Settings, Surroundings
from agent.control_topic.follower import BeginningGone
from agent.control_topic.start import Start
from agent.kafka.errors import KafkaInDoubt
from agent.rehearsal.virtual_time import run

EVERY = 15
TIMES = replace(LAB, settle=0, probation=0)


class Fleet:
    """A log that is marked at every 15th offset, and the agents on it."""

    def __init__(self) -> None:
        self.log = FakeLog(now)
        self.agents: list[ControlTopic] = []

    def agent(self, number: int, shelf: Shelf | None = None) -> ControlTopic:
        """A process that has not started yet."""
        settings = Settings(f"broker-{number}", f"host{number}", times=TIMES, create=True, mark_every=EVERY)
        self.agents.append(ControlTopic(self.log, settings, Surroundings(now, memory=shelf)))
        return self.agents[-1]

    async def start(self, number: int, shelf: Shelf | None = None) -> ControlTopic:
        """A process that has joined."""
        agent = self.agent(number, shelf)
        await agent.start()
        assert agent.degraded is None, agent.degraded
        return agent

    async def stop(self) -> None:
        """Every process ends without a word."""
        for agent in self.agents:
            await agent._life.stop()

    def folded(self) -> list[tuple[State, Verdict]]:
        """The log from its start, by a fold of its own."""
        state, found = State(), []
        for record in self.log.records:
            state, verdict = fold(state, record, EVERY)
            found.append((state, verdict))
        return found

    def snapshots(self) -> list[tuple[State, Verdict]]:
        """Those in it, accepted or not."""
        return [(s, v) for s, v in self.folded() if v.record and v.record.t == "snapshot"]

    async def snapshot(self, above: int = 0) -> int:
        """The offset of the first mark above that one whose snapshot was accepted, some records ago."""

        def there() -> list[State]:
            return [s for s, v in self.snapshots() if v.void is None and s.mark.offset > above]

        await eventually(there, "a snapshot")
        at, place = there()[0].mark.offset, there()[0].offset
        await eventually(lambda: len(self.log.records) > place + 6, "beats behind it")
        return at

    def cut(self, place: int) -> None:
        """Retention deletes what lies before that offset: nobody may even look at it."""
        self.log.log_start = place
        self.log.records[:place] = [None] * place  # type: ignore[list-item]

    def follow(self, agent: ControlTopic) -> State:
        """The state of a stopped agent at the log's end."""
        state = agent.state
        for record in self.log.records[state.offset + 1 :]:
            state, _ = fold(state, record, EVERY)
        return state

    async def forge(self, writer: str, at: int, altered: dict[str, object], *, lies_on: bool = False) -> int:
        """A snapshot in `writer`'s name of a state that never was, but whose hash is right; its offset.
        `lies_on`: its stamp, and those of the beats that follow, are those of who folds from that state. All
        agents are stopped before."""
        state = self.folded()[-1][0]
        false = json.loads(dump(self.folded()[at][0])) | altered
        body = {"at": at, "hash": sha256(canonical(false)), "state": false}
        if lies_on:
            state = load(body)
            for record in self.log.records[at + 1 :]:
                state, _ = fold(state, record, EVERY)
        session = next(s.id for s in state.sessions.values() if s.agent == writer)
        said: list[tuple[str, dict[str, Any]]] = [("snapshot", body)]
        said += [("beat", {"firing": [], "status": ""})] * (3 * lies_on)
        place = len(self.log.records)
        for t, x in said:
            await self.say(state, session, t, x)
            state, verdict = fold(state, self.log.records[-1], EVERY)
            assert not lies_on or verdict.void is None, verdict.void
        return place

    async def say(self, state: State, session: int, t: str, body: dict[str, Any]) -> None:
        """A record of this session, stamped as of that state."""
        live = state.sessions[session]
        record = Record(
            t, state.version, state.log, live.agent, session, live.n + 1, state.offset, state.digest, body
        )
        await self.log.land(encode(record))


def play(story: Callable[[Fleet], Coroutine[Any, Any, None]]) -> None:
    """A story in virtual time."""

    async def whole() -> None:
        fleet = Fleet()
        await story(fleet)
        await fleet.stop()

    run(whole())


def test_one_agent_writes_each_mark_and_beats_right_behind_it() -> None:
    async def story(fleet: Fleet) -> None:
        agents = [await fleet.start(number) for number in (1, 2, 3)]
        at = await fleet.snapshot(await fleet.snapshot())
        written = fleet.snapshots()
        assert [v.void for _, v in written] == [None] * len(written)
        assert [s.mark.offset for s, _ in written] == list(range(EVERY, at + 1, EVERY))
        for state, verdict in written:
            assert verdict.record
            behind = fleet.log.records[state.offset + 1]
            assert behind.at - state.time < 100, "its writer did not beat at once"
            assert (decode(behind.value).a, decode(behind.value).t) == (verdict.record.a, "beat")
        for agent in agents:
            assert agent.snapshots()["newest"] == at
            assert agent.snapshots()["faults"] == []

    play(story)


def test_a_writer_whose_snapshot_is_lost_is_followed_by_the_next_rank() -> None:
    async def story(fleet: Fleet) -> None:
        lost: list[bytes] = []
        append = fleet.log.append

        async def loses(value: bytes, *, apart: bool = False) -> int:
            if apart and not lost:
                lost.append(value)
                raise KafkaInDoubt("produce", "no answer")
            return await append(value, apart=apart)

        fleet.log.append = loses  # type: ignore[method-assign]
        for number in (1, 2, 3):
            await fleet.start(number)
        assert await fleet.snapshot() == EVERY
        state, verdict = fleet.snapshots()[0]
        assert verdict.record
        assert (decode(lost[0]).x["at"], verdict.record.x["at"]) == (EVERY, EVERY)
        assert verdict.record.a != decode(lost[0]).a
        assert 900 < state.time - fleet.log.records[EVERY].at < 2_500

    play(story)


def test_an_own_record_that_overtakes_a_snapshot_makes_it_void_and_waits_for_nothing() -> None:
    async def story(fleet: Fleet) -> None:
        append = fleet.log.append
        slow = [7.0]  # seconds; seven beats

        async def slowly(value: bytes, *, apart: bool = False) -> int:
            if apart and slow:
                await asyncio.sleep(slow.pop())
            return await append(value, apart=apart)

        fleet.log.append = slowly  # type: ignore[method-assign]
        await fleet.start(1)
        await fleet.snapshot()
        pauses = [b.at - a.at for a, b in zip(fleet.log.records, fleet.log.records[1:], strict=False)]
        assert max(pauses) <= 1_600  # beats each second, seen by a poll of half a second
        assert [v.void for _, v in fleet.snapshots()][:2] == ["a copy", None]

    play(story)


def test_a_joiner_starts_from_the_newest_snapshot_although_the_beginning_is_gone() -> None:
    async def story(fleet: Fleet) -> None:
        one, _ = await fleet.start(1), await fleet.start(2)
        at = await fleet.snapshot(await fleet.snapshot())
        fleet.cut(at)
        three = await fleet.start(3)
        assert f"the snapshot of offset {at}, which broker-" in three.snapshots()["folded"]
        assert three.snapshots()["refused"] == 0
        await eventually(lambda: len(three.peers()) == len(one.peers()) == 2, "peers")
        assert await three.claim("throttle", ["throttle"], "p", "why") in three.own_claims()
        await fleet.stop()
        assert dump(fleet.follow(one)) == dump(fleet.follow(three))

    play(story)


def test_a_lost_tail_is_folded_anew_from_a_snapshot() -> None:
    async def story(fleet: Fleet) -> None:
        agents = [await fleet.start(1), await fleet.start(2)]
        await fleet.snapshot(await fleet.snapshot())
        await fleet.log.lose_tail(5, b"another history")
        await eventually(lambda: all("snapshot" in a.snapshots()["folded"] for a in agents), "a fold anew")
        await eventually(lambda: not any(a.degraded for a in agents), "fresh joins")
        await fleet.stop()
        folded = fleet.folded()
        for agent in agents:
            assert dump(agent.state) == dump(folded[agent.state.offset][0])

    play(story)


@pytest.mark.parametrize("lies_on", [False, True])
def test_a_false_snapshot_is_refused_even_if_its_writer_agrees_with_it_and_an_older_one_taken(
    caplog: pytest.LogCaptureFixture, lies_on: bool
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.start(1)
        await fleet.start(2)
        at = await fleet.snapshot()
        await fleet.stop()
        place = await fleet.forge("broker-1", at, {"handled": {"p": 10**12}}, lies_on=lies_on)
        again = fleet.agent(2)
        await again.start()
        await eventually(lambda: again.degraded is None, "a join")
        assert f"the snapshot of offset {at}, which " in again.snapshots()["folded"]
        assert again.snapshots()["refused"] == 1
        assert "p" not in again.state.handled
        why = "nobody but its writer, broker-1," if lies_on else "the log does not take it: stale"
        assert f"no start from the snapshot at {place}: {why}" in caplog.text

    play(story)


@pytest.mark.parametrize(
    "altered", [{"digests": []}, {"params": {}}, {"offset": 3}, {"sessions": {"x": 1}}, {"log": "other"}]
)
def test_a_damaged_snapshot_is_refused_in_words(
    caplog: pytest.LogCaptureFixture, altered: dict[str, object]
) -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.start(1)
        await fleet.start(2)
        at = await fleet.snapshot()
        await fleet.stop()
        place = await fleet.forge("broker-1", at, altered)
        start = Start(fleet.log, every=EVERY)
        begin = await start.find()
        assert (begin.state.offset, start.refused) == (at, 1)
        assert f"no start from the snapshot at {place}: " in caplog.text

    play(story)


def test_what_only_its_writer_confirms_is_no_start_but_for_the_writer_itself() -> None:
    async def story(fleet: Fleet) -> None:
        shelf = Shelf()
        await fleet.start(1, shelf)
        at = await fleet.snapshot()
        fleet.cut(at)
        why = "nobody but its writer, broker-1, has confirmed it yet"
        with pytest.raises(BeginningGone, match=why):
            await Start(fleet.log, every=EVERY).find()
        other = fleet.agent(2)
        await other.start()
        await eventually(lambda: why in (other.degraded or ""), "words")
        assert other.state == State()

        await fleet.stop()
        again = await fleet.start(1, shelf)
        assert again.snapshots()["folded"].endswith(
            "which broker-1 wrote at 16 and this agent's own journal confirms"
        )
        assert again.degraded is None

    play(story)


@pytest.mark.parametrize("count", [1, 4])
def test_a_place_within_a_batch_that_cannot_be_read_is_gone_on_from(count: int) -> None:
    """The mark lies on a record of a batch that stands at its last offset."""

    async def story(fleet: Fleet) -> None:
        await fleet.start(1)
        await fleet.start(2)
        await fleet.snapshot()
        while len(fleet.log.records) % EVERY:
            await fleet.log.land(b"")
        await fleet.log.unreadable_batch(count)
        place = len(fleet.log.records) - count
        at = await fleet.snapshot(place - 1)
        assert at == place
        begin = await Start(fleet.log, every=EVERY).find()
        assert begin.state.offset == at
        three = await fleet.start(3)
        await fleet.stop()
        assert dump(three.state) == dump(fleet.folded()[three.state.offset][0])

    play(story)


def test_a_place_where_another_record_lies_now_is_none_to_start_from() -> None:
    """The snapshot came late, from a history that was lost; who confirms it may have been lost with it."""

    async def story(fleet: Fleet) -> None:
        await fleet.start(1)
        await fleet.start(2)
        at = await fleet.snapshot()
        await fleet.stop()
        old = fleet.log.records[at]
        fleet.log.records[at] = replaced(old, at=old.at + 1)
        start = Start(fleet.log, every=EVERY)
        assert (await start.find()).state.offset == -1
        assert start.refused == 1

    play(story)


@pytest.mark.parametrize(("tried", "gone"), [(1, False), (1, True), (9, False)])
def test_no_more_is_tried_than_there_is_sense_in(
    monkeypatch: pytest.MonkeyPatch, tried: int, gone: bool
) -> None:
    """Each snapshot costs a fold of what lies behind it; the log's start, where it is, is another way."""
    monkeypatch.setattr("agent.control_topic.start.TRIED", tried)
    monkeypatch.setattr("agent.control_topic.start.WITHIN", 3 * EVERY)

    async def story(fleet: Fleet) -> None:
        await fleet.start(1)
        two = await fleet.start(2)
        at = await fleet.snapshot()
        await two._life.stop()
        alone = at
        for _ in range(4):  # nobody else is there to confirm the last ones
            alone = await fleet.snapshot(alone)
        if gone:
            fleet.cut(at)
        start = Start(fleet.log, every=EVERY)
        begin = await start.find()
        assert begin.state.offset < alone
        if tried == 1 and not gone:
            assert (begin.state.offset, start.refused) == (-1, 1)
        else:
            assert begin.state.offset >= at
            assert start.refused > 1

    play(story)
