"""Small pasts for backtests: series by their values at each step, rules as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rule_files import SPECS, write

from agent.backtest.grid import Grid
from agent.backtest.history import Past
from agent.backtest.run import Backtest, backtest
from agent.backtest.words import decided
from agent.recording.limits import Allowance, silent
from agent.recording.recorded import Recorded, track
from agent.rulebook import Rulebook, load
from agent.sources.series_text import parse_series

STEP = 15_000
MINUTE = 4  # steps
START = 1_785_542_400_000  # 2026-08-01 00:00:00 UTC
Values = Sequence[float | None]


def past(series: Mapping[str, Values], notes: tuple[str, ...] = ()) -> Past:
    """Series as text, each with its value at each step; None where it has none."""
    store = Recorded()
    for text, values in series.items():
        there = [(START + n * STEP, value) for n, value in enumerate(values) if value is not None]
        times, found = np.array([at for at, _ in there], np.int64), np.array([value for _, value in there])
        store.put(*parse_series(text), track(times, found))
    end = START + (max(map(len, series.values())) - 1) * STEP
    return Past(store, Grid(START, end, STEP), notes)


def book(folder: Path, **files: str) -> Rulebook:
    """Rules from text."""
    return load([write(folder, **files)], SPECS)


def run(rules: Rulebook, series: Mapping[str, Values]) -> Backtest:
    """The rules over the series."""
    return backtest(rules, SPECS, past(series), Allowance(), silent)


def story(found: Backtest) -> list[tuple[float, str, str]]:
    """(minutes after the start, kind, what or why) of every entry."""
    return [
        ((entry.at - START) / 60_000, str(entry.kind), entry.question or decision.do)
        for entry, decision in decided(found.entries)
    ]
