"""Which leader wrote which part of what we have read."""

from __future__ import annotations

from bisect import bisect_right

_LIMIT = 1_000  # changes of leader kept; for an older offset nothing is known then


class Epochs:
    """Where each leader epoch begins in the stretch of the log that was read without a gap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._epochs: list[int] = []
        self._end = 0

    def saw(self, offset: int, epoch: int) -> None:
        """A record was read. One beyond a gap, or of an older epoch than the last, begins a new stretch."""
        if offset < self._end:
            return
        if offset > self._end or (self._epochs and epoch < self._epochs[-1]):
            self._starts.clear()
            self._epochs.clear()
        if not self._epochs or epoch > self._epochs[-1]:
            self._starts.append(offset)
            self._epochs.append(epoch)
            del self._starts[:-_LIMIT], self._epochs[:-_LIMIT]
        self._end = offset + 1

    def before(self, offset: int) -> int:
        """The newest epoch read up to and with `offset`; -1 where it is not known."""
        if not self._starts or not self._starts[0] <= offset <= self._end:
            return -1
        return self._epochs[bisect_right(self._starts, offset) - 1]

    def cut(self, offset: int) -> None:
        """Forget what was read from `offset` on: the log has lost it."""
        keep = bisect_right(self._starts, offset - 1)
        del self._starts[keep:], self._epochs[keep:]
        self._end = min(self._end, offset)
