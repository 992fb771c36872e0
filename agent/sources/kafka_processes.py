"""Which processes of this host run Kafka, as far as /proc shows them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MAIN_CLASS = b"kafka.Kafka"
_CONTROL_GROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"))  # of cgroup v2, and of v1


class Hidden(PermissionError):
    """Whether it runs cannot be known: /proc does not show other users' processes."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: /proc shows this agent no other users' processes (hidepid, or ProtectProc= in its"
            " unit); run it as the broker's user, or let it see them"
        )


def command(pid: int) -> list[bytes]:
    """The words of its command line. ProcessLookupError where it is gone, Hidden where it may not be seen."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except PermissionError as error:
        raise Hidden(f"process {pid} cannot be looked at") from error
    except (FileNotFoundError, ProcessLookupError) as error:
        if _lives(pid) and not (PROC / str(pid)).exists():
            raise Hidden(f"process {pid} lives and cannot be seen") from error
        raise ProcessLookupError(f"there is no process {pid}") from error


def _lives(pid: int) -> bool:
    """As the kernel tells everybody, whatever /proc shows."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0  # 0 is our own group


def hides() -> bool:
    """Whether there may be processes that this one is not shown: the first one it would see else."""
    try:
        command(1)
    except (Hidden, ProcessLookupError):
        return True
    return False


def brokers() -> Iterator[tuple[int, int]]:
    """Pid and owner of each process of Kafka's main class that is shown."""
    for pid in pids():
        try:
            if MAIN_CLASS in command(pid):
                yield pid, (PROC / str(pid)).stat().st_uid
        except (FileNotFoundError, ProcessLookupError, Hidden):
            continue  # it ended meanwhile, or is not for us to see


def likeliest(pids: Iterable[int]) -> list[int]:
    """Which of these may be the broker: JVMs of Kafka's main class, or else what has that in its command line
    (as sudo has, of what it runs), or else JVMs (a distribution may have another main class). Hidden where
    none of these is it that are shown."""
    ranked: dict[int, list[int]] = {1: [], 2: [], 3: []}
    hidden: Hidden | None = None
    for pid in dict.fromkeys(pids):
        try:
            words = command(pid)
        except Hidden as error:
            hidden = error
        except ProcessLookupError:
            continue
        else:
            is_jvm = _program(words) in (b"java", MAIN_CLASS)
            ranked.setdefault(2 * (MAIN_CLASS in words) + is_jvm, []).append(pid)
    found = next((ranked[rank] for rank in (3, 2, 1) if ranked[rank]), [])
    if not found and hidden is not None:
        raise hidden
    return found


def names_kafka(pid: int) -> bool:
    """Whether Kafka's main class is in its command line, or its native image runs. Hidden where it may not be
    seen."""
    try:
        words = command(pid)
    except ProcessLookupError:
        return False
    return MAIN_CLASS in (*words, _program(words))


def _program(words: Sequence[bytes]) -> bytes:
    """The name of its file, as Kafka's main class where that is a native image."""
    return words[0].rpartition(b"/")[2]


def shares_network(pid: int) -> bool:
    """Whether its ports are this agent's own. /proc/PID/ns is hidden from other users, its net is not."""
    try:
        return (PROC / str(pid) / "net/tcp").stat().st_ino == (PROC / "self/net/tcp").stat().st_ino
    except OSError:  # it ended meanwhile
        return True


def of_group(group: str) -> Iterator[int]:
    """The processes of a control group, as systemd names it, and of those below it."""
    for root in _CONTROL_GROUPS if group.strip("/") else ():
        for file in (root / group.strip("/")).rglob("cgroup.procs"):
            with suppress(FileNotFoundError):  # it ended meanwhile
                yield from map(int, file.read_text().split())


def pids() -> Iterator[int]:
    """All that are shown."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
