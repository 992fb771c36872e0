"""`ottla record`: what an agent, or any Prometheus, sees, written to a file for `ottla rules backtest`."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import click

from agent.commands.options import config, socket, url
from agent.commands.progress import Progress
from agent.commands.reach import NobodyAnswers, find
from agent.commands.spans import DURATION
from agent.quantities import show_size
from agent.recording.limits import BadHistory, Tell
from agent.recording.prometheus import NoAnswer, Prometheus
from agent.recording.recorder import Recorder, Wanted
from agent.recording.tape import Tape

EVERYTHING = '{__name__!=""}'


@click.command()
@click.argument("file", metavar="FILE[.gz]", type=click.Path(dir_okay=False, path_type=Path))
@socket
@url
@config
@click.option("--for", "for_ms", type=DURATION, help="End after this long [default: at ^C].")
@click.option(
    "--back", type=DURATION, default="2h", show_default=True, help="Begin with what is held already."
)
@click.option(
    "--interval", type=DURATION, default="15s", show_default=True, help="Time between two readings."
)
@click.option("--match", default=EVERYTHING, show_default=True, help="Which series, as PromQL selects them.")
@click.option("--append", is_flag=True, help="Go on with FILE, also where an earlier recording was killed.")
@click.option(
    "--max-size", type=click.IntRange(1), default=1024, show_default=True, help="MiB; at that size it ends."
)
def record(file: Path, **options: Any) -> None:
    """Write what an agent sees to FILE: OpenMetrics text with times, packed where the name ends in .gz.

    First what the agent holds already, then what comes, until ^C. FILE is there once it is whole; meanwhile
    it is FILE.part. --agent may be any server with Prometheus's API. Exit code 1: nothing could be recorded;
    3: nobody answers.
    """
    where = {name: options.pop(name) for name in ("socket", "url", "config")}
    reach = find(**where)
    assert reach.address is not None, "without --state there is an address"
    if file.exists() and not options["append"]:
        raise click.ClickException(f"{file} is there: choose another name, or go on with it by --append")
    with Progress() as progress:
        try:
            summary = asyncio.run(_record(reach.address, file, options, progress.tell))
        except NoAnswer as error:
            raise NobodyAnswers(str(error)) from error
        except BadHistory as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror or error}") from error
    click.echo(summary)


async def _record(address: Path | str, file: Path, options: dict[str, Any], tell: Tell) -> str:
    """What was recorded, in words."""
    wanted = Wanted(options["match"], options["back"], options["interval"])
    size = options["max_size"] << 20
    async with Prometheus(address) as server:
        await server.now()  # before there is a file
        tape = Tape.resume(file, size, tell) if options["append"] else Tape(file, size)
        recorder = Recorder(server, tape, wanted, tell)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, recorder.stop.set)
        try:
            await recorder.run(options["for_ms"])
        finally:
            if tape.samples:
                tape.finish()
            else:
                tape.discard()
    return _summary(file, tape, recorder)


def _summary(file: Path, tape: Tape, recorder: Recorder) -> str:
    if not tape.samples:
        return f"nothing was there to record: {file} was not written"
    words = f"{file}: {tape.samples:,} samples of {tape.series:,} series, {tape.ends:,} ends of series"
    words += f", {show_size(file.stat().st_size)}"
    if recorder.unanswered:
        words += f"\n{recorder.unanswered} readings had no answer; the last: {recorder.why}"
    elif recorder.why:
        words += f"\nit ended early: {recorder.why}"
    return words
