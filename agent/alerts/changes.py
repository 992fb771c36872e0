"""Since when what rules read says the same, turn by turn."""

from __future__ import annotations

from collections.abc import Iterable

from agent.promql import Expression


class Changes:
    """`recorded`: names that rules record, at which nobody looks. `turned_at`: the newest turn."""

    def __init__(self, recorded: frozenset[str]) -> None:
        self.turned_at = 0
        self._recorded = recorded
        self._at: dict[str, int] = {}  # by metric: when its samples last said something new
        self._all_at: int | None = None  # of the others: when it was not known what had changed

    def turn(self, now: int, changed: frozenset[str] | None) -> None:
        """A turn begins in which these say something new; None: nobody knows which do."""
        self.turned_at = now
        if changed is None or self._all_at is None:
            self._all_at = now
            self._at.clear()
        self.note(changed or (), now)

    def note(self, names: Iterable[str], now: int) -> None:
        """These say something new."""
        self._at.update(dict.fromkeys(names, now))

    def same_since(self, expression: Expression) -> int:
        """Since when all that it reads says the same; of what is recorded, or read by pattern, always now."""
        if self._all_at is None or expression.nameless or expression.names & self._recorded:
            return self.turned_at
        changed = (self._at.get(name, 0) for name in expression.names)
        return max([self._all_at, *changed])
