"""Schedules in which the state is marked often: agents write snapshots and start from them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import pytest

from simulation.play import play
from simulation.schedules import SETS, drawn

MARK_EVERY = 25  # offsets; a schedule has some two hundred
SCHEDULES = int(os.environ.get("OTTLA_SIM_SNAPSHOTS", str(len(SETS))))
FIRST = 300  # one of each set follows, whatever the first is


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """What happened in all of them; the first violation ends it."""
    told: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + SCHEDULES):
        result = play(replace(drawn(seed), mark_every=MARK_EVERY))
        assert result.violation is None, (
            f"seed {seed}, marked at each {MARK_EVERY}th offset: {result.violation}"
        )
        told += result.seen
    return told


def test_no_invariant_is_broken_where_agents_start_from_snapshots(seen: Counter[str]) -> None:
    assert seen["snapshots"] >= SCHEDULES
    assert seen["starts from snapshots"] >= SCHEDULES
    assert seen["truncations"] > 0
    assert seen["crashes"] > 0
