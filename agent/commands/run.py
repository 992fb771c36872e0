"""`ottla run`: the agent of this broker, in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path

import click

from agent.assembly.service import make_service
from agent.commands.reach import CONFIG
from agent.config import Config, load
from agent.daemon.interpreter import MOMENTS_S, give_back, settle, share_heap
from agent.deadman import NoDeadman
from agent.history import ImpossibleTransition
from agent.journal import JournalFailed
from agent.name_lookups import run as run_to_end
from agent.web.listeners import CannotListen
from agent.yaml_marks import BadFiles


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), default=CONFIG, show_default=True)
@click.option("--verbose", is_flag=True, help="Say more on stderr.")
def run(file: Path, verbose: bool) -> None:
    """Run the agent until it is stopped.

    SIGTERM undoes what is reversible (30 s at most) and ends it; SIGHUP reads the rules again.
    """
    if os.getpid() == 1:
        raise click.ClickException(
            "process 1 of a container gets no signal that it does not handle: run the agent under an init"
            " (docker run --init, or tini)"
        )
    share_heap()
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # every failure is told by the call that met it
    try:
        run_to_end(_serve(load(file)))
    except (BadFiles, JournalFailed, ImpossibleTransition, CannotListen, NoDeadman) as error:
        raise click.ClickException(str(error)) from error


async def _serve(config: Config) -> None:
    service = await make_service(config)
    settle()
    later = asyncio.create_task(_give_back())
    await service.run(lambda address: _say(f"ottla: http://{address}, socket {config.socket}"))
    later.cancel()


def _say(words: str) -> None:
    with contextlib.suppress(OSError):  # nor does a full disk beneath its log end an agent later on
        click.echo(words, err=True)


async def _give_back() -> None:
    started = asyncio.get_running_loop().time()
    for moment in MOMENTS_S:
        await asyncio.sleep(started + moment - asyncio.get_running_loop().time())
        await asyncio.to_thread(give_back)
