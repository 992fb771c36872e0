"""Which processes of this host run Kafka, as far as /proc shows them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

PROC = Path("/proc")
MAIN_CLASS = b"kafka.Kafka"
_JAVA = b"java"
_SETUP = b"setup"  # by which the native image formats the storage, before another one of it is the broker
_CONFIG = (b"--config", b"-C")  # behind which the native image has its properties
_SURE = 3  # of what is a broker by its words and its program
_MOST_OF_A_NAME = 15  # bytes, as the kernel has it


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
    found = next((ranked[rank] for rank in (_SURE, 2, 1) if rank in ranked), [])
    if not found and hidden is not None:
        raise hidden
    return found


def likely_first() -> Iterator[list[int]]:
    """All that are shown, in groups: each may sooner be a broker, as `likeliest` says it, than the next; but
    first what is named as a JVM. A command line is in the process' memory, whose lock may be held for ever
    where its disk hangs: none is read before its group is asked for. The kernel itself has the names."""
    names = (_JAVA, MAIN_CLASS[:_MOST_OF_A_NAME])
    named: dict[bool, list[int]] = {True: [], False: []}
    for pid in pids():
        named[_name(pid) in names].append(pid)
    for alike in named.values():
        yield from _by_rank(alike)


def _by_rank(some: Iterable[int]) -> Iterable[list[int]]:
    ranked: dict[int, list[int]] = {_SURE: [], 2: [], 1: [], 0: []}
    for pid in some:
        try:
            ranked[_rank(command(pid))].append(pid)
        except (ProcessLookupError, Hidden):
            ranked[0].append(pid)
    return ranked.values()


def _name(pid: int) -> bytes:
    """As the kernel shows it to everybody; nothing where it ended."""
    try:
        return (PROC / str(pid) / "comm").read_bytes().rstrip(b"\n")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


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


def is_likeliest(pid: int) -> bool:
    """Whether no process can be a likelier broker by its words, see `likeliest`."""
    try:
        return _rank(command(pid)) == _SURE
    except (ProcessLookupError, Hidden):
        return False


def is_thread(pid: int) -> bool:
    """Whether the number is that of a thread beside the first: /proc answers for it, too, and shows it in no
    list. Not where it is gone or may not be seen."""
    try:
        lines = (PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return f"Tgid:\t{pid}" not in lines


def unnamed(pid: int) -> list[bytes]:
    """The command line of what runs no Kafka by its words, as a distribution's own main class; else
    none, and none of what has no words, as one that has just ended."""
    try:
        words = command(pid)
    except (ProcessLookupError, Hidden):
        return []
    return [] if _is_kafka(words) or not any(words) else words


def arguments(pid: int) -> list[bytes]:
    """What it was started with as a broker: the file of its properties, and what stands behind that.
    ProcessLookupError where it is no broker, or gone, Hidden where it may not be seen."""
    words = command(pid)
    if not _is_kafka(words):
        raise ProcessLookupError(f"process {pid} is no broker")
    if not _is_image(words):
        return _behind_class(words)
    at = next((number for number, word in enumerate(words) if word in _CONFIG), 0)
    return words[at + 1 :]


def _rank(words: Sequence[bytes]) -> int:
    """See likeliest; 0: it is no broker."""
    return _SURE if _is_image(words) else 2 * _is_kafka(words) + (_program(words) == _JAVA)


def _is_kafka(words: Sequence[bytes]) -> bool:
    return _is_image(words) or bool(_behind_class(words))


def _behind_class(words: Sequence[bytes]) -> list[bytes]:
    """What stands behind Kafka's main class. None where that is no file: without its properties Kafka ends
    at once, and it is somebody who looks for the class, as grep."""
    behind = list(words[words.index(MAIN_CLASS, 1) + 1 :]) if MAIN_CLASS in words[1:] else []
    return behind if any(behind[:1]) and not behind[0].startswith(b"-") else []


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


def pids() -> Iterator[int]:
    """All that are shown."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
