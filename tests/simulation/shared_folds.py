"""Agents whose states are one and the same object fold a record once for all of them: what comes of it is a
function of both. The canonical state is folded by itself, so that every record is folded twice at least."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from agent.control.fold import Logged, Verdict, fold
from agent.control.state import State
from agent.control.times import EVERY
from agent.control_topic import follower

Folded = tuple[State, Verdict]


class SharedFolds:
    """Of one schedule. What was folded is kept, lest another state come to the same place in memory."""

    def __init__(self) -> None:
        self._folded: dict[tuple[int, int, int, int, bytes], tuple[State, Folded]] = {}

    def fold(self, state: State, logged: Logged, every: int = EVERY) -> Folded:
        """As agent.control.fold.fold; all empty states are the same."""
        same = id(state) if state.offset >= 0 else 0
        key = (same, every, logged.leader_epoch, logged.at, logged.value)
        if logged.offset != state.offset + 1 or key not in self._folded:
            self._folded[key] = state, fold(state, logged, every)
        return self._folded[key][1]


@contextlib.contextmanager
def folds_shared() -> Iterator[None]:
    """As long as a schedule is played."""
    follower.fold = SharedFolds().fold  # type: ignore[attr-defined] # which it imports
    try:
        yield
    finally:
        follower.fold = fold  # type: ignore[attr-defined]
