"""Plays scenarios/*.txt through the real loop in virtual time; REWRITE=1 writes what was told into them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from stage import Disk, Stage, book

from agent.model import Mode
from agent.rehearsal.virtual_time import run

FOLDER = Path(__file__).parent / "scenarios"
JOURNAL = "-- journal --"
VALUES = {"none": None, "yes": True, "no": False}


def stories() -> list[Path]:
    """Every scenario."""
    return sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("path", stories(), ids=lambda p: p.stem)
def test_scenario(path: Path) -> None:
    """The journal expected is the journal told. Read it before you keep a new one."""
    script, _, expected = path.read_text().partition(f"{JOURNAL}\n")
    told = run(perform(script))

    if os.environ.get("REWRITE"):
        path.write_text(f"{script}{JOURNAL}\n{told}")
    assert told == expected


async def perform(script: str) -> str:
    """Each line is a command; `#` begins a comment."""
    stage = Stage(disk=Disk())
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        if words:
            await _COMMANDS[words[0]](stage, dict(word.split("=") for word in words[1:]))
    await stage.crash()
    return (
        "".join(f"{line}\n" for line in stage.told())
        + f"standing: {stage.standing}, brake: {stage.disk.brake}\n"
    )


async def _start(stage: Stage, options: dict[str, str]) -> None:
    lease = int(options["lease"]) * 1000 if "lease" in options else None
    stage.rules = book(int(options.get("steps", 1)), lease_ms=lease, mode=Mode(options.get("mode", "act")))
    await stage.start()


async def _play(stage: Stage, options: dict[str, str]) -> None:
    seconds = float(options.pop("for"))
    await stage.play(seconds, **{name: _value(text) for name, text in options.items()})


async def _restart(stage: Stage, options: dict[str, str]) -> None:
    await stage.crash()
    await stage.play(float(options.get("after", 1)))
    await stage.start()


def _value(text: str) -> object:
    if text in VALUES:
        return VALUES[text]
    try:
        return float(text)
    except ValueError:
        return {"broker-3": frozenset({3}), "nobody": frozenset()}.get(text, text)


_COMMANDS = {"start": _start, "play": _play, "restart": _restart}
