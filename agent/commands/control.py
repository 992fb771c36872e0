"""`ottla control`: the control topic itself, straight from Kafka, whether agents run or not."""

from __future__ import annotations

from collections.abc import Mapping

import click

from agent.commands.table import Table

ROWS: Mapping[str, tuple[str, str]] = {
    "init": ("agent.commands.control_init:init", "Make the topic, and let its log be born."),
    "status": ("agent.commands.control_verify:status", "The topic, and what its log amounts to."),
    "verify": ("agent.commands.control_verify:verify", "Fold the whole log, and say what is wrong with it."),
    "tail": ("agent.commands.control_tail:tail", "Its records, one a line, and what became of each."),
}


@click.group(cls=Table, rows=ROWS)
def control() -> None:
    """The control topic itself, straight from Kafka: no agent is asked.

    What is needed to reach it comes from the agent's configuration file.
    """
