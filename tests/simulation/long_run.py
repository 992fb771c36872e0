"""Plays many schedules on all cores; what is done is kept in a file until all are."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import pickle
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from simulation.figures import Figures
from simulation.play import play
from simulation.written import schedule_of

CHUNK = 25  # schedules that one process plays before it tells


def figures_of(seeds: Iterable[int]) -> Figures:
    """The figures of these schedules. Nothing is logged meanwhile: agents in trouble tell much."""
    figures, before = Figures(), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        for seed in seeds:
            began = time.process_time()
            result = play(schedule_of(seed))
            figures.add(result, time.process_time() - began)
    finally:
        logging.disable(before)
    return figures


def _code() -> str:
    """Of what is simulated, and of the simulation: a run goes on only with the same."""
    real = [str(module.__file__) for name, module in sys.modules.items() if name.partition(".")[0] == "agent"]
    sources = [*sorted(real), *sorted(map(str, Path(__file__).parent.glob("*.py")))]
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in sources)).hexdigest()[:12]


class Run:
    """Many schedules; what is done is kept in a file until all are."""

    def __init__(self, first: int, schedules: int, folder: Path) -> None:
        self.first, self.schedules = first, schedules
        self.figures = Figures()
        self.done: set[int] = set()
        self._file = folder / f"sim-{first}-{schedules}-{_code()}.progress"
        if self._file.exists():
            self.done, self.figures = pickle.loads(self._file.read_bytes())
            print(f"going on after {self.figures.schedules:,} schedules ({self._file})")

    def play(self, processes: int) -> None:
        """All that are not done."""
        todo = [c for c in range(0, self.schedules, CHUNK) if c not in self.done]
        began, already = time.monotonic(), self.figures.schedules
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            for at, figures in pool.imap_unordered(self._chunk, todo):
                self.done.add(at)
                self.figures.merge(figures)
                self._keep()
                self._tell(time.monotonic() - began, already)
        print()

    def _chunk(self, at: int) -> tuple[int, Figures]:
        first = self.first + at
        return at, figures_of(range(first, first + min(CHUNK, self.schedules - at)))

    def _keep(self) -> None:
        self._file.parent.mkdir(exist_ok=True)
        part = self._file.with_suffix(".part")
        part.write_bytes(pickle.dumps((self.done, self.figures)))
        part.replace(self._file)

    def _tell(self, seconds: float, already: int) -> None:
        figures = self.figures
        rate = (figures.schedules - already) / max(seconds, 0.001)
        left = (self.schedules - figures.schedules) / max(rate, 0.001)
        print(
            f"\r{figures.schedules:,} of {self.schedules:,} schedules, {len(figures.violations)} violations, "
            f"{rate:.1f} a second, {left / 60:.0f} minutes left ",
            end="",
            flush=True,
        )

    def forget(self) -> None:
        """It is complete."""
        self._file.unlink(missing_ok=True)
