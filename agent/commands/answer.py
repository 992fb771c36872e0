"""`ottla approve` and `deny`: a person's word for what a remedy in mode `propose` would do."""

from __future__ import annotations

from typing import Any

import click

from agent.commands.options import ordering, tell_taken
from agent.commands.reach import find, order


@click.command()
@click.argument("proposal")
@click.option("--reason", default="", help="Why; kept in the journal.")
@ordering
def approve(proposal: str, reason: str, output: str, **where: Any) -> None:
    """Let a remedy do what it proposes; `ottla status` shows what would change, and the PROPOSAL's name.

    The name, as 3fa9c1, stands for just what was shown: where the remedy or its plan are others meanwhile,
    this is refused and says what they are now. Counts once, and for 15 minutes: all questions are asked
    again on fresh data before anything begins, and a plan that would change more is proposed anew.
    """
    answer = order(find(**where), "approve", proposal=proposal, reason=reason)
    tell_taken(output, answer, "approved; ottla why says what came of it")


@click.command()
@click.argument("proposal")
@click.option("--reason", default="", help="Why not; kept in the journal.")
@ordering
def deny(proposal: str, reason: str, output: str, **where: Any) -> None:
    """Forbid what a remedy proposes, until its alert ends or somebody approves it after all.

    PROPOSAL is its name or its incident's. What was approved may be denied until it begins.
    """
    answer = order(find(**where), "deny", proposal=proposal, reason=reason)
    tell_taken(output, answer, "denied, as long as the alert lasts")
