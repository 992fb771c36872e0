"""/proc/PID/stat: of a process and of its threads."""

from __future__ import annotations

import os
import time

from msgspec import Struct

from agent.sources import kernel_file

TICK = os.sysconf("SC_CLK_TCK")  # a second
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Stat(Struct, frozen=True):
    """/proc/PID/stat: seconds of CPU; `started` in ticks since the boot; bytes."""

    state: str
    cpu: float
    threads: int
    started: int
    resident: int


def stat_of(pid: int | None) -> Stat | None:
    """None where there is no process, or it has ended."""
    if pid is None:
        return None
    try:
        return parse_stat(kernel_file.read(f"/proc/{pid}/stat"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def parse_stat(text: str) -> Stat | None:
    """/proc/PID/stat, None of a process that has ended. The command's name may hold anything, `) ` too."""
    fields = text[text.rindex(")") + 1 :].split()
    if len(fields) < 22:
        raise ValueError(f"/proc/PID/stat is not as documented: {text[:200]!r}")
    if fields[0] in ("Z", "X"):
        return None
    cpu = (int(fields[11]) + int(fields[12])) / TICK
    return Stat(fields[0], cpu, int(fields[17]), int(fields[19]), int(fields[21]) * _PAGE)


def boot_time() -> float:
    """When the kernel was started, in seconds since the epoch."""
    for line in kernel_file.read("/proc/stat").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    raise ValueError("/proc/stat has no btime")


def ticks() -> int:
    """Since the boot, as `started` has them."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICK)


def uninterruptible(folder: str) -> int:
    """Threads in state D."""
    found = 0
    for thread in os.listdir(f"{folder}/task"):  # noqa: PTH208 names only
        try:
            stat = parse_stat(kernel_file.read(f"{folder}/task/{thread}/stat"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += stat is not None and stat.state == "D"
    return found
