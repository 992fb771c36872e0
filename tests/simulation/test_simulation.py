"""The control topic in a simulated world: I1 to I6 hold in each schedule (coordination.md section 9)."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simulation.faults import FAULTS
from simulation.figures import sum_of
from simulation.long_run import figures_of
from simulation.mutants import ALL
from simulation.play import play
from simulation.schedules import LATER, LATER_SETS, MANY, Event, drawn
from simulation.shrink import shrunk
from simulation.written import HALF_AN_HOUR_LATE, WRITTEN

KEPT = {mutant.seed for mutant in ALL if mutant.seed is not None}  # those that find our mutants
KEPT |= {schedule.seed for schedule in WRITTEN}
KEPT.update(range(LATER, LATER + 5 * len(LATER_SETS)))  # of faults that the first ones do not have
KEPT.add(192)  # a session ends, and is adopted by its own agent, while a request is made ready
KEPT.add(114)  # a topic is made again before what others just began was kept
KEPT.add(676_414)  # a leader that is behind has the first records of a batch that cannot be read
KEPT.add(649_406)  # a machine is frozen before an undo leaves, and others close the claim meanwhile
KEPT.add(885_638)  # a machine is frozen between a claim's being dirty and its effect, which begins then
KEPT.add(885_644)  # a host that goes at work is gone only after the faults are over, and comes back
KEPT.add(102_098)  # a frozen machine sends what nobody's claim explains any more
KEPT.add(885_173)  # a join brings two claims back at the very offset that one of them had
KEPT.add(888_171)  # … where the topic was made again: what stood was released, and never looked at
KEPT.add(613_076)  # a tail is lost twice: the join that told of an effect goes with it
KEPT.add(887_603)  # who is gone left an effect whose claim went with the tail
KEPT.add(891_798)  # a topic is made again, and agents come back twelve seconds apart
KEPT.add(892_203)  # …
KEPT.add(139)  # thirty agents
KEPT.add(756_284)  # a tail is lost twice, and another claim is called as the one that is being closed
KEPT.add(770_225)  # who gives up a claim meets it declared again, with what stands of it
KEPT.add(751_568)  # a lone agent's tail is lost when all else is over
SCHEDULES = int(os.environ.get("OTTLA_SIM_SCHEDULES", "300"))
SEEDS = sorted(KEPT.union(range(SCHEDULES)))
BLOCKS = 12  # which the workers of a run of tests share
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def together(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run of tests have."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "simulation"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_invariant_is_broken(block: int, together: Path) -> None:
    """In no schedule of this block; whoever is the last to play one asks what happened in all of them."""
    figures = figures_of(SEEDS[block::BLOCKS])
    told = [f"make sim SEED={seed} TRACE=1   # {why}" for seed, why in figures.violations]
    assert not told, "\n".join(told)
    part = together / f"{block}.part"
    part.write_bytes(pickle.dumps(figures))
    part.replace(together / f"{block}.figures")
    blocks = list(together.glob("*.figures"))
    if len(blocks) == BLOCKS:
        figures = sum_of(pickle.loads(path.read_bytes()) for path in blocks)
        assert figures.schedules == len(SEEDS)
        assert not figures.missing()


def test_one_agent_alone_two_seven_and_thirty_are_played() -> None:
    """Among those that every run of tests plays, seed 139 with thirty whatever else is drawn."""
    assert {len(drawn(seed).machines) for seed in range(300)} >= {1, 2, 7}
    assert len(drawn(139).machines) == MANY == 30


def test_records_half_an_hour_late_are_void() -> None:
    """Where that time passes; in the other schedules they land when all is over."""
    result = play(HALF_AN_HOUR_LATE)
    assert result.violation is None
    late = [line for line in result.trace if float(line[:9]) > 1_800.0 and "void: " in line]
    assert [line.split()[6] for line in late] == ["claim", "beat", "claim"]


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    """Whatever order its sets have, and whatever the time of day."""
    lines = """
from simulation.play import play
from simulation.schedules import drawn
print(play(drawn(5)).digest)
"""
    told = {
        subprocess.run(
            [sys.executable, "-c", lines],
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {play(drawn(5)).digest + "\n"}


def test_a_schedule_is_cut_down_to_what_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the world itself is what breaks it: a person's value that nobody ever removes."""

    def breaks(sim: object, event: Event) -> None:
        sim.world.settings["topic/9", "rate"] = "7=somebody"  # type: ignore[attr-defined]

    monkeypatch.setattr("simulation.faults.FAULTS", {**FAULTS, "value": breaks})
    monkeypatch.setattr("simulation.play.PATIENCE", 30.0)
    whole = drawn(3)
    short = replace(whole, ends=8.0, events=(*whole.events[:3], Event(4.5, "value")))
    cut = shrunk(short)
    assert str(play(cut).violation).startswith("I3: left in the world: somebody")
    assert [event.what for event in cut.events] == ["value"]
