"""Freeze the file system of a broker's second log dir with fsfreeze, as a disk that answers nothing.

Writes to it wait and nothing is refused: no error, no signal that ends who waits, and gauges that look well.
It needs root and a lab on loop devices. After `seconds` it thaws by itself, whatever became of who broke it;
heal thaws it at once.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from agent.lab import disks, processes
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.jars import Say
from agent.lab.plan import DiskKind, Node
from agent.lab.processes import Command

_END_SECONDS = 5.0


async def break_(lab: Lab, broker: int, say: Say, *, seconds: int = 60) -> str:
    """Freeze it for `seconds` at most."""
    disk = _disk(lab, broker)
    await _end_timer(lab.node(broker))
    await asyncio.to_thread(
        _start_timer, lab.node(broker), disk, seconds
    )  # first: it must run whatever follows
    say(f"freezing {disk}")
    await asyncio.to_thread(disks.freeze, disk)
    return f"{disk} is frozen, for {seconds} s at most"


async def heal(lab: Lab, broker: int, say: Say) -> str:
    """Thaw it; nothing if it is not frozen."""
    disk = _disk(lab, broker)
    say(f"thawing {disk}")
    await asyncio.to_thread(disks.thaw, disk)
    await _end_timer(lab.node(broker))
    return f"{disk} is not frozen"


def _disk(lab: Lab, broker: int) -> Path:
    if lab.plan.disk is not DiskKind.LOOP:
        raise LabError("only a disk of its own can be frozen, and this lab has none", "ottla lab up as root")
    return lab.node(broker).disks[1]


def _tag(node: Node) -> str:
    return str(Path(node.folder) / "thaw")


def _start_timer(node: Node, disk: Path, seconds: int) -> None:
    script = 'sleep "$1"; exec fsfreeze --unfreeze "$2"'
    processes.start(
        Command(
            ["sh", "-c", script, "thaw", str(seconds), str(disk)],
            tag=_tag(node),
            output=node.output,
            folder=Path(node.folder),
            as_ourselves=True,
        )
    )


async def _end_timer(node: Node) -> None:
    timer = processes.find_below(Path(_tag(node)))  # the shell, and its sleep
    await asyncio.to_thread(processes.end, timer, signal.SIGKILL, _END_SECONDS)
