"""What a process may have at most, from its rlimits, its control groups and the kernel's settings."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import PurePosixPath

from agent.sources import kernel_file

_GROUPS = PurePosixPath("/sys/fs/cgroup")


def open_file_limit(folder: str) -> float:
    """The soft RLIMIT_NOFILE; `folder` is /proc/PID."""
    return rlimit(kernel_file.read(f"{folder}/limits"), "Max open files")


def rlimit(text: str, name: str) -> float:
    """One soft limit of /proc/PID/limits, infinity where there is none."""
    for line in text.splitlines():
        if line.startswith(f"{name} "):
            soft = line.removeprefix(name).split()[0]
            return inf if soft == "unlimited" else float(soft)
    raise ValueError(f"/proc/PID/limits has no {name!r}")


def max_threads(folder: str) -> float:
    """The least that bounds its threads. RLIMIT_NPROC counts all of the user's, pids.max the group's."""
    kernel = (float(kernel_file.read(f"/proc/sys/kernel/{name}")) for name in ("threads-max", "pid_max"))
    own = rlimit(kernel_file.read(f"{folder}/limits"), "Max processes")
    return min(own, *kernel, *_pids_max(kernel_file.read(f"{folder}/cgroup")))


def _pids_max(groups: str) -> Iterator[float]:
    """pids.max of its group and of each above it, of cgroup v2 or v1's pids controller."""
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "pids"):
            root = _GROUPS / controllers
            group = root / path.lstrip("/")
            for each in (group, *(parent for parent in group.parents if parent.is_relative_to(root))):
                try:
                    text = kernel_file.read(f"{each}/pids.max").strip()
                except FileNotFoundError:  # the root has none, nor has a group of another hierarchy
                    continue
                if text != "max":
                    yield float(text)
