"""`ottla run`: the agent of this broker, in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from pathlib import Path

import click

from agent.assembly.service import make_service
from agent.commands.reach import CONFIG
from agent.config import Config, load
from agent.daemon.interpreter import MOMENTS_S, give_back, settle, share_heap
from agent.daemon.own_log import OwnLog
from agent.deadman import NoDeadman
from agent.history import ImpossibleTransition
from agent.journal import JournalFailed
from agent.name_lookups import run as run_to_end
from agent.web.listeners import CannotListen
from agent.yaml_marks import BadFiles

STDERR = 2
LAST_S = 2.0  # for the last lines of the log


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
    _hold_closed()
    told = OwnLog(sys.stderr)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[told])
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # every failure is told by the call that met it
    last = ""
    try:
        run_to_end(_serve(load(file), told))
    except (BadFiles, JournalFailed, ImpossibleTransition, CannotListen, NoDeadman) as error:
        last = f"Error: {error}"
    except Exception:  # noqa: BLE001  its traceback is told
        last = traceback.format_exc().rstrip()
    finally:
        told.end(LAST_S, last)
    if last:
        sys.exit(1)


async def _serve(config: Config, told: OwnLog) -> None:
    service = await make_service(config, told)
    settle()
    later = asyncio.create_task(_give_back())
    await service.run(lambda address: told.say(f"ottla: http://{address}, socket {config.socket}"))
    later.cancel()


def _hold_closed() -> None:
    """Let the closed ones of stdin, stdout and stderr lead nowhere: else the next file that is opened, as the
    journal, has the number, and gets what a library or a child prints."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(opened, True)
    os.close(opened)


async def _give_back() -> None:
    started = asyncio.get_running_loop().time()
    for moment in MOMENTS_S:
        await asyncio.sleep(started + moment - asyncio.get_running_loop().time())
        await asyncio.to_thread(give_back)
