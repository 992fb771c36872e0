"""How long a command takes. Targets: help 0.15 s, status 0.25 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 11
_COMMANDS = (
    ("--help",),
    ("status", "--help"),
    ("status", "--state", "/nonexistent"),
    ("undo", "--help"),
)


def seconds(*words: str) -> float:
    """The median wall time of `ottla` with these words."""
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "agent", *words], capture_output=True, check=False)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main() -> None:
    """The commands that people wait for most, and how long each takes."""
    for words in _COMMANDS:
        print(f"ottla {' '.join(words):38}{seconds(*words):8.3f} s")
