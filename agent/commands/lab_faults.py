"""`ottla lab faults | break | heal`: one command for each fault, with the options of its module."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import click

from agent.commands import options
from agent.commands.lab_options import STATE, running, say
from agent.lab import faults
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.faults import Fault
from agent.quantities import parse_ratio


@click.command("faults")
@options.output
def list_faults(output: str) -> None:
    """List the faults that `break` makes, with their manuals."""
    known = faults.load()
    data = [{"name": one.name, "manual": one.manual, "options": dict(one.options)} for one in known.values()]
    manuals = [f"{click.style(one.name, bold=True)}\n{indent(one.manual, '  ')}" for one in known.values()]
    options.tell(output, data, "\n\n".join(manuals))


@click.group("break")
def break_() -> None:
    """Make a fault: `ottla lab faults` has their manuals."""


@click.group()
def heal() -> None:
    """End a fault, by hand."""


def _add(fault: Fault) -> None:
    """One command under `break` and one under `heal`, with the fault's own options and manual."""

    @running
    async def begin(broker: int, state: Path | None, **chosen: Any) -> int:
        click.echo(await fault.break_(_with_broker(state, broker), broker, say, **chosen))
        return 0

    @running
    async def end(broker: int, state: Path | None) -> int:
        click.echo(await fault.heal(_with_broker(state, broker), broker, say))
        return 0

    shared: list[click.Parameter] = [
        click.Option(["--broker"], type=int, default=2, show_default=True, help="The broker's node id."),
        STATE,
    ]
    own = [
        click.Option([f"--{name}"], type=_kind(default), default=default, show_default=True)
        for name, default in fault.options.items()
    ]
    break_.add_command(click.Command(fault.name, params=[*own, *shared], callback=begin, help=fault.manual))
    heal.add_command(click.Command(fault.name, params=shared, callback=end, help=fault.manual))


def _with_broker(state: Path | None, broker: int) -> Lab:
    own = Lab.open(state)
    if broker not in own.brokers:
        known = ", ".join(map(str, own.brokers))
        raise LabError(f"the lab has no broker {broker}", f"--broker with one of {known}")
    return own


def _kind(default: object) -> click.ParamType[float] | None:
    """A ratio is what a float of a fault's means; the rest click reads from the default."""
    return _Ratio() if isinstance(default, float) else None


class _Ratio(click.ParamType[float]):
    """`0.88` or `88%`."""

    name = "ratio"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_ratio(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


for _fault in faults.load().values():
    _add(_fault)
