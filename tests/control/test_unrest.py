"""Storms of joins and leaders that flap (coordination.md section 9) are told while they last."""

from __future__ import annotations

from scribe import Scribe

from agent.control.unrest import EPOCHS, EPOCHS_IN, JOINS, JOINS_IN, Unrest


def seen(log: Scribe, unrest: Unrest) -> list[str]:
    unrest.saw(log.state, log.last)
    return list(unrest.words(log.state))


def test_section_9_a_storm_of_joins_is_told_by_name_until_it_rests() -> None:
    log, unrest = Scribe.born(), Unrest()
    other = log.join("broker-1")
    for _ in range(JOINS):
        log.join("broker-2")
        assert seen(log, unrest) == []
    log.join("broker-2")
    (words,) = seen(log, unrest)
    assert words.startswith("broker-2 joined more than 5 times within ten minutes: ")
    log.wait(other, JOINS_IN)
    assert seen(log, unrest) == []


def test_section_9_joins_of_many_or_over_a_long_time_are_no_storm() -> None:
    log, unrest = Scribe.born(), Unrest()
    other = log.join("broker-1")
    for number in range(2, 2 + 3 * JOINS):
        log.join(f"broker-{number}")
        assert seen(log, unrest) == []
    for _ in range(2 * JOINS):
        log.join("broker-2")
        assert seen(log, unrest) == []
        log.wait(other, JOINS_IN // 3)


def test_section_9_a_void_join_is_none() -> None:
    log, unrest = Scribe.born(), Unrest()
    log.join("broker-1")
    join = log.log[-1].value
    for _ in range(2 * JOINS):
        assert log.raw(join).void is not None
        assert seen(log, unrest) == []


def test_section_9_a_leader_that_flaps_is_told() -> None:
    log, unrest = Scribe.born(), Unrest()
    one = log.join("broker-1")
    assert seen(log, unrest) == []
    for _ in range(EPOCHS):
        log.epoch += 1
        log.beat(one)
        assert seen(log, unrest) == []
    log.epoch += 1
    log.beat(one)
    (words,) = seen(log, unrest)
    assert words.startswith("the control topic's leader changed more than 3 times within a minute: ")
    log.wait(one, EPOCHS_IN)
    assert seen(log, unrest) == []
