"""A person approves what they were shown, and nothing else is done for it: in virtual time."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from asking_stage import Sluggish, TopicBrake, asking, one
from claiming_stage import braking, giving, reload
from msgspec.structs import replace
from stage import Stage, kinds

from agent.daemon.proposals import answer
from agent.history import Phase
from agent.model import Effect, Entry, Kind, Mode
from agent.rehearsal.virtual_time import run
from agent.surface import Refused


async def world_has(stage: Stage, *names: str, seconds: float = 0) -> None:
    """Other topics from now on."""
    await stage.play(seconds, topics=names)


def written(stage: Stage, kind: Kind) -> list[Entry]:
    """The entries of a kind."""
    return [entry for entry in stage.entries() if entry.kind is kind]


def topics(effect: Effect | None) -> list[str]:
    """What an effect touches, but for the disk."""
    return [c.resource.removeprefix("topic/") for c in effect.changes[1:]] if effect else []


async def says(stage: Stage, verb: str, named: str) -> None:
    """Ann's word, and time for it to be heeded."""
    await answer(stage.means, named, verb, "looked", "ann")
    stage.daemon.wake()
    await stage.play(20)


def test_an_approval_of_what_a_reload_changed_is_refused_and_says_what_stands_now() -> None:
    async def story() -> Stage:
        stage = await asking(braking("10MB", Mode.PROPOSE))
        seen = one(stage).proposal
        reload(stage, braking("10kB", Mode.PROPOSE))
        await stage.play(30)
        now = one(stage).proposal
        words = (
            f"nothing is proposed as '{seen}'; proposed are now:\n"
            f"  brake for /d1 (Full): ottla approve {now}\n"
            f"    disk/1: brake from absent to 10kB\n"
            f"    topic/a: brake from absent to 10kB"
        )
        with pytest.raises(Refused) as refused:
            await says(stage, "approve", seen)
        assert str(refused.value) == words
        assert stage.disk.applied == 0
        await says(stage, "approve", now)
        await stage.crash()
        return stage

    stage = run(story())

    (started,) = written(stage, Kind.STARTED)
    assert started.decision is not None
    assert started.decision.args == (("rate", "10kB"),)


def test_an_approval_that_meets_a_reload_begins_nothing() -> None:
    """It came before the next round had asked anew."""

    async def story() -> Stage:
        stage = await asking(braking("10MB", Mode.PROPOSE))
        reload(stage, braking("10kB", Mode.PROPOSE))
        await says(stage, "approve", one(stage).proposal)
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.applied == 0
    assert kinds(stage.told()) == ["proposed", "operator", "proposed"], stage.told()


def test_what_was_denied_stays_so_though_a_reload_holds_it_otherwise() -> None:
    """It would do the same for another time; what would do something else is asked for anew."""

    async def story() -> Stage:
        rules = braking("10MB", Mode.PROPOSE)
        (step,) = rules.remedies["Full"].steps
        stage = await asking(rules)
        await says(stage, "deny", one(stage).proposal)
        reload(stage, giving(replace(step, lease_ms=600_000), Mode.PROPOSE))
        await stage.play(60)
        assert one(stage).phase is Phase.REFUSED
        reload(stage, braking("10kB", Mode.PROPOSE))
        await stage.play(60)
        assert one(stage).phase is Phase.PROPOSED
        await stage.crash()
        return stage

    assert run(story()).disk.applied == 0


def test_the_incident_s_name_approves_nothing() -> None:
    async def story() -> None:
        stage = await asking()
        with pytest.raises(Refused, match="approve by the name of what you were shown, and not by that of"):
            await says(stage, "approve", one(stage).id)
        with pytest.raises(Refused, match="nothing is proposed as ''"):
            await says(stage, "approve", "")
        await says(stage, "deny", one(stage).id)
        assert kinds(stage.told()) == ["proposed", "operator", "refused"]
        await stage.crash()

    run(story())


def test_a_plan_that_has_become_another_is_proposed_anew_and_not_each_round() -> None:
    async def story() -> Stage:
        stage = await asking()
        await world_has(stage, "a", "b", "c", seconds=6 * 60)
        assert topics(one(stage).effect) == ["a", "b", "c"], "what status shows"
        await stage.play(3_600)
        await says(stage, "approve", one(stage).proposal)
        await stage.crash()
        return stage

    stage = run(story())

    assert [topics(e.effect) for e in written(stage, Kind.PROPOSED)] == [["a"], ["a", "b", "c"]]
    assert [topics(e.effect) for e in written(stage, Kind.STARTED)] == [["a", "b", "c"]]


def test_what_nobody_answers_is_planned_every_five_minutes() -> None:
    """A plan of a throttle asks each leader's broker."""

    async def story() -> tuple[Stage, list[int]]:
        stage = await asking()
        brake, plans = cast(TopicBrake, stage.scenery.actions["brake"]), []
        for _ in range(2):
            before = brake.plans
            await stage.play(3_600)
            plans.append(brake.plans - before)
            await stage.crash()
            await stage.start()
        await stage.crash()
        return stage, plans

    stage, plans = run(story())

    assert all(11 <= of <= 13 for of in plans), plans
    assert kinds(stage.told()) == ["proposed"]


