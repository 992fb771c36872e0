"""What goes on too often in a log: joins under one name, changes of its leader (coordination.md section 9).
Kept beside the state, and no part of its digest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from agent.control.fold import Verdict
from agent.control.state import State

JOINS, JOINS_IN = 5, 600_000  # so many within so many ms of log time are a storm
EPOCHS, EPOCHS_IN = 3, 60_000


class Unrest:
    """Mutable, without I/O. Instants are the log's clock."""

    def __init__(self) -> None:
        self._joins: dict[str, deque[int]] = {}  # by agent
        self._epochs: deque[int] = deque(maxlen=EPOCHS + 1)
        self._epoch: int | None = None

    def saw(self, state: State, verdict: Verdict) -> None:
        """One folded record and the state after it."""
        if state.epoch != self._epoch:
            if self._epoch is not None:
                self._epochs.append(state.clock)
            self._epoch = state.epoch
        record = verdict.record
        if record is not None and record.t == "join" and verdict.void is None:
            joins = self._joins.setdefault(record.a, deque(maxlen=JOINS + 1))
            joins.append(state.clock)

    def words(self, state: State) -> Iterator[str]:
        """What a person should look at now, a sentence each."""
        for agent, joins in sorted(self._joins.items()):
            if _all_within(joins, state.clock - JOINS_IN):
                yield (
                    f"{agent} joined more than {JOINS} times within ten minutes: "
                    "it is started again and again, or there are two of it"
                )
        if _all_within(self._epochs, state.clock - EPOCHS_IN):
            yield (
                f"the control topic's leader changed more than {EPOCHS} times within a minute: "
                "nothing is granted until it rests"
            )


def _all_within(instants: deque[int], since: int) -> bool:
    """Whether there are as many as are too many, the oldest of them after that instant."""
    return len(instants) == instants.maxlen and instants[0] > since
