"""A command's arguments and what it prints: what is no text, or cannot be written, is told in a sentence."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from types import FrameType
from typing import TextIO

import click

STDERR = 2


def take_any_character() -> None:
    """Let what the encoding of stdout does not have be printed as its escape, as on stderr."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def refuse_bytes(arguments: Sequence[str]) -> None:
    """Raises click's usage error where one of them is no text: neither an agent nor JSON could take it."""
    for each in arguments:
        try:
            each.encode()
        except UnicodeEncodeError as error:
            raise click.UsageError(f"the argument {each[:80]!a} is not UTF-8") from error


def remark(words: str) -> None:
    """Something besides the answer, on stderr: whether it can be written changes nothing of what is done."""
    with contextlib.suppress(OSError):
        click.echo(words, err=True)


def is_told(error: OSError) -> bool:
    """Whether `error` says that stdout or stderr cannot be written, which is told then, if it can be."""
    frame = _echo_s(error)
    if frame is None:
        return False
    name = "stderr" if frame.f_locals["file"].fileno() == STDERR else "stdout"
    remark(f"Error: cannot write to {name}: {error.strerror or error}")
    return True


def let_go() -> None:
    """At the end: what cannot be written goes where nothing fails.

    It is still in the stream's buffer. The interpreter would try again, complain, and end with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not _is_flushed(stream):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _echo_s(error: OSError) -> FrameType | None:
    """Where all words of commands are printed, if it was raised there, and not by a file of another use."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1] if frames[-1].f_code is click.echo.__code__ else None


def _is_flushed(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        return False
    return True


def show(error: click.ClickException) -> None:
    """What went wrong, on stderr; the exit code tells it where that cannot be written."""
    if sys.stderr is None:
        return  # closed, and click would take stdout in its place
    try:
        error.show()
    except OSError as unwritable:
        if not is_told(unwritable):
            raise
