"""`ottla approve` and `deny`: a person's word for what a remedy in mode `propose` would do."""

from __future__ import annotations

from typing import Any

import click

from agent.commands.options import ordering, tell
from agent.commands.reach import find, order


@click.command()
@click.argument("incident")
@click.option("--reason", default="", help="Why; kept in the journal.")
@ordering
def approve(incident: str, reason: str, output: str, **where: Any) -> None:
    """Let a remedy do what it proposes; `ottla status` shows the INCIDENT and what would change.

    Counts once, for this step with these arguments, and for 15 minutes: all questions are asked again on
    fresh data before anything begins.
    """
    answer = order(find(**where), "approve", incident=incident, reason=reason)
    tell(output, answer, "approved; ottla why says what came of it")


@click.command()
@click.argument("incident")
@click.option("--reason", default="", help="Why not; kept in the journal.")
@ordering
def deny(incident: str, reason: str, output: str, **where: Any) -> None:
    """Forbid what a remedy proposes, until its alert ends or somebody approves it after all."""
    answer = order(find(**where), "deny", incident=incident, reason=reason)
    tell(output, answer, "denied, as long as the alert lasts")
