"""The daemon itself in simulated worlds: its attempts, carriers, fence, adoptions, sweep and search for what
stands without a claim, with a shipped action (coordination.md sections 4 and 9)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.daemon_mutants import DAEMONS
from simulation.figures import Figures
from simulation.long_run import figures_of
from simulation.play import play
from simulation.schedules import DAEMON, SETS, drawn

SCHEDULES = int(os.environ.get("OTTLA_SIM_DAEMONS", "54"))
KEPT = {mutant.seed for mutant in DAEMONS if mutant.seed is not None}  # those that find our mutants
KEPT |= {
    911_176,  # a journal that cannot be read or written ends a daemon at its start
    900_002,  # frozen in the midst of an undo, which another ends; a list that was absent is left empty
    900_126,  # an entry that failed to be written was written all the same
    900_186,  # the sweep gave back a claim whose last request was still in doubt
    900_259,  # … and another began while it landed
    990_585,  # a verdict that failed to be written was written all the same, which another entry found first
}
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def figures() -> Figures:
    """Of the first schedules, and of those in which something was found."""
    return figures_of(sorted(KEPT.union(range(DAEMON, DAEMON + SCHEDULES))))


def test_no_invariant_is_broken_by_the_daemon(figures: Figures) -> None:
    told = [f"make sim SEED={seed} TRACE=1   # {why}" for seed, why in figures.violations]
    assert not told, "\n".join(told)


def test_the_schedules_are_not_empty(figures: Figures) -> None:
    told = ("effects", "orphans", "adoptions", "truncations", "barriers", "expiries", "crashes")
    entries = ("started", "done", "failed", "healed", "no better", "undoing", "undone", "waiting", "refused")
    for what in (*told, *(f"entries: {kind}" for kind in entries), "fault: crash at an entry"):
        assert figures.seen[what], what
    assert set(figures.sets) == {f"daemon-{name}" for name in SETS}


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    lines = f"""
from simulation.play import play
from simulation.schedules import drawn
print(play(drawn({DAEMON + 2})).digest)
"""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", lines], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout == play(drawn(DAEMON + 2)).digest + "\n"
