"""Each rule is worth something: without it a kept schedule breaks an invariant (docs/coordination.md)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.daemon_mutants import MUTANTS
from simulation.mutants import ALL, SECTION_10, C, Mutant, S
from simulation.mutate import SURVIVES, changed, found, invariant

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs/coordination.md"


@pytest.fixture(scope="module")
def table() -> list[str]:
    """As `make sim MUTANTS=1` prints it; in a process that has nothing of our code loaded."""
    done = subprocess.run(
        [sys.executable, "-m", "simulation.mutate", "--table"],
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_no_mutant_survives_its_kept_schedule(table: list[str]) -> None:
    assert len(table) == 2 + len(MUTANTS)
    assert not [line for line in table if SURVIVES in line]


def test_the_table_of_the_docs_is_true(table: list[str]) -> None:
    """Whole rows, where the kept schedule found it."""
    told = DOCS.read_text().partition("\n| taken out |")[2].splitlines()
    kept = [line for line, mutant in zip(table[2:], MUTANTS, strict=False) if f"| {mutant.seed} |" in line]
    assert not [line for line in kept if line not in told], "make sim MUTANTS=1"
    names = [mutant.name for mutant in MUTANTS]
    rows = [line.split(" | ")[0] for line in told]
    assert not [name for name in names if rows.count(f"| {name}") != 1], "make sim MUTANTS=1"


def test_only_a_broken_invariant_shows_what_a_rule_is_worth() -> None:
    """A patch that does not run finds nothing."""
    dies = Mutant("dies", "base", ((S + "play.py", "heal()\n    _finish(", "heal()\n    finish("),))
    fails = Mutant("fails", "base", ((C + "outbox.py", "def beat(", "def no_beat("),))
    for mutant in (dies, fails):
        seen = found(mutant, [0])
        assert seen
        assert not invariant(seen[1])


def test_each_change_applies_exactly_once() -> None:
    for mutant in MUTANTS:
        assert changed(mutant), mutant.name
        assert mutant.seed is not None, f"{mutant.name} has no kept schedule"


def test_there_are_enough() -> None:
    assert len([mutant for mutant in MUTANTS if mutant.row]) >= 22
    assert len(ALL) - len(SECTION_10) >= 10
