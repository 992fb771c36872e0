"""The `ottla` command: a table of commands, each loaded only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

import click

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (where it is, what it is for)
    "run": ("agent.commands.run:run", "Run the agent of this broker."),
    "demo": ("agent.commands.demo:demo", "Start a cluster, break it, and watch it being healed."),
    "status": ("agent.commands.read:status", "What is wrong, what is being done, what stands."),
    "why": ("agent.commands.read:why", "Why something was done, or was not."),
    "actions": ("agent.commands.read:actions", "What was done, and how each ended."),
    "pause": ("agent.commands.order:pause", "Begin nothing new; undo goes on."),
    "resume": ("agent.commands.order:resume", "End the pause."),
    "undo": ("agent.commands.undo:undo", "Take back what the agent did."),
    "stop": ("agent.commands.order:stop", "End the agent."),
    "reload": ("agent.commands.order:reload", "Read the rules again."),
    "rules": ("agent.commands.rules:rules", "Check and explain rules and remedies."),
    "lab": ("agent.commands.lab:lab", "A real Kafka cluster on this machine, and its faults."),
}
_HELP = """Self-healing for Apache Kafka: an agent beside every broker.

Exit codes: 0 well, or done; 1 not well, or refused; 2 the command was written wrongly;
3 the agent does not answer (and no journal does).
"""


class Table(click.Group):
    """Commands by name; importing all of them for `--help` would take most of a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """In the order of the table, which is the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """The command, its module loaded now; None where the table has no such name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a suggestion for a name that is nearly one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"no command {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        """The table itself."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=Table, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ottla", prog_name="ottla")
def cli() -> None:
    """Everything is in the commands."""


def main() -> None:
    """Run one command; a user's mistake is a sentence, ^C says nothing (nor do closed pipes: click)."""
    sys.exit(_run())


def _run() -> int:
    try:
        code = cli.main(prog_name="ottla", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    return code if isinstance(code, int) else 0
