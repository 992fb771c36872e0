"""What gives log lines without being a file: it has a place of its own to go on from."""

from __future__ import annotations

from typing import Protocol


class Feed(Protocol):
    """Lines in order, each once. Every method may block; `descriptors` are readable when there is more."""

    key: str  # what its place is kept by
    name: str  # what a pattern's `file` is matched against
    place: str  # behind the last line that was taken; empty where none ever was

    @property
    def descriptors(self) -> tuple[int, ...]:
        """To wait for."""

    def look(self, now: int) -> None:
        """Begin where that was not done, at `place`, or at the newest line where there is none.
        OSError where it cannot be read."""

    def take(self) -> bytes | None:
        """The next whole lines, perhaps none; None where there is no more now."""

    def close(self) -> None:
        """Stop; `look` would begin again."""
