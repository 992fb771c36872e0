"""The agent's own log: a thread writes it, so that nobody waits for who reads it."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
import traceback
from collections.abc import Iterable
from queue import Full, Queue
from typing import TextIO

from agent.families import Family, counter

MAX_LINES = 2_000  # waiting; with a stack each they are some 10 MB
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
DROPPED = "ottla_stderr_dropped_lines_total"


class OwnLog(logging.Handler):
    """Writes lines to `stream` (None: nowhere) in their order. At most MAX_LINES wait for it.

    What it does not take is counted, and told of in a line once it does again. It writes to the descriptor:
    a thread that hangs in it must hold no lock of the stream, for which the interpreter waits at its end.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._lines: Queue[str | threading.Event] = Queue(MAX_LINES)
        self.setFormatter(logging.Formatter(FORMAT))
        self._to = _nowhere() if stream is None else stream.fileno()
        self._encoding = "utf-8" if stream is None else stream.encoding
        self._counting = threading.Lock()
        self._dropped = 0
        self._told = 0  # of them
        threading.Thread(target=self._write_on, name="own log", daemon=True).start()

    def say(self, words: str) -> None:
        """A line as it is."""
        try:
            self._lines.put_nowait(words)
        except Full:
            self._drop()

    def emit(self, record: logging.LogRecord) -> None:
        """The whole line, its stack included. By itself: logging.handlers takes a third of a MiB."""
        try:
            line = self.format(record)
        except (TypeError, ValueError, LookupError, AttributeError):  # what arguments raise that do not fit
            self.handleError(record)
        else:
            self.say(line)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  its name there
        """What cannot be formatted is told as well, and in the same way."""
        self.say(f"a line of {record.name} cannot be told: {traceback.format_exc().rstrip()}")

    def collect(self) -> Iterable[Family]:
        """See agent.families.Collector."""
        yield counter(DROPPED, "Lines of the agent's own log that stderr did not take", self._dropped)

    def end(self, seconds: float, last: str = "") -> None:
        """Wait until all is written, so long at most, and `last` after it: why the process ends.

        Where stderr takes no more, it goes nowhere from then on: nor must what others write keep the process
        from ending. They cannot write `last`: a socket that has room for it says so only when three quarters
        of it are read, and only the thread may try, and hang.
        """
        if not (self._written(seconds, last) and _has_room(self._to)):
            nowhere = _nowhere()
            os.dup2(nowhere, self._to)
            os.close(nowhere)

    def _written(self, seconds: float, last: str) -> bool:
        until = time.monotonic() + seconds
        written = threading.Event()
        try:
            for each in (last, written) if last else (written,):
                self._lines.put(each, timeout=max(0.0, until - time.monotonic()))
        except Full:
            return False
        return written.wait(until - time.monotonic())

    def _write_on(self) -> None:
        """The thread."""
        while True:
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
            elif not self._write(line):
                self._drop()
            elif self._dropped > self._told and self._lines.empty():
                self._tell_dropped()

    def _tell_dropped(self) -> None:
        count = self._dropped
        words = f"{count - self._told} earlier lines were dropped: stderr did not take them ({DROPPED})"
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, words, None, None)
        if self._write(self.format(record)):
            self._told = count

    def _drop(self) -> None:
        with self._counting:
            self._dropped += 1

    def _write(self, line: str) -> bool:
        rest = memoryview(f"{line}\n".encode(self._encoding, "backslashreplace"))
        try:
            while rest:
                try:
                    rest = rest[os.write(self._to, rest) :]
                except BlockingIOError:  # whoever shares it has set it so
                    _has_room(self._to, None)
        except OSError:
            return False
        return True


def _has_room(to: int, ms: int | None = 0) -> bool:
    """Whether a write would not wait, after so long at most (None: until it would not)."""
    poll = select.poll()
    poll.register(to, select.POLLOUT)
    return bool(poll.poll(ms))


def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)
