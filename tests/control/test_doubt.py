"""Rule 5 of coordination.md section 4: in doubt is not failed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control.doubt import Doubt, Look, Sent

ACT, E = 2_000, 5_000
EVERY = 500


def sent(at: int = 0, **targets: str | None) -> Sent:
    """Sent to broker 1 unless named."""
    return Sent(at, ACT, E, targets or {"b1": None})


def look(at: int, seen: str | None = "absent", **answered: str | None) -> Look:
    """Quick, and broker 1 answers unless others are named."""
    return Look(at, at + 10, answered or {"b1": None}, seen)


def settles(doubt: Doubt, looks: list[Look]) -> int | None:
    """When it was settled."""
    return next((each.begun for each in looks if doubt.look(each)), None)


def steady(until: int, since: int = 0) -> list[Look]:
    return [look(at) for at in range(since, until, EVERY)]


def test_two_equal_observations_at_least_e_apart_after_act_settle_it() -> None:
    assert settles(Doubt(sent()), steady(60_000)) == ACT + E + EVERY  # the first look ends after its begin


def test_an_observation_before_act_is_over_counts_for_nothing() -> None:
    assert settles(Doubt(sent(at=3_000)), steady(60_000)) == 3_000 + ACT + E + EVERY


def test_what_lands_meanwhile_begins_anew() -> None:
    doubt = Doubt(sent())
    assert settles(doubt, [*steady(6_000), *(look(at, "there") for at in range(6_000, 60_000, EVERY))]) == (
        6_000 + E + EVERY
    )
    assert doubt.settled == "there"


def test_e_starts_again_at_the_first_answer_after_a_silence() -> None:
    """A stopped broker executes its socket's buffer on waking."""
    stopped = [Look(at, at + 1_000, {}, "absent") for at in range(5_000, 30_000, 1_000)]
    looks = [*steady(5_000), *stopped, *steady(60_000, since=30_000)]
    assert settles(Doubt(sent()), looks) == 30_000 + E + EVERY


@pytest.mark.parametrize(
    ("hole", "ends"),
    [
        pytest.param([], 7_500, id="the observer slept"),
        pytest.param([Look(5_000, 6_500, {"b1": None}, "absent")], 6_500, id="it answered too late"),
        pytest.param([Look(5_000, 5_010, {"controller": None}, "absent")], 5_010, id="another answered"),
    ],
)
def test_what_was_not_observed_was_silent(hole: list[Look], ends: int) -> None:
    looks = [*steady(5_000), *hole, *steady(60_000, since=7_500)]
    assert (settles(Doubt(sent()), looks) or 0) >= ends + E


def test_the_controller_must_answer_too() -> None:
    doubt = Doubt(sent(b1=None, controller=None))
    assert settles(doubt, [look(at, b1=None) for at in range(0, 60_000, EVERY)]) is None
    assert doubt.words(60_000) == "a request is in doubt, and controller does not answer"
    assert settles(doubt, [look(at, b1=None, controller=None) for at in range(60_000, 90_000, EVERY)])


def test_one_observation_suffices_where_every_target_is_another_process() -> None:
    doubt = Doubt(sent(b1="pid 7"))
    assert not doubt.look(look(2_500, b1="pid 7"))
    assert not doubt.look(Look(3_000, 4_000, {}, None))
    assert not doubt.look(look(9_000, b1="pid 8"))  # what it saw may be older than the process
    assert doubt.look(look(9_500, b1="pid 8"))


def test_a_new_process_of_one_target_says_nothing_of_the_other() -> None:
    doubt = Doubt(sent(b1="pid 7", controller=None))
    looks = [look(at, b1="pid 8", controller=None) for at in range(2_000, 60_000, EVERY)]
    assert settles(doubt, looks) == 2_000 + E + EVERY


def test_a_process_that_began_sooner_is_not_the_next_one() -> None:
    """Of two brokers of a host the other one was taken for the target meanwhile."""
    doubt = Doubt(sent(b1="pid 7 started at 1000"))
    looks = [look(at, b1="pid 8 started at 900") for at in range(2_000, 60_000, EVERY)]
    assert settles(doubt, looks) == 2_000 + E + EVERY
    doubt = Doubt(sent(b1="pid 7 started at 900"))
    assert settles(doubt, [look(at, b1="pid 8 started at 1000") for at in (2_000, 2_500, 3_000)]) == 2_500


def test_whose_process_nobody_knows_is_not_taken_for_another() -> None:
    doubt = Doubt(sent(b1=None))
    assert not doubt.look(look(2_500, b1="pid 8"))
    doubt = Doubt(sent(b1="pid 7"))
    assert not doubt.look(look(2_500, b1=None))


def test_it_is_not_settled_by_what_could_not_be_observed() -> None:
    assert settles(Doubt(sent()), [look(at, None) for at in range(0, 60_000, EVERY)]) is None


def test_words_tell_how_long() -> None:
    doubt = Doubt(sent())
    assert doubt.words(0) == "a request is in doubt: it may land for another 7 s"
    doubt.look(look(2_500))
    assert doubt.words(3_000) == "a request is in doubt: it may land for another 5 s"


@dataclass
class World:
    """A broker that stops and wakes, and executes what it was sent within E of answering time after each."""

    stops: list[tuple[int, int]]
    lands: int = 0
    told: list[str] = field(default_factory=list)

    def up(self, at: int) -> bool:
        return not any(begin <= at < end for begin, end in self.stops)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Stops of at least 2.5 s, which no observer can miss, and a landing that the law allows: within E after
    ACT, or within E after the broker woke if it stopped before that was over."""
    stops, at, lands = [], 0, draw(st.integers(0, ACT + E - 1))
    for _ in range(draw(st.integers(0, 4))):
        begin = at + draw(st.integers(1, 12_000))
        at = begin + draw(st.integers(2_500, 30_000))
        stops.append((begin, at))
        if lands >= begin:
            lands = at + draw(st.integers(0, E - 1))
    return World(stops, lands)


@given(worlds(), st.integers(0, 499), st.integers(50, 900))
def test_nothing_lands_after_it_was_settled(world: World, phase: int, pause: int) -> None:
    doubt, at = Doubt(sent()), phase
    while at < 400_000:
        up = world.up(at)
        ended = at + (10 if up else 1_000)
        seen = ("there" if world.lands <= at else "absent") if up else None
        if doubt.look(Look(at, ended, {"b1": None} if up else {}, seen)):
            assert world.lands <= at, f"settled at {at}, landed at {world.lands}; {world.stops}"
            assert doubt.settled == "there"
            return
        at = ended + pause
    pytest.fail("it was never settled, although the broker answered for minutes")
