"""What of an exposition is read: which families, which names of them, and whether that misses none."""

from __future__ import annotations

from agent.sources.exposition_body import Wanted
from agent.sources.exposition_line import families_of

_CREATED = frozenset({b"counter", b"histogram", b"summary", b"gaugehistogram"})


class Choice:
    """Follows one body, family by family. `whole`: each line is looked at, not only those of wanted families.

    `grouped` and `beyond` are the body's. `passed`: names of the family that are not wanted.
    """

    def __init__(self, wanted: Wanted, *, openmetrics: bool, whole: bool) -> None:
        self.whole = whole or wanted.names is None
        self.family = b""
        self.reads = self.whole
        self.passed: set[bytes] = set()
        self.grouped = True
        self.beyond: str | None = None
        self._wanted = wanted
        self._openmetrics = openmetrics
        self._type = b""

    def begin(self, family: bytes, kind: bytes) -> None:
        """The lines of this family come, which is of that type."""
        self.family, self._type = family, kind
        self.reads = self.whole or family in self._wanted.families
        self.passed.clear()

    def unwanted(self, block: bytes) -> int:
        """How many lines these are where all are of a family that nobody wants, else 0: told by counting how
        they begin."""
        family, names = self.family, self._wanted.names
        if not self.whole or names is None or not family or any(name.startswith(family) for name in names):
            return 0
        newlines = block.count(b"\n")
        if not block.startswith(family) or block.count(b"\n" + family) != newlines:
            return 0
        self.beyond = self.beyond or family.decode("utf-8", "replace")
        return newlines + 1

    def wants(self, name: bytes) -> bool:
        """Whether a sample is to be read; notices one that stands where it is not looked for."""
        if self._wanted.names is None:
            return not self._is_created(name)
        kin = self.family in families_of(name)
        if name in self._wanted.names:
            self.grouped &= kin
            return not self._is_created(name)
        if not self.whole:
            self.grouped &= kin
        elif self._wanted.families.isdisjoint((name, self.family)):
            self.beyond = self.beyond or name.decode("utf-8", "replace")
        return False

    def _is_created(self, name: bytes) -> bool:
        """OpenMetrics's time of a counter's beginning, which is no series."""
        return self._openmetrics and self._type in _CREATED and name == self.family + b"_created"
