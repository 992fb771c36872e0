"""`ottla lab load`: a load that knows what became of every record."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from agent.commands import lab_options, options
from agent.commands.lab_options import running, say
from agent.lab.cluster import Lab
from agent.lab.ledger import LoadReport
from agent.lab.load import Load

_TELL_EVERY = 2.0
_MOST_RECORDS = 100_000  # a second


class _PerSecond(click.ParamType[float]):
    """`100/s` or `100`, in records."""

    name = "count/s"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            rate = float(str(value).removesuffix("/s"))
        except ValueError:
            self.fail(f"{value!r} is no rate: write it like 100/s, in records", param, ctx)
        if not 0 < rate <= _MOST_RECORDS:
            self.fail(f"{value!r} is out of range: more than 0 and at most {_MOST_RECORDS}/s", param, ctx)
        return rate


@click.command()
@click.option("--rate", type=_PerSecond(), default="100/s", show_default=True, help="Records a second.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True)
@click.option("--partitions", type=click.IntRange(1, 100), default=6, show_default=True)
@click.option("--record-bytes", type=click.IntRange(16, 500_000), default=512, show_default=True)
@click.option("--bootstrap", metavar="HOST:PORT,…", help="Load this cluster, and not the lab's.")
@lab_options.state
@options.output
@running
async def load(state: Path | None, output: str, bootstrap: str | None, seconds: float, **shape: Any) -> int:
    """Send numbered records with acks=all, read them back, and report.

    Exit code 1 if an acknowledged record is lost, out of order within its partition, or could not be read.
    Ctrl-C ends it early, with a report.
    """
    own = Load(bootstrap.split(",") if bootstrap else Lab.open(state).bootstrap, **shape)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    await own.start()
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(left, _TELL_EVERY))
        seen = own.progress()
        say(f"{seen.acked} of {seen.sent} acknowledged, {seen.read} read, longest gap {seen.max_gap_ms} ms")
    report = await own.stop()
    options.tell(output, {**dataclasses.asdict(report), "ok": report.ok}, _in_words(report))
    return 0 if report.ok else 1


def _in_words(report: LoadReport) -> str:
    verdict = (
        click.style("nothing lost", fg="green") if report.ok else click.style("NOT WELL", fg="red", bold=True)
    )
    return (
        f"{verdict}: {report.sent} sent, {report.acked} acknowledged, {report.failed} not, "
        f"{report.read} read\n"
        f"  {report.lost} lost, {report.reordered} out of order, {report.unread} not readable\n"
        f"  {report.duplicates} duplicates, longest gap {report.max_gap_ms} ms"
    )
