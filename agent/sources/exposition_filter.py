"""Whether a target is still asked for names only: what shows that it does not keep to `name[]`."""

from __future__ import annotations


class NameFilter:
    """Trusted until the target proves that it must not be, or what may have been the moment happens twice in
    a row: an answer that failed, a name that was not in the answer and is there."""

    def __init__(self, *, trusted: bool) -> None:
        self.trusted = trusted
        self._failed = False
        self._hidden = frozenset[str]()

    def ignored(self) -> None:
        """The answer had what nobody asked for."""
        self.trusted = False

    def failed(self, *, refused: bool) -> None:
        """The request for names failed, and not the one for everything after it; `refused`: by a status that
        says why."""
        self.trusted = not (refused or self._failed)
        self._failed = True

    def answered(self, hidden: frozenset[str]) -> None:
        """The request for names was answered, but for these that a look at everything found right after it:
        an MBean may have begun between the two."""
        self.trusted = not hidden & self._hidden
        self._failed, self._hidden = False, hidden
