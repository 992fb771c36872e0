"""`ottla undo`: take back what the agent did, by the agent or, where it is dead, from its journal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from agent.commands.loading import loaded
from agent.commands.options import ordering, tell_taken
from agent.commands.reach import CONFIG, find, order
from agent.commands.show import cleaned
from agent.wire import plain

OFFLINE = "agent.commands.undo_offline:undo"  # needs all parts of an agent, which the other ways do not


@click.command()
@click.argument("incident", required=False)
@click.option("--all", "all_", is_flag=True, help="Everything that stands.")
@click.option("--offline", is_flag=True, help="From the journal, while no agent runs (with --all).")
@ordering
def undo(incident: str | None, all_: bool, offline: bool, output: str, **where: Any) -> None:
    """Take back what was done for INCIDENT, or everything.

    Only values that are still the agent's own are put back: what somebody else changed since is left alone
    and reported. Exit code 1 where something could not be undone.

    --offline refuses while an agent holds the journal. It does not use the control topic: each request goes
    by a connection of its own, the kernel kills this command if it stalls before one leaves, and what the
    agent sent last is waited for (two minutes at most, longer while a broker does not answer). The stop file
    stops it. The claims are closed by the agent when it runs again, or by its peers.
    """
    if all_ is (incident is not None):
        raise click.UsageError("say what to undo: an INCIDENT (ottla status shows them), or --all")
    if offline and not all_:
        raise click.UsageError("--offline undoes everything: add --all, or leave --offline out")
    if offline:
        entries = loaded(OFFLINE)(where.get("config") or CONFIG)
        written: Any = [plain(entry) for entry in entries]
    else:
        written = order(find(**where), "undo", **({"all": True} if all_ else {"incident": incident}))
    tell_taken(output, written, _text(cleaned(written)))
    sys.exit(1 if any(entry["kind"] == "failed" for entry in written) else 0)


def _text(written: Sequence[dict[str, Any]]) -> str:
    return (
        "\n".join(f"{e['incident']}: {e['kind']}: {e['reason']}" for e in written)
        or "nothing stands: nothing to undo"
    )
