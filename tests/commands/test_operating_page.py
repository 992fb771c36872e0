"""The operators' page shows commands that exist, and every route that is served."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from fake_surface import FakeSurface

from agent.cli import cli
from agent.web.routes import Ordering, Reading

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
_BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LINES = [line for block in _BLOCKS for line in block.splitlines() if line.startswith("ottla ")]


def parsed(line: str) -> click.Context:
    """The context of a command line, its options and arguments checked and nothing run."""
    words = shlex.split(line, comments=True)[1:]
    with click.Context(cli) as context:
        name, command, rest = cli.resolve_command(context, words)
        assert command is not None
        return command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("line", LINES)
def test_each_command_is_one(line: str) -> None:
    """Its name, its options and its arguments are what the command takes."""
    assert parsed(line).params


def test_a_wrong_option_would_be_found() -> None:
    """The test above means something."""
    with pytest.raises(click.NoSuchOption):
        parsed("ottla status --everything")
    assert len(LINES) > 10


def test_every_route_is_on_the_page() -> None:
    surface = FakeSurface()
    routes = [*Reading(surface).routes(), *Ordering(surface).routes()]
    assert [r.path for r in routes if f"`{r.path}" not in PAGE] == []
