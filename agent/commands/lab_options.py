"""What the commands of `ottla lab` share: their options, and how a failure is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import click

from agent.commands.streams import remark
from agent.lab.errors import LabError

STATE = click.Option(
    ["--state"],
    type=click.Path(file_okay=False, path_type=Path),
    envvar="OTTLA_LAB",
    show_default="/var/lib/ottla-lab/default as root, else ~/.local/state/ottla-lab/default",
    help="The lab's folder; labs in different folders run side by side.",
)


def state(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--state`. Unlike an agent's it holds a whole lab."""
    return click.option(
        *STATE.opts, type=STATE.type, envvar=STATE.envvar, help=STATE.help, show_default=STATE.show_default
    )(command)


def say(text: str) -> None:
    """Progress, for people only: on stderr, so that a pipe gets nothing but the result."""
    remark(click.style(f"lab: {text}", dim=True))


def running(function: Callable[..., Coroutine[Any, Any, int]]) -> Callable[..., None]:
    """Run a coroutine as a click command: its result is the exit code; LabError gives 1."""

    @wraps(function)
    def run(**options: Any) -> None:
        try:
            code = asyncio.run(function(**options))
        except LabError as error:
            remark(click.style(f"error: {error}", fg="red"))
            if error.hint:
                remark(f"  try: {error.hint}")
            sys.exit(1)
        except KeyboardInterrupt:
            remark("interrupted; `ottla lab down` removes what was started")
            sys.exit(130)
        sys.exit(code)

    return run
