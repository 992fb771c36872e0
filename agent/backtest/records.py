"""What recording rules give, as series that the rules after them read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from agent.backtest.grid import Grid, Matrix
from agent.backtest.live import recorded
from agent.backtest.lives import deny
from agent.model import Labels, Point, RecordRule, RuleHealth
from agent.promql.labels import NAME, render
from agent.promql.vectors import Flags
from agent.recording.recorded import Recorded, track

Health = list[tuple[RuleHealth, str]]


def keep(store: Recorded, rule: RecordRule, grid: Grid, found: Matrix, health: Health) -> None:
    """Put a rule's results into the store: nothing where it cannot be judged, an end where one is gone."""
    deny(health, found, rule.limit)
    rows = _rows(rule, found)
    present = {labels: found.present[its].sum(axis=0) for labels, its in rows.items()}
    judged = np.array([each[0] is RuleHealth.OK for each in health], bool)
    for labels, counts in present.items():
        for step in np.flatnonzero(judged & (counts > 1)).tolist():
            health[step] = (RuleHealth.FAILING, f"two results make one series, {render(labels)}")
            judged[step] = False
    steps = np.flatnonzero(judged)
    times = grid.times[steps]
    for labels, its in rows.items():
        there: Flags = present[labels][steps] > 0
        gone = ~there & np.concatenate([[False], there[:-1]])
        values = np.where(found.present[its], found.values[its], 0.0).sum(axis=0)  # of one row at most
        new = track(times[there], values[steps][there], times[gone])
        if len(new.times):
            store.put(rule.name, labels, new)


def _rows(rule: RecordRule, found: Matrix) -> Mapping[Labels, list[int]]:
    """The rows of each series that the rule makes, by its labels without the name."""
    rows: dict[Labels, list[int]] = {}
    for row, labels in enumerate(found.labels):
        (named,) = recorded(rule, [Point(labels, 0.0)])
        rows.setdefault(tuple(pair for pair in named if pair[0] != NAME), []).append(row)
    return rows
