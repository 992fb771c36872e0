"""A lease ends in time, whatever the wall clock is set to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stories import decision

from agent.daemon.lease import Lease
from agent.history import Incident, Phase

LENGTH = 60_000
ONE = Incident("i", Phase.HELD, decision(), 0, 0, "so", started_at=1_000_000, until=1_000_000 + LENGTH)
WALL = st.integers(-3_600_000, 3_600_000)


@given(steps=st.lists(st.tuples(st.integers(0, 20_000), WALL), min_size=1, max_size=20), first=WALL)
def test_no_clock_that_is_set_back_stretches_it(steps: list[tuple[int, int]], first: int) -> None:
    """Each step: so much later the process looks again, and the wall clock is off by so much then."""
    lease, ran = Lease(), 500
    ended = lease.ended(ONE, 1_000_000 + first, ran)
    for pause, off in steps:
        ran += pause
        ended = lease.ended(ONE, 1_000_000 + off, ran) or ended
    assert ended or ran - 500 < LENGTH


def test_it_lasts_as_long_as_both_clocks_say() -> None:
    lease = Lease()
    assert not lease.ended(ONE, 1_000_000, 0)
    assert not lease.ended(ONE, 1_000_000 + LENGTH - 1, LENGTH - 1)
    assert lease.ended(ONE, 1_000_000 + LENGTH, LENGTH)


def test_after_a_suspend_the_wall_clock_ends_it() -> None:
    lease = Lease()
    assert not lease.ended(ONE, 1_000_000, 0)
    assert lease.ended(ONE, 1_000_000 + LENGTH, 1)


def test_without_one_nothing_ends() -> None:
    assert not Lease().ended(replace(ONE, until=None), 9_000_000, 0)
