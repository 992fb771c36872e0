"""When what was tried and came to nothing may be tried again."""

from __future__ import annotations

AGAIN_MS = 3_000  # between two tries of a decision that was refused


class Tries:
    """What fails at once must not spin."""

    def __init__(self) -> None:
        self._tried: dict[str, int] = {}

    def again(self, key: str, now: int) -> bool:
        """Whether it may be tried now, which counts as a try. A clock set back keeps nobody."""
        self._tried = {k: at for k, at in self._tried.items() if 0 <= now - at < AGAIN_MS}
        if key in self._tried:
            return False
        self._tried[key] = now
        return True
