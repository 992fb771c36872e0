"""What a long command says of itself, and to whom."""

from __future__ import annotations

import io
import time

import pytest

from agent.commands.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """As a terminal does."""
        return True


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Time goes on."""
    now = time.monotonic() + seconds
    monkeypatch.setattr(time, "monotonic", lambda: now)


def test_what_is_quick_says_nothing() -> None:
    """Two seconds are no wait."""
    stream = Terminal()
    with Progress(stream) as told:
        told.tell("reading")
    assert stream.getvalue() == ""


def test_a_terminal_sees_one_line_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over and over in its place."""
    stream = Terminal()
    with Progress(stream) as told:
        later(monkeypatch, 3)
        told.tell("reading")
        told.tell("too soon for another")
    assert stream.getvalue() == "\r\x1b[Kreading\r\x1b[K"


def test_a_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without codes for terminals."""
    stream = io.StringIO()
    with Progress(stream) as told:
        later(monkeypatch, 3)
        told.tell("reading")
        later(monkeypatch, 8)
        told.tell("not yet")
        later(monkeypatch, 30)
        told.tell("judging")
    assert stream.getvalue() == "reading\njudging\n"
