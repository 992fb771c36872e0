"""The `ottla` command: a table of commands, each loaded only when it is called."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping

import click

from agent.commands import streams
from agent.commands.table import Table
from agent.early_hang_up import EarlyHangUp
from agent.version import VERSION

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (where it is, what it is for)
    "run": ("agent.commands.run:run", "Run the agent of this broker."),
    "demo": ("agent.commands.demo:demo", "Start a cluster, break it, and watch it being healed."),
    "status": ("agent.commands.read:status", "What is wrong, what is being done, what stands."),
    "why": ("agent.commands.read:why", "Why something was done, or was not."),
    "actions": ("agent.commands.read:actions", "What was done, and how each ended."),
    "pause": ("agent.commands.order:pause", "Begin nothing new; undo goes on."),
    "resume": ("agent.commands.order:resume", "End the pause."),
    "approve": ("agent.commands.answer:approve", "Let a remedy do what it proposes."),
    "deny": ("agent.commands.answer:deny", "Forbid it."),
    "undo": ("agent.commands.undo:undo", "Take back what the agent did."),
    "fleet": ("agent.commands.fleet:fleet", "What all agents agree on: claims, budgets, pauses; and orders."),
    "stop": ("agent.commands.order:stop", "End the agent."),
    "reload": ("agent.commands.order:reload", "Read the rules again."),
    "rules": ("agent.commands.rules:rules", "Check, test, explain and backtest rules and remedies."),
    "record": ("agent.commands.record:record", "Write what an agent sees to a file, for `rules backtest`."),
    "control": ("agent.commands.control:control", "The control topic itself: init, status, verify, tail."),
    "lab": ("agent.commands.lab:lab", "A real Kafka cluster on this machine, and its faults."),
}
_HELP = """Self-healing for Apache Kafka: an agent beside every broker.

Exit codes: 0 well, or done; 1 not well, or refused, or the answer cannot be written;
2 the command was written wrongly; 3 the agent does not answer (and no journal does);
4 an order was sent, and no answer came.
"""


@click.group(cls=Table, rows=COMMANDS, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ottla")
def cli() -> None:
    """Everything is in the commands."""


def main() -> None:
    """Run one command; a user's mistake is a sentence, ^C says nothing (nor do closed pipes: click)."""
    try:
        sys.exit(_run())
    finally:
        streams.let_go()


def _run() -> int:
    # Before numpy is loaded: its linear algebra, which nobody uses, would keep a thread for each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.argv[1:2] == ["run"]:  # before its modules are loaded, which takes most of a second
        signal.signal(signal.SIGHUP, EarlyHangUp())
    try:
        streams.take_any_character()
        streams.refuse_bytes(sys.argv[1:])
        code = cli.main(prog_name="ottla", standalone_mode=False)
    except click.ClickException as error:
        streams.show(error)
        return error.exit_code
    except OSError as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # click ends the line of the ^C
            return 130
        if not streams.is_told(error):
            raise
        return 1
    except (KeyboardInterrupt, click.Abort):
        return 130
    return code if isinstance(code, int) else 0
