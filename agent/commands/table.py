"""A group of commands by name, each loaded only when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import click

from agent.commands.loading import loaded


class Table(click.Group):
    """Importing every command for `--help` would take most of a second; `rows` says where each is.

    `rows`: name → (module:attribute, what it is for).
    """

    def __init__(self, *args: Any, rows: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows = rows

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """In the order of the table, which is the order of a day's work."""
        return list(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """The command, its module loaded now; None where the table has no such name."""
        if cmd_name not in self._rows:
            return None
        command: click.Command = loaded(self._rows[cmd_name][0])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a suggestion for a name that is nearly one."""
        name = args[0]
        if name not in self._rows and not name.startswith("-"):
            near = get_close_matches(name, self._rows, n=1)
            ctx.fail(f"no command {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        """The table itself."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._rows.items()])
