"""`ottla fleet`: what all agents agree on, and what a person orders them all."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agent.commands import show_fleet
from agent.commands.options import config, output, socket, tell, url
from agent.commands.reach import find, get, order
from agent.commands.table import Table

ROWS: Mapping[str, tuple[str, str]] = {
    "pause": ("agent.commands.fleet_orders:pause", "Let no claim begin that SELECTOR names; undo goes on."),
    "resume": ("agent.commands.fleet_orders:resume", "End such a pause."),
    "budget": ("agent.commands.fleet_orders:budget", "Change how many at once, or how many in a time."),
    "params": ("agent.commands.fleet_orders:params", "Change the control topic's times."),
    "resolve": ("agent.commands.fleet_orders:resolve", "Close an orphan or a stuck claim: a person looked."),
    "raise": ("agent.commands.fleet_orders:raise_fold", "Raise the fold's version, once all agents know it."),
}


@click.group(cls=Table, rows=ROWS, invoke_without_command=True)
@socket
@config
@url
@output
@click.option("--fresh", is_flag=True, help="Write a record and read it back first: nothing is missing then.")
@click.pass_context
def fleet(context: click.Context, /, output: str, fresh: bool, url: str | None, **where: Path | None) -> None:
    """Show all agents as the control topic has them: who lives, claims and what they wait for, budgets.

    Exit code 1 where a person should look: the agent asked cannot use the log, a claim is an orphan or stuck,
    a pause stands, of the fleet or of one agent by itself. --fresh is an order, since it writes: root or the
    agent's own user, on the unix socket.
    """
    if context.invoked_subcommand is not None:
        if fresh or url or output != "text" or any(where.values()):
            raise click.UsageError("options go behind the order: ottla fleet pause SELECTOR --socket …")
        return
    if fresh and url:
        raise click.UsageError("--fresh writes a record, and orders are taken on the unix socket only")
    reach = find(url=url, **where)
    answer: dict[str, Any] = order(reach, "fleet/fresh") if fresh else get(reach, "fleet")
    tell(output, answer, show_fleet.fleet(answer, round(time.time() * 1000)))
    sys.exit(1 if show_fleet.troubles(answer) else 0)
