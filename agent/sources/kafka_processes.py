"""Which processes of this host run Kafka, as far as /proc shows them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MAIN_CLASS = b"kafka.Kafka"
_JAVA = b"java"
_SETUP = b"setup"  # by which the native image formats the storage, before another one of it is the broker
_CONFIG = (b"--config", b"-C")  # behind which the native image has its properties
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
    """Pid and owner of each process of Kafka's main class, or of its native image, that is shown."""
    for pid in pids():
        try:
            if _is_kafka(command(pid)):
                yield pid, (PROC / str(pid)).stat().st_uid
        except (FileNotFoundError, ProcessLookupError, Hidden):
            continue  # it ended meanwhile, or is not for us to see


def likeliest(pids: Iterable[int]) -> list[int]:
    """Which of these may be the broker: JVMs of Kafka's main class and its native image, else what has the
    class in its command line (as sudo has, of what it runs), or else JVMs (a distribution may have another
    main class). Hidden where none of these is it that are shown."""
    ranked = dict[int, list[int]]()
    hidden: Hidden | None = None
    for pid in dict.fromkeys(pids):
        try:
            words = command(pid)
        except Hidden as error:
            hidden = error
        except ProcessLookupError:
            continue
        else:
            ranked.setdefault(_rank(words), []).append(pid)
    found = next((ranked[rank] for rank in (3, 2, 1) if rank in ranked), [])
    if not found and hidden is not None:
        raise hidden
    return found


def likely_first() -> Iterator[list[int]]:
    """All that are shown, in groups: each may sooner be a broker, as `likeliest` says it, than the next."""
    ranked: dict[int, list[int]] = {3: [], 2: [], 1: [], 0: []}
    for pid in pids():
        try:
            ranked[_rank(command(pid))].append(pid)
        except (ProcessLookupError, Hidden):
            ranked[0].append(pid)
    yield from ranked.values()


def names_kafka(pid: int) -> bool:
    """Whether Kafka's main class is in its command line, or its native image runs. Hidden where it may not be
    seen."""
    try:
        return _is_kafka(command(pid))
    except ProcessLookupError:
        return False


def is_jvm(pid: int) -> bool:
    """Whether it is a JVM, of whatever main class. Hidden where it may not be seen."""
    try:
        return _program(command(pid)) == _JAVA
    except ProcessLookupError:
        return False


def unnamed(pid: int) -> list[bytes]:
    """The command line of what runs no Kafka by its words, as a distribution's own main class; else none."""
    try:
        words = command(pid)
    except (ProcessLookupError, Hidden):
        return []
    return [] if _is_kafka(words) else words


def started_by(words: Sequence[bytes]) -> list[int]:
    """Who has this command line, in this network."""
    return [pid for pid in pids() if unnamed(pid) == words and shares_network(pid)]


def arguments(pid: int) -> list[bytes]:
    """What it was started with as a broker: the file of its properties, and what stands behind that.
    ProcessLookupError where it is no broker, or gone, Hidden where it may not be seen."""
    words = command(pid)
    if not _is_kafka(words):
        raise ProcessLookupError(f"process {pid} is no broker")
    if not _is_image(words):
        return words[words.index(MAIN_CLASS, 1) + 1 :]
    at = next((number for number, word in enumerate(words) if word in _CONFIG), 0)
    return words[at + 1 :]


def _rank(words: Sequence[bytes]) -> int:
    """See likeliest; 0: it is no broker."""
    return 3 if _is_image(words) else 2 * _is_kafka(words) + (_program(words) == _JAVA)


def _is_kafka(words: Sequence[bytes]) -> bool:
    return _is_image(words) or MAIN_CLASS in words[1:]


def _is_image(words: Sequence[bytes]) -> bool:
    """Its program has the name of Kafka's main class."""
    return _program(words) == MAIN_CLASS and words[1:2] != [_SETUP]


def _program(words: Sequence[bytes]) -> bytes:
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
        with suppress(FileNotFoundError):  # one below it ended meanwhile
            for file in (root / group.strip("/")).rglob("cgroup.procs"):
                yield from _members(file)


def _members(file: Path) -> list[int]:
    """None of a group that ended meanwhile, or is of threads."""
    try:
        return [int(word) for word in file.read_text().split()]
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
            raise
        return []


def pids() -> Iterator[int]:
    """All that are shown."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
