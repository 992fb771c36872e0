"""The sets with a million seeds each: effects that are kept, a log whose beginning is deleted, one whose
segments end."""

from __future__ import annotations

import os

import pytest

from simulation.daemon_mutants import KEEPERS
from simulation.figures import Figures
from simulation.long_run import figures_of
from simulation.schedules import MILLIONS, seeds_of

SCHEDULES = int(os.environ.get("OTTLA_SIM_MILLIONS", "18"))  # of each set
KEPT = {mutant.seed for mutant in KEEPERS if mutant.seed is not None}  # those that find our mutants
SHOWN = {
    "kept": ("fault: throttle left", "entries: healed", "entries: no better", "orphans", "adoptions"),
    "deleted": ("beginnings deleted", "starts from snapshots", "crashes", "orphans", "adoptions"),
    "segments": ("fault: segment ends", "beginnings deleted", "starts from snapshots", "truncations"),
}


@pytest.fixture(scope="module", params=MILLIONS)
def figures(request: pytest.FixtureRequest) -> tuple[str, Figures]:
    """Of the first schedules of a set, and of those in which something was found."""
    seeds = set(seeds_of(request.param, SCHEDULES))
    return request.param, figures_of(sorted(seeds | KEPT if request.param == "kept" else seeds))


def test_no_invariant_is_broken_and_much_happens(figures: tuple[str, Figures]) -> None:
    name, found = figures
    told = [f"make sim SEED={seed} TRACE=1   # {why}" for seed, why in found.violations]
    assert not told, "\n".join(told)
    assert {each.removeprefix("daemon-") for each in found.sets} == {name}
    assert not [what for what in SHOWN[name] if not found.seen[what]]
