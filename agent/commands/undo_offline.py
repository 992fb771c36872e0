"""`ottla undo --all --offline`: the agent is dead, and its journal says what stands."""

from __future__ import annotations

import time
from pathlib import Path

import click

from agent.commands.streams import remark
from agent.config import load
from agent.daemon.settling import once
from agent.deadman import NoDeadman
from agent.history import ImpossibleTransition
from agent.journal import JournalFailed
from agent.model import Entry
from agent.recovery import undo_all
from agent.yaml_marks import BadFiles


def undo(config: Path) -> list[Entry]:
    """The entries of what was undone, or could not be. Click's exception where nothing can be begun."""
    told = once(lambda words: remark(f"waiting: {words}"))
    try:
        return undo_all(load(config), round(time.time() * 1000), told)
    except (BadFiles, JournalFailed, ImpossibleTransition, NoDeadman) as error:
        raise click.ClickException(str(error)) from error
