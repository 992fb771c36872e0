"""Why parts of a source cannot be read: what a person is told, and once in the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

log = logging.getLogger(__name__)
_WAITED = re.compile(r"\b\d[\d.e+-]* s\b")  # what was left of a deadline is no other reason


class Reasons:
    """By part, as of now. `of` stands before the part's name in the log."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._now: dict[str, str] = {}

    @property
    def now(self) -> Mapping[str, str]:
        """Those that there are."""
        return self._now

    def learn(self, part: str, why: str | None) -> None:
        """It failed, or did not (None). What is not as before is logged."""
        before = self._now.pop(part, None)
        if why is None:
            return
        self._now[part] = why
        if before is None or _WAITED.sub("", before) != _WAITED.sub("", why):
            log.warning("%s %s: %s", self._of, part, why)
