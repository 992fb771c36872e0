"""Where a broker listens, or will, by its own properties and its command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG

from agent.server_properties import ServerProperties, parse
from agent.sources import kafka_processes
from agent.sources.kafka_processes import PROC
from agent.sources.listening_sockets import EVERYWHERE

_LISTENERS = ("PLAINTEXT://:9092",)  # Kafka's default
_MOST_BYTES = 1 << 20  # of a properties file
_MOST_DIGITS = 5  # of a port; int() takes no more than some thousands
_OF_EACH = ("/dev/stdin", "/dev/fd/", "/proc/")  # where each process finds what is its own
_APART = "\n\n"  # a file may end in a backslash, which takes in the next line


def says_so(pid: int, port: int, hosts: Sequence[str]) -> bool | None:
    """Whether its properties say that it is the one. None where they cannot be read, or say so and are
    overridden. `hosts`: see BrokerAt."""
    try:
        if will_listen(pid, port, hosts):
            return True
        return None if will_listen(pid, port, hosts, overridden=False) else False
    except OSError:
        return None


def will_listen(pid: int, port: int, hosts: Sequence[str], *, overridden: bool = True) -> bool:
    """Whether it is a broker, and on this port, by its properties and the `--override`s of its command line.
    OSError where these cannot be read, or leave the port to a ConfigProvider."""
    file, said = _said(pid, overridden=overridden)
    if said.roles == ("controller",):
        return False
    listeners = said.listeners or _LISTENERS
    named = any(_is_named(each, port, hosts) for each in listeners)
    if not named and any("$" in each for each in listeners):
        raise OSError(f"{file} names no port: {', '.join(listeners)}")
    return named


def named_ports(pid: int) -> set[int]:
    """Those that the properties and `--override`s of a broker or controller name. OSError where they cannot
    be read."""
    _, said = _said(pid, overridden=True)
    named = (each.rpartition(":")[2] for each in said.listeners or _LISTENERS)
    return {int(number) for number in named if number.isdecimal() and len(number) <= _MOST_DIGITS}


def _said(pid: int, *, overridden: bool) -> tuple[str, ServerProperties]:
    """Its file, and what that says."""
    file, *overrides = (*map(os.fsdecode, kafka_processes.arguments(pid)), "")
    text = _read_as_by(PROC / str(pid), file).decode("latin-1")
    last = [each.removeprefix("--override=") for each in overrides if overridden]
    return file, parse(_APART.join((text, *last)))


def _read_as_by(folder: Path, file: str) -> bytes:
    """Its beginning, as the process finds it: one in a container has a root of its own."""
    if file.startswith(_OF_EACH):
        raise OSError(f"{file} is another file for each process")
    from_root = Path(file).is_absolute()
    try:
        return _beginning(folder / ("root" if from_root else "cwd") / file.lstrip("/"))
    except PermissionError:  # another user's root is hidden; most often it is ours
        if not from_root or _is_contained(folder):
            raise
        return _beginning(Path(file))


def _is_contained(folder: Path) -> bool:
    """Whether the process has pids of its own, as in a container, so that its root is its own as well.
    Everybody may read it."""
    lines = (folder / "status").read_text(errors="replace").splitlines()
    return any(line.startswith("NSpid:") and len(line.split()) > 2 for line in lines)


def _beginning(file: Path) -> bytes:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not blocked by a named pipe
    try:
        if not S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{file} is no regular file")
        return os.read(handle, _MOST_BYTES)
    finally:
        os.close(handle)


def _is_named(listener: str, port: int, hosts: Sequence[str]) -> bool:
    """Whether it is the one: `hosts` are from the broker's own properties, so that they are written alike."""
    at, _, number = listener.rpartition("://")[2].rpartition(":")
    return number == str(port) and (not hosts or at in (*hosts, *EVERYWHERE))
