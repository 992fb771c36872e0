"""The agent's own log, whose reader may do as it likes."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from agent.daemon import own_log
from agent.daemon.own_log import OwnLog
from agent.families import written


@dataclass
class Pipe:
    """One that holds a page, and a log of this name that is written to it."""

    reader: int
    stream: TextIO
    log: logging.Logger
    own: OwnLog

    def read(self, until: str) -> str:
        """What comes up to these words."""
        text = ""
        while until not in text:
            text += os.read(self.reader, 65_536).decode()
        return text


@pytest.fixture
def pipe(request: pytest.FixtureRequest) -> Iterator[Pipe]:
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        log, own = logging.getLogger(f"tried.{request.node.name}"), OwnLog(stream)
        log.addHandler(own)
        log.propagate = False
        log.setLevel(logging.INFO)
        yield Pipe(reader, stream, log, own)
        log.removeHandler(own)
        os.close(reader)


def dropped(own: OwnLog) -> float:
    (line,) = [x for x in written(own.collect()).decode().splitlines() if x.startswith(own_log.DROPPED)]
    return float(line.split()[1])


def test_lines_keep_their_order_and_format(pipe: Pipe) -> None:
    pipe.log.info("one %s", "ä")
    pipe.own.say("as it is")
    try:
        {}.popitem()
    except KeyError:
        pipe.log.exception("two")
    pipe.own.end(30)
    first, second, third, *stack = pipe.read("empty'\n").splitlines()
    assert first.endswith(f" INFO {pipe.log.name}: one ä")
    assert second == "as it is"
    assert third.endswith(f" ERROR {pipe.log.name}: two")
    assert stack[0] == "Traceback (most recent call last):"


def test_a_line_that_cannot_be_formatted_is_told(pipe: Pipe) -> None:
    pipe.own.handle(logging.LogRecord("x", logging.INFO, "x", 1, "%d", ("none",), None))
    assert "TypeError: %d format" in pipe.read("TypeError: %d format")


def test_who_does_not_read_keeps_nobody_and_hears_what_was_dropped(pipe: Pipe) -> None:
    """Nobody waits; once it reads again it hears how many lines it has missed, and the next ones."""
    for number in range(own_log.MAX_LINES + 1_000):
        pipe.log.info("line %04d", number)
    missed = int(dropped(pipe.own))
    assert 0 < missed <= 1_000
    text = pipe.read("were dropped: stderr did not take them")
    assert f"{missed} earlier lines" in text
    assert text.count("line 0") == 1_000
    pipe.log.info("and on")
    assert "were dropped" not in pipe.read("and on").partition(f"({own_log.DROPPED})")[2]


def test_an_end_waits_so_long_and_no_longer(pipe: Pipe) -> None:
    """Nor do the last words of others find a pipe that takes none."""
    for number in range(own_log.MAX_LINES * 2):
        pipe.log.info("line %04d", number)
    began = time.monotonic()
    pipe.own.end(0.1)
    assert time.monotonic() - began < 10
    print("what the interpreter says at its end", file=pipe.stream, flush=True)


def test_what_a_full_disk_does_not_take_is_counted() -> None:
    with Path("/dev/full").open("w") as full:
        own = OwnLog(full)
        own.say("lost")
        own.end(30)
        assert dropped(own) == 1


def test_without_a_stream_nothing_is_said_and_nothing_counted() -> None:
    own = OwnLog(None)
    own.say("to nobody")
    own.end(30)
    assert dropped(own) == 0
