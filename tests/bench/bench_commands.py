"""How long a command takes: `python tests/bench/bench_commands.py`. Targets: help 0.15 s, status 0.25 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 11


def seconds(*words: str) -> float:
    """The median wall time of `ottla` with these words."""
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "agent", *words], capture_output=True, check=False)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


if __name__ == "__main__":
    for command in (
        ["--help"],
        ["status", "--help"],
        ["status", "--state", "/nonexistent"],
        ["undo", "--help"],
    ):
        print(f"{seconds(*command):6.3f} s  ottla {' '.join(command)}")
