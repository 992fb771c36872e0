"""What a person is asked: which plans are another one, and which are no more than what was shown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from stories import decision

from agent.model import Change, Effect, Operation, Verify
from agent.proposal import alike, covers, name

RATE = Change("broker/1", "follower.replication.throttled.rate", Operation.SET, None, "10000000")
LIST = Change("topic/a", "follower.replication.throttled.replicas", Operation.APPEND, "7:2", "0:1,3:1")
MOVE = Change("replica/a-0", "log.dir", Operation.MOVE, "/d1", "/d2")
GONE = Change("broker/1", "leader.replication.throttled.rate", Operation.DELETE, "1000", None)
SHOWN = Effect("throttle", "broker-1", (LIST, MOVE, GONE, RATE))


def with_(*changes: Change) -> Effect:
    """The effect with just these."""
    return replace(SHOWN, changes=changes)


@pytest.mark.parametrize(
    "plan",
    [
        SHOWN,
        with_(RATE, LIST),
        with_(replace(LIST, new="3:1")),
        with_(replace(LIST, prior="7:2,8:2")),
        with_(replace(RATE, new="10900000")),
        with_(replace(RATE, new="9100000")),
    ],
    ids=["the same", "fewer", "fewer entries", "others' entries", "a little more", "a little less"],
)
def test_what_changes_no_more_than_was_shown_is_no_news(plan: Effect) -> None:
    assert covers(SHOWN, plan)


@pytest.mark.parametrize(
    "plan",
    [
        with_(replace(RATE, new="11100000")),
        with_(replace(RATE, new="10000")),
        with_(replace(RATE, new="ten")),
        with_(replace(RATE, prior="5000000")),
        with_(replace(RATE, resource="broker/2")),
        with_(replace(RATE, key="leader.replication.throttled.rate")),
        with_(replace(RATE, operation=Operation.DELETE)),
        with_(replace(LIST, new="0:1,3:1,4:1")),
        with_(replace(LIST, resource="topic/b")),
        with_(replace(MOVE, new="/d3")),
        with_(replace(GONE, prior="9000000")),
        replace(SHOWN, action="drain_disk"),
        replace(SHOWN, owner="broker-2"),
    ],
    ids=lambda plan: repr(plan.changes[0]),
)
def test_what_was_not_shown_is_another_plan(plan: Effect) -> None:
    assert not covers(SHOWN, plan)


def test_less_is_told_and_a_measured_number_is_not() -> None:
    assert not alike(SHOWN, with_(RATE))
    assert alike(SHOWN, with_(replace(RATE, new="10500000"), LIST, MOVE, GONE))


@pytest.mark.parametrize(
    "other",
    [{"args": (("rate", 1),)}, {"lease_ms": 1}, {"verify": Verify("up", 1, 1)}, {"incident": "Full//d1@1"}],
    ids=lambda other: next(iter(other)),
)
def test_another_decision_has_another_name(other: dict[str, object]) -> None:
    assert name(replace(decision(), **other), SHOWN) != name(decision(), SHOWN)


def test_a_name_tells_the_effect_and_not_the_alert_s_value() -> None:
    known = name(decision(), SHOWN)

    assert name(replace(decision(), value=0.99), SHOWN) == known
    assert name(decision(), with_(replace(RATE, new="10000001"))) != known
    assert len(known) == 6
