"""A stamped rate is no lower than asked, hardly higher, and names its claim."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.actions import restamp, stamped
from agent.actions.throttles import FOLLOWER_LIST, FOLLOWER_RATE
from agent.model import Change, Effect, Operation


@given(st.integers(1, 1 << 50), st.integers(0, 1 << 40))
def test_the_stamp_is_readable_and_takes_nothing(rate: int, claim: int) -> None:
    value = stamped(rate, claim)

    assert value % 100_000 == claim % 100_000
    assert rate <= value < rate + 200_000


def test_only_rates_that_are_set_are_stamped() -> None:
    changes = (
        Change("topic/a", FOLLOWER_LIST, Operation.APPEND, None, "0:2"),
        Change("broker/2", FOLLOWER_RATE, Operation.SET, None, "1048576"),
        Change("broker/2", FOLLOWER_RATE, Operation.DELETE, "1000", None),
        Change("topic/a", "retention.ms", Operation.SET, None, "1000"),
    )

    after = restamp(Effect("a", "broker-2", changes), 300_041).changes

    assert after == (
        changes[0],
        Change("broker/2", FOLLOWER_RATE, Operation.SET, None, "1100041"),
        *changes[2:],
    )