def test_what_the_plan_has_become_since_it_was_shown_is_not_done() -> None:
    """The person is asked again at once, and each time that they approve what is another by then."""

    async def story() -> Stage:
        stage = await asking()
        await world_has(stage, "a", "b")
        await says(stage, "approve", one(stage).proposal)
        await world_has(stage, "a", "b", "c")
        await says(stage, "approve", one(stage).proposal)
        assert stage.disk.applied == 0
        await says(stage, "approve", one(stage).proposal)
        await stage.crash()
        return stage

    stage = run(story())

    proposed = [topics(e.effect) for e in written(stage, Kind.PROPOSED)]
    assert proposed == [["a"], ["a", "b"], ["a", "b", "c"]], stage.told()
    assert written(stage, Kind.PROPOSED)[1].reason.endswith("; ann: looked approved another plan")
    assert [topics(e.effect) for e in written(stage, Kind.STARTED)] == [["a", "b", "c"]]


def test_a_number_that_is_measured_anew_changes_no_name() -> None:
    """Nor does it fill the journal while a person thinks."""

    async def story() -> Stage:
        stage = await asking()
        seen = one(stage).proposal
        for minute in range(30):
            await stage.play(60, measured=1_000 + minute)
        await says(stage, "approve", seen)
        await stage.crash()
        return stage

    stage = run(story())

    assert kinds(stage.told())[:3] == ["proposed", "operator", "started"], stage.told()
    (started,) = written(stage, Kind.STARTED)
    assert started.effect is not None
    assert started.effect.changes[0].new == "1029"


def test_less_than_what_was_shown_is_done_without_asking_again() -> None:
    async def story() -> Stage:
        stage = await asking()
        await world_has(stage)
        await says(stage, "approve", one(stage).proposal)
        await stage.crash()
        return stage

    assert [topics(e.effect) for e in written(run(story()), Kind.STARTED)] == [[]]


def test_an_approval_counts_for_no_plan_that_was_written_while_it_was_given() -> None:
    """It was shown one topic, and behind the new proposal its word would have stood for three."""

    async def story() -> Stage:
        journal = Sluggish()
        stage = await asking(journal=journal)
        seen = one(stage).proposal
        await world_has(stage, "a", "b", "c")
        journal.seconds = 3.0
        journal.proposing.clear()
        await journal.proposing.wait()
        with pytest.raises(Refused, match=f"nothing is proposed as '{seen}'; proposed are now:"):
            await says(stage, "approve", seen)
        journal.seconds = 0
        await stage.play(400)
        await stage.crash()
        return stage

    stage = run(story())

    assert kinds(stage.told()) == ["proposed", "proposed"], stage.told()
    assert stage.disk.applied == 0


def test_nothing_is_proposed_again_behind_a_word_that_is_just_given() -> None:
    """What was planned before it would have to be answered once more, five minutes later."""

    async def story() -> Stage:
        journal = Sluggish()
        stage = await asking(journal=journal)
        await world_has(stage, "a", "b", seconds=230)
        journal.seconds = 30.0
        brake = cast(TopicBrake, stage.scenery.actions["brake"])
        plans = brake.plans
        word = asyncio.ensure_future(answer(stage.means, one(stage).proposal, "approve", "looked", "ann"))
        await stage.play(29)
        assert brake.plans > plans, "it was planned anew while the word was written"
        await world_has(stage, "a")
        await word
        journal.seconds = 0
        await stage.play(40)
        await stage.crash()
        return stage

    stage = run(story())

    assert kinds(stage.told())[:3] == ["proposed", "operator", "started"], stage.told()
    assert [topics(e.effect) for e in written(stage, Kind.STARTED)] == [["a"]]


@pytest.mark.parametrize("back_ms", [0, 120_000])
def test_a_word_counts_at_once_though_the_clock_was_set_back(back_ms: int) -> None:
    """It came after the proposal, whatever the clock says of both."""

    async def story() -> Stage:
        stage = await asking()
        stage.start_ms -= back_ms
        await stage.play(60)
        await says(stage, "approve", one(stage).proposal)
        await stage.crash()
        return stage

    told = kinds(run(story()).told())

    assert told[:3] == ["proposed", "operator", "started"], told


@pytest.mark.parametrize("step_ms", [-3_600_000, 0, 3_600_000])
@pytest.mark.parametrize(("minutes", "counts"), [(14, True), (16, False)])
def test_a_word_counts_for_a_quarter_of_an_hour_whatever_the_clock_is_set_to(
    step_ms: int, minutes: int, counts: bool
) -> None:
    """Something else keeps it from beginning so long."""

    async def story() -> Stage:
        stage = await asking()
        await stage.play(0, fenced=frozenset({3}))
        await says(stage, "approve", one(stage).proposal)
        stage.start_ms += step_ms
        await stage.play(60 * minutes - 20)
        assert stage.disk.applied == 0
        await stage.play(20, fenced=frozenset())
        await stage.crash()
        return stage

    stage = run(story())

    assert stage.disk.applied == counts, stage.told()
    if not counts:
        assert written(stage, Kind.PROPOSED)[-1].reason.endswith("ann: looked approved it more than 15m ago")
