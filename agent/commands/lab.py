"""`ottla lab`: a real Kafka cluster on this machine, to try things on and to break."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import click

from agent.lab import disks
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.nodes import NodeState
from agent.lab.plan import Plan, Size

_COLOURS = {NodeState.RUNNING: "green", NodeState.STARTING: "yellow", NodeState.PAUSED: "yellow"}

_state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="OTTLA_LAB",
    help="The lab's folder; labs in different folders run side by side.",
)
_output_option = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)


def _say(text: str) -> None:
    click.secho(f"lab: {text}", err=True, dim=True)


def _command(function: Callable[..., Coroutine[Any, Any, int]]) -> Callable[..., None]:
    """Run a coroutine as a click command: its result is the exit code; LabError gives 2."""

    @wraps(function)
    def run(**options: Any) -> None:
        try:
            code = asyncio.run(function(**options))
        except LabError as error:
            click.secho(f"error: {error}", err=True, fg="red")
            if error.hint:
                click.echo(f"  try: {error.hint}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("interrupted; `ottla lab down` removes what was started", err=True)
            sys.exit(130)
        sys.exit(code)

    return run


@click.group()
def lab() -> None:
    """A real Kafka cluster on this machine, to try things on and to break.

    Nothing outside its state folder is touched, and `ottla lab down` leaves nothing behind.
    """


@lab.command()
@click.option("--brokers", type=click.IntRange(1, 9), help="[default: 3]")
@click.option("--controllers", type=click.IntRange(1, 5), help="[default: 1]")
@click.option("--kafka", metavar="VERSION", help="Kafka's version.  [default: 4.3.1, or that of KAFKA_HOME]")
@_state_option
@_output_option
@_command
async def up(
    brokers: int | None, controllers: int | None, kafka: str | None, state: Path | None, output: str
) -> int:
    """Start the cluster, or complete it; one that runs is left as it is.

    The first time Kafka's jars are fetched from Maven's repository (about 45 MB); KAFKA_HOME is used instead
    where it is set.
    """
    size = Size(brokers or 3, controllers or 1) if brokers or controllers else None
    own = Lab.open(state)
    await own.up(size, kafka, _say)
    await _show(own, output)
    return 0


@lab.command()
@_state_option
@_command
async def down(state: Path | None) -> int:
    """Remove the cluster: its processes, mounts and files, data included."""
    own = Lab.open(state)
    _say(f"removed {own.state}" if await own.down() else f"there is no lab in {own.state}")
    return 0


@lab.command()
@_state_option
@_output_option
@_command
async def status(state: Path | None, output: str) -> int:
    """Show the nodes and how full their log dirs are; exit code 1 unless all of them run."""
    return 0 if await _show(Lab.open(state), output) else 1


async def _show(own: Lab, output: str) -> bool:
    """Print the lab's nodes; whether all of them run."""
    plan = own.plan
    states = await own.states()
    if output == "json":
        click.echo(json.dumps(_as_json(own, plan, states), indent=2))
    else:
        click.echo(f"Kafka {plan.kafka} in {own.state}, bootstrap {','.join(plan.bootstrap)}")
        for node in plan.nodes:
            word = click.style(f"{states[node.id]:<9}", fg=_COLOURS.get(states[node.id], "red"))
            full = "  ".join(f"{path} {disks.used_ratio(path):.0%}" for path in node.log_dirs)
            click.echo(f"{node.name:<15} {word} pid {node.pid or '-'!s:<8} port {node.port}  {full}")
    return all(seen is NodeState.RUNNING for seen in states.values())


def _as_json(own: Lab, plan: Plan, states: dict[int, NodeState]) -> dict[str, Any]:
    nodes = [
        {
            **dataclasses.asdict(node),
            "role": "broker" if node.is_broker else "controller",
            "state": states[node.id],
            "pid": node.pid,
            "jolokia_url": node.jolokia_url if node.is_broker else None,
            "server_properties": str(node.server_properties),
            "log_dirs": [
                {"path": str(path), "used_ratio": round(disks.used_ratio(path), 4)} for path in node.log_dirs
            ],
        }
        for node in plan.nodes
    ]
    return {"state": str(own.state), "kafka": plan.kafka, "bootstrap": list(plan.bootstrap), "nodes": nodes}
