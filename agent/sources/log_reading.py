"""A log file that is open, with the mark of what was read of it."""

from __future__ import annotations

from agent.sources.log_ends import learn_ends
from agent.sources.log_marks import HEAD, Mark
from agent.sources.log_open import Packed, Plain


class OpenLog:
    """An open file and its mark."""

    def __init__(self, file: Plain, mark: Mark) -> None:
        self.file = file
        self.mark = mark
        self.until: int | None = None  # when to give up waiting for more, ms; None while it is the live one
        self._last, self._behind = b"", 0  # some bytes, and the offset behind them

    def learn_ends(self, data: bytes, before: int) -> None:
        """Know what is before the mark's offset, which moved over `data` from `before`."""
        last = self._last if self._behind == before else b""

        def end(at: int) -> bytes | None:
            moved = at - before
            if HEAD <= moved <= len(data):
                return data[moved - HEAD : moved]
            if 0 <= moved <= len(data) and len(last) + moved >= HEAD:
                return (last + data[:moved])[-HEAD:]
            # To look back in a packed one is to unpack it all again.
            return None if isinstance(self.file, Packed) else self.file.before(at)

        learn_ends(self.mark, end)
        self._behind = self.mark.offset
        moved = self._behind - before
        self._last = data[moved - HEAD : moved] if moved >= HEAD else (last + data[:moved])[-HEAD:]
