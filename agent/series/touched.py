"""Which metrics a call of `add` has touched: what tells whose rules are to be judged."""

from __future__ import annotations

from msgspec import Struct


class Touched(Struct, frozen=True):
    """Metrics with new samples. Of those not `changed` each sample says what the one before it said."""

    names: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    def __or__(self, other: Touched) -> Touched:
        return Touched(self.names | other.names, self.changed | other.changed)

    @classmethod
    def by_change(cls, names: frozenset[str]) -> Touched:
        """Of all of them something has changed."""
        return cls(names, names)
