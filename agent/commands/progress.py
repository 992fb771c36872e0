"""What a long command is doing, on stderr: nothing for two seconds, then one line that changes."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

PATIENCE_S = 2.0
_TERMINAL_S, _FILE_S = 0.2, 10.0  # between two changes


class Progress:
    """Tells people, never programs: a terminal sees one line, a file a line each ten seconds.

    Silent where there is no stream, and once it cannot be written: that is no reason to end what it tells of.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr  # None where it was closed at the start
        self._terminal = self._stream is not None and self._stream.isatty()
        self._next = time.monotonic() + PATIENCE_S
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.clear()

    def clear(self) -> None:
        """Before something else is printed."""
        if self._shown and self._terminal:
            self._write("\r\x1b[K")

    def tell(self, doing: str) -> None:
        """What is being done now; shown where it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_TERMINAL_S if self._terminal else _FILE_S)
        self._shown = True
        self._write(f"\r\x1b[K{doing}" if self._terminal else f"{doing}\n")

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._stream = None
