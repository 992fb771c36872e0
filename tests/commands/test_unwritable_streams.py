"""Commands whose stdout or stderr cannot be written do what they were asked, and say so where they can."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
import pytest
from fake_surface import FakeSurface
from test_ask_and_order import INTERRUPTIBLE, agent, dead, folder, ottla, surface  # noqa: F401  fixtures
from test_progress import later

from agent.commands import streams, undo_offline
from agent.commands.progress import Progress
from agent.model import Entry
from agent.web.server import Server

FULL = Path("/dev/full")


@contextmanager
def full_stderr(patch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """On a full disk. Not as a fixture: a test begins with a stderr of pytest's own."""
    stream = FULL.open("w")
    patch.setattr(sys, "stderr", stream)
    yield stream
    with pytest.raises(OSError, match="No space left"):  # what was written waits in it
        stream.close()


def test_an_undo_says_that_it_waits_and_does_not_fail_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for an undo that had failed, and the effect stood."""

    def waiting(_: object, __: int, told: Callable[[str], None]) -> list[Entry]:
        told("a request is in doubt")
        return []

    monkeypatch.setattr(undo_offline, "load", lambda _: None)
    monkeypatch.setattr(undo_offline, "undo_all", waiting)
    with full_stderr(monkeypatch):
        assert undo_offline.undo(Path("ottla.yml")) == []


def test_progress_is_silent_where_its_stream_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_stderr(monkeypatch), Progress() as progress:
        later(monkeypatch, 3)
        progress.tell("one")
        later(monkeypatch, 60)
        progress.tell("two")


def test_progress_is_silent_where_there_is_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with Progress() as progress:
        later(monkeypatch, 3)
        progress.tell("one")


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-"])
async def test_a_journal_is_read_although_nothing_can_be_said_of_it(dead: Path, redirect: str) -> None:  # noqa: F811
    line = f"{sys.executable} -m agent actions --socket {dead / 's'} --state {dead} {redirect}"
    child = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(child.communicate(), 30)
    assert (child.returncode, b"drain_disk" in out) == (0, True)


async def test_a_recording_whose_summary_cannot_be_printed_is_no_file_that_cannot_be_written(
    agent: Server,  # noqa: F811
    folder: Path,  # noqa: F811
) -> None:
    words = ("record", folder / "rec.om", "--for", "1s", "--interval", "1s", "--socket", folder / "s")
    with FULL.open("wb") as full:
        ran = await ottla(*words, stdout=full.fileno())
    assert (ran.code, ran.err) == (1, "Error: cannot write to stdout: No space left on device\n")


def test_which_stream_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with full_stderr(monkeypatch) as full:
        monkeypatch.setattr(streams, "STDERR", full.fileno())
        with pytest.raises(OSError, match="No space left") as raised:
            click.echo("words", err=True)
        monkeypatch.setattr(streams, "remark", said.append)
        assert streams.is_told(raised.value)
    assert said == ["Error: cannot write to stderr: No space left on device"]


@pytest.mark.parametrize(
    "words",
    [("pause", "x"), ("resume",), ("undo", "--all"), ("reload",), ("approve", "3fa9c1"), ("deny", "3fa9c1")],
)
@pytest.mark.parametrize(("output", "why"), [("full", "No space left on device"), ("gone", "Broken pipe")])
async def test_an_order_that_was_taken_does_not_look_refused(
    agent: Server,  # noqa: F811
    folder: Path,  # noqa: F811
    words: tuple[str, ...],
    output: str,
    why: str,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with FULL.open("wb") as full:
        ran = await ottla(
            *words, "--socket", folder / "s", stdout=full.fileno() if output == "full" else writer
        )
    os.close(writer)
    told = f"Error: the order was taken, and its answer cannot be written to stdout: {why}\n"
    assert (ran.code, ran.err) == (1, told)


async def test_what_stdout_has_no_character_for_is_escaped() -> None:
    """It was a traceback."""
    ran = await ottla("fleet", "pause", "--help", PYTHONIOENCODING="latin-1")
    assert (ran.code, ran.err) == (0, "")
    assert "2h, \\u2026 [default" in " ".join(ran.out.split())


async def test_an_interrupt_is_130_although_stderr_is_full(
    agent: Server,  # noqa: F811
    folder: Path,  # noqa: F811
    surface: FakeSurface,  # noqa: F811
) -> None:
    words = (sys.executable, "-c", INTERRUPTIBLE, "stop", "--socket", str(folder / "s"))
    with FULL.open("wb") as full:
        child = await asyncio.create_subprocess_exec(*words, stderr=full.fileno())
    async with asyncio.timeout(30):
        while not surface.orders:
            await asyncio.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert await child.wait() == 130
