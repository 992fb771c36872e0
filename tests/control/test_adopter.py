"""Rule 8 of coordination.md section 4: whose turn it is to adopt what a dead agent left, by boot time."""

from __future__ import annotations

import pytest
from scribe import Scribe

from agent.control.adopter import OTHERS, Adopter, own_orphans
from agent.control.witness import RANK_STEP, rank


class Left:
    """Two agents that see what broker-1 left at boot time 5,000."""

    def __init__(self, host: str = "", *, dirty: bool = True, **claim: object) -> None:
        self.log = Scribe.born()
        one = self.log.join("broker-1")
        self.two, self.three = self.log.join("broker-2"), self.log.join("broker-3")
        self.claim = self.log.claimed(one, "x:topic/a", host=host, **claim)
        if dirty:
            self.log.intent(one, self.claim)
        else:
            self.log.epoch += 1  # it may have been dirty, and the intent lost with a tail
            self.log.beat(self.two)
        self.adopter = Adopter()
        if dirty:
            self.log.say(one, "leave")
        else:
            self.log.join("broker-1")
        self.adopter.saw(self.log.last, 5_000)

    def turns(self, session: int, boot: int) -> list[int]:
        return [c.id for c in self.adopter.others_orphans(self.log.state, session, boot)]


def test_others_wait_for_the_patients_own_host_and_then_for_their_rank() -> None:
    left = Left()
    for session in (left.two, left.three):
        due = 5_000 + OTHERS + RANK_STEP * rank(left.log.state, left.claim, session)
        assert left.turns(session, due - 1) == []
        assert left.turns(session, due) == [left.claim]


@pytest.mark.parametrize(("host", "whose"), [("broker-2", [True, False]), ("elsewhere", [False, False])])
def test_what_has_a_host_is_adopted_there_only(host: str, whose: list[bool]) -> None:
    left = Left(host)
    assert [bool(left.turns(session, 10**6)) for session in (left.two, left.three)] == whose


def test_who_cannot_finish_it_leaves_it_to_who_can() -> None:
    left = Left()
    state = left.log.state
    assert list(left.adopter.others_orphans(state, left.two, 10**6, lambda _: False)) == []
    assert left.turns(left.three, 10**6) == [left.claim]
    again = left.log.join("broker-1")
    assert [c.id for c in own_orphans(left.log.state, again)] == [left.claim]
    assert list(own_orphans(left.log.state, again, lambda _: False)) == []


def test_without_an_effect_it_is_its_own_agents() -> None:
    left = Left(dirty=False)
    assert left.log.state.claims[left.claim].effect is None
    assert left.turns(left.two, 10**6) == []


def test_rule_9_without_an_effect_others_adopt_where_its_plan_says_where_its_stamp_would_stand() -> None:
    left = Left(dirty=False, plan=[{"resource": "broker/1", "key": "rate"}])
    assert left.log.state.claims[left.claim].effect is None
    assert left.turns(left.two, 5_000 + OTHERS - 1) == []
    assert left.turns(left.two, 10**6) == [left.claim]


def test_who_began_with_a_snapshot_counts_from_when_it_first_looked() -> None:
    left = Left()
    left.adopter = Adopter()
    assert left.turns(left.two, 50_000) == []
    assert left.turns(left.two, 50_000 + OTHERS + 2 * RANK_STEP) == [left.claim]


def test_one_that_was_adopted_and_left_again_begins_anew() -> None:
    left = Left()
    left.log.adopt(left.two, left.claim)
    left.adopter.saw(left.log.last, 6_000)
    left.log.say(left.two, "leave")
    left.adopter.saw(left.log.last, 90_000)
    assert left.turns(left.three, 90_000 + OTHERS - 1) == []
    assert left.turns(left.three, 90_000 + OTHERS + 2 * RANK_STEP) == [left.claim]
