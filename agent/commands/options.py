"""The options that the commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)

socket = click.option(
    "--socket", type=_FILE, help="The agent's unix socket [env: OTTLA_SOCKET; default: the configuration's]."
)
config = click.option(
    "--config", type=_FILE, help="The agent's configuration file [default: /etc/ottla/ottla.yml]."
)
url = click.option("--agent", "url", metavar="URL", help="Ask over HTTP instead: http://127.0.0.1:9901.")
state = click.option("--state", type=_FILE, help="The state folder to read where no agent answers.")
output = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)


def reading(command: Command) -> Command:
    """The options of a command that only reads."""
    for option in (output, state, url, config, socket):
        command = option(command)
    return command


def ordering(command: Command) -> Command:
    """The options of a command that orders: only the unix socket tells the agent who asks."""
    for option in (output, config, socket):
        command = option(command)
    return command


def tell(output: str, data: Any, text: str) -> None:
    """Print the one or the other."""
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2))
    else:
        echo(text)


def tell_taken(output: str, data: Any, text: str) -> None:
    """The same of an order that was taken, which it remains where that cannot be printed."""
    try:
        tell(output, data, text)
    except OSError as error:
        why = error.strerror or error
        raise click.ClickException(
            f"the order was taken, and its answer cannot be written to stdout: {why}"
        ) from error


def echo(text: str) -> None:
    """Print; colours only on a terminal whose user did not decline them (NO_COLOR)."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
