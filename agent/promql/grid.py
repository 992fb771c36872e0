"""Where an expression is evaluated: the store, the steps, the limits, and where annotations go."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from agent.promql.limits import Budget
from agent.promql.nodes import END, START, At
from agent.promql.notes import Notes
from agent.promql.vectors import Store, Times


class Scope(Struct, frozen=True):
    """`times`: the steps (ms, ascending). `start`, `end`: of the whole query. `instant`: it is no range."""

    store: Store
    times: Times
    start: int
    end: int
    instant: bool
    budget: Budget
    notes: Notes

    def at(self, times: Times) -> Scope:
        """The same at other steps, as within a subquery."""
        return replace(self, times=times)

    def ends(self, at: At | None, offset_ms: int) -> Times:
        """When a selector's window ends at each step."""
        if at is None:
            return self.times - offset_ms
        pinned = {START: self.start, END: self.end}.get(at, at) if isinstance(at, str) else at
        return np.full(len(self.times), int(pinned) - offset_ms, np.int64)
