"""`ottla rules`: the table of what rule authors ask."""

from __future__ import annotations

from collections.abc import Mapping

import click

from agent.commands.table import Table

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (where it is, what it is for)
    "check": ("agent.commands.rules_check:check", "Say everything that is wrong with rules."),
    "test": ("agent.commands.rules_test:test", "Run the rules' unit tests."),
    "backtest": ("agent.commands.rules_backtest:backtest", "Run rules over recorded history."),
    "explain": ("agent.commands.rules_explain:explain", "Say in words what a rule reads and does."),
    "diff": ("agent.commands.rules_backtest:diff", "Say what a change of the rules would do differently."),
    "schema": (
        "agent.commands.rules_explain:schema",
        "Print the JSON Schema of a kind of file, for editors.",
    ),
}


@click.group(cls=Table, rows=COMMANDS)
def rules() -> None:
    """Check, test, explain and backtest rules."""
