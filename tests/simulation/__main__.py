"""`make sim`: plays schedules on all cores, and can go on where it was stopped.

make sim SCHEDULES=20000 SEED=0      exit code 1 on a violation, 2 where something never happened (from
                                     300 schedules on; what is rare, from 5,000 on)
make sim SEED=4711 TRACE=1           one schedule, cut down to the shortest that still fails
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
from pathlib import Path

from simulation.figures import MANY
from simulation.long_run import Run
from simulation.play import play
from simulation.shrink import shrunk
from simulation.written import schedule_of

SHOWN = 20  # violations


def trace(seed: int) -> int:
    """One schedule; where it breaks something, the shortest that does, with all that happens in it."""
    logging.disable(logging.CRITICAL)
    schedule = schedule_of(seed)
    result = play(schedule)
    if result.violation:
        schedule = shrunk(schedule)
        result = play(schedule)
    print(f"seed {seed}: {schedule.faults}, {len(schedule.machines)} agents, {len(schedule.events)} events")
    for number, machinery in enumerate(schedule.machines, 1):
        print(f"broker-{number}: {machinery}")
    print("\n".join(map(str, schedule.events)))
    print("\n".join(result.trace))
    print(result.violation or f"nothing is broken; the trace's digest is {result.digest}")
    return 1 if result.violation else 0


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--schedules", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--trace", action="store_true", help="of this seed only")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    asked = parser.parse_args()
    if asked.trace:
        return trace(asked.seed)
    run = Run(asked.seed, asked.schedules, Path("build"))
    run.play(asked.processes)
    figures = run.figures
    run.forget()
    print("\n".join(figures.lines()))
    print(f"{figures.cpu / max(figures.schedules, 1):.3f} core-seconds a schedule")
    for seed, why in sorted(figures.violations)[:SHOWN]:
        print(f"make sim SEED={seed} TRACE=1   # {why}")
    if not figures.enough:
        print(f"fewer than {MANY} schedules: what never happened is not asked")
    if missing := figures.missing():
        print("never happened: " + ", ".join(missing))
    return 1 if figures.violations else 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
