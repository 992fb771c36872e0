"""For how long no own record was accepted although this process ran and something failed (coordination.md
section 8): by neither the wall clock, which people set, nor the time that a suspend or a stop took."""

from __future__ import annotations

LOOK = 1_000  # ms between two looks
ASLEEP = 3 * LOOK  # between two of them: the process did not run


class Unheard:
    """Mutable, without I/O; `boot` is the own boot time in ms, to be looked at once a second at least."""

    def __init__(self, boot: int) -> None:
        self.failure = ""  # the newest one since it last woke; empty: none
        self.since: int | None = None  # boot time of the first of them
        self._ran = 0  # ms since then, with nothing accepted
        self._looked = boot

    def heard(self) -> None:
        """An own record was seen accepted."""
        self.failure, self.since = "", None

    def failed(self, why: str, boot: int) -> None:
        """A read or a write failed; how long that has lasted counts from the first failure on."""
        self.ran(boot)
        if self.since is None:
            self.since, self._ran = boot, 0
        self.failure = why

    def ran(self, boot: int) -> int:
        """For how many ms it ran so, 0 where nothing failed since it last woke."""
        gap, self._looked = boot - self._looked, boot
        if gap > ASLEEP:
            self.heard()
        self._ran += gap
        return 0 if self.since is None else self._ran
