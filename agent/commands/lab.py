"""`ottla lab`: a real Kafka cluster on this machine, to try things on and to break."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agent.commands import lab_options, options
from agent.commands.lab_faults import break_, heal, list_faults
from agent.commands.lab_load import load
from agent.commands.lab_options import running, say
from agent.lab import disks
from agent.lab.cluster import Lab
from agent.lab.nodes import NodeState
from agent.lab.plan import Plan, Size

_COLOURS = {NodeState.RUNNING: "green", NodeState.STARTING: "yellow", NodeState.PAUSED: "yellow"}


@click.group()
def lab() -> None:
    """A real Kafka cluster on this machine, to try things on and to break.

    Nothing outside its state folder is touched, and `ottla lab down` leaves nothing behind.
    """


@lab.command()
@click.option("--brokers", type=click.IntRange(1, 9), help="[default: 3]")
@click.option("--controllers", type=click.IntRange(1, 5), help="[default: 1]")
@click.option("--kafka", metavar="VERSION", help="Kafka's version.  [default: 4.3.1, or that of KAFKA_HOME]")
@click.option(
    "--jmx-exporter", "exporter", is_flag=True, help="With jmx_exporter in each broker, beside Jolokia."
)
@click.option("--sasl", is_flag=True, help="With the authorizer on, and a SASL listener for the agents.")
@lab_options.state
@options.output
@running
async def up(
    brokers: int | None,
    controllers: int | None,
    kafka: str | None,
    state: Path | None,
    output: str,
    **parts: bool,
) -> int:
    """Start the cluster, or complete it; one that runs is left as it is.

    The first time Kafka's jars are fetched from Maven's repository (about 45 MB); KAFKA_HOME is used instead
    where it is set.
    """
    named = brokers or controllers or any(parts.values())
    size = Size(brokers or 3, controllers or 1, **parts) if named else None
    own = Lab.open(state)
    await own.up(size, kafka, say)
    await _show(own, output)
    return 0


@lab.command()
@lab_options.state
@running
async def down(state: Path | None) -> int:
    """Remove the cluster: its processes, mounts and files, data included."""
    own = Lab.open(state)
    say(f"removed {own.state}" if await own.down() else f"there is no lab in {own.state}")
    return 0


@lab.command()
@lab_options.state
@options.output
@running
async def status(state: Path | None, output: str) -> int:
    """Show the nodes and how full their log dirs are; exit code 1 unless all of them run."""
    return 0 if await _show(Lab.open(state), output) else 1


async def _show(own: Lab, output: str) -> bool:
    """Print the lab's nodes; whether all of them run."""
    plan = own.plan
    states = await own.states()
    options.tell(output, _as_json(own, plan, states), _as_text(own, plan, states))
    return all(seen is NodeState.RUNNING for seen in states.values())


def _as_text(own: Lab, plan: Plan, states: Mapping[int, NodeState]) -> str:
    lines = [f"Kafka {plan.kafka} in {own.state}, bootstrap {','.join(plan.bootstrap)}"]
    for node in plan.nodes:
        word = click.style(f"{states[node.id]:<8}", fg=_COLOURS.get(states[node.id], "red"))
        full = "  ".join(f"{path} {disks.used_ratio(path, plan.disk):.0%}" for path in node.log_dirs)
        lines.append(
            f"{node.name:<14}  {word}  pid {node.pid or '-'!s:<7}  port {node.port}  {full}".rstrip()
        )
    return "\n".join(lines)


def _as_json(own: Lab, plan: Plan, states: Mapping[int, NodeState]) -> dict[str, Any]:
    nodes = [
        {
            **dataclasses.asdict(node),
            "role": "broker" if node.is_broker else "controller",
            "state": states[node.id],
            "pid": node.pid,
            "jolokia_url": node.jolokia_url if node.is_broker else None,
            "exporter_url": node.exporter_url,
            "server_properties": str(node.server_properties),
            "log_dirs": [
                {"path": str(path), "used_ratio": round(disks.used_ratio(path, plan.disk), 4)}
                for path in node.log_dirs
            ],
        }
        for node in plan.nodes
    ]
    return {"state": str(own.state), "kafka": plan.kafka, "bootstrap": list(plan.bootstrap), "nodes": nodes}


for _part in (list_faults, break_, heal, load):
    lab.add_command(_part)
