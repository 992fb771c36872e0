"""A verification takes as long as it says, whatever the wall clock is set to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stories import decision

from agent.daemon.verification import Verification
from agent.history import Incident, Phase
from agent.model import Verify
from agent.verify import Before, View, judge

DONE = 1_000_000
WITHIN, STABLE = 60_000, 10_000
OF = replace(decision(), verify=Verify("up", WITHIN, STABLE))
ONE = Incident("i", Phase.VERIFYING, OF, 0, DONE, "so", started_at=DONE, done_at=DONE)
WALL = st.integers(-3_600_000, 3_600_000)


@given(steps=st.lists(st.tuples(st.integers(0, 20_000), WALL), max_size=20))
def test_no_clock_that_is_set_changes_what_has_passed(steps: list[tuple[int, int]]) -> None:
    """Each step: so much later the process looks again, and the wall clock is off by so much then."""
    clock, ran = Verification(), 500
    assert clock.now(ONE, DONE, ran) == DONE
    for pause, off in steps:
        ran += pause
        assert clock.now(ONE, DONE + ran - 500 + off, ran) == DONE + ran - 500


@given(away=st.integers(0, 600_000), off=WALL)
def test_a_restart_waits_no_longer_than_the_whole_wait_again(away: int, off: int) -> None:
    """`off`: by how much the wall clock was set while no agent ran."""
    clock, wall = Verification(), DONE + away + off
    assert DONE <= clock.now(ONE, wall, 9_000) <= DONE + WITHIN
    assert clock.now(ONE, wall, 9_000 + WITHIN) >= DONE + WITHIN
    if off == 0:
        assert Verification().now(ONE, wall, 9_000) == DONE + min(away, WITHIN)


@pytest.mark.parametrize("off", [-600_000, 600_000])
@pytest.mark.parametrize(("holds", "after"), [(False, WITHIN), (True, STABLE)])
def test_the_verdict_comes_when_its_time_has_passed(off: int, holds: bool, after: int) -> None:
    """The clock is set right after the first look."""
    clock, since, verdict, ran = Verification(), None, None, 0
    while verdict is None:
        now = clock.now(ONE, DONE + ran + (off if ran else 0), ran)
        view = View(now, holds=holds, trigger=None, worse_if=False, offline=0, under_min_isr=0)
        found = judge(OF, Before(), view, DONE, since)
        since, verdict, ran = found.since, found.verdict, ran + 500
    assert ran - 500 == after
