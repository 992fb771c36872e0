"""Which process listens on the broker's port, or will."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from pathlib import Path

from agent.server_properties import parse
from agent.sources import kafka_processes
from agent.sources.kafka_processes import PROC, Hidden

_LISTENING = "0A"
_LISTENERS = ("PLAINTEXT://:9092",)  # Kafka's default
_MOST_BYTES = 1 << 20  # of a properties file
_NAME_IT = "name host.process.unit or pid_file"


def of_port(port: int) -> int | None:
    """Whose socket it is; where descriptors may not be read, the one broker that its owner runs. Where nobody
    listens, the one that will: Kafka binds its listeners only when its logs are recovered."""
    sockets = dict(listening(port))
    if not sockets:
        return _not_yet_listening(port)
    holders, forbidden = _holders(sockets)
    if not holders:
        return _by_owner(port, set(sockets.values()), forbidden)
    found = kafka_processes.likeliest(holders)
    if len(found) != 1:  # a proxy of a container's, say
        held = ", ".join(map(str, holders))
        raise OSError(
            f"port {port} is held by process {held}, of which {len(found)} may be the broker: {_NAME_IT}"
        )
    return found[0]


def _holders(sockets: Container[str]) -> tuple[list[int], int]:
    """Which processes have one of the sockets, and of how many that cannot be seen."""
    found, forbidden = [], 0
    for pid in kafka_processes.pids():
        try:
            with os.scandir(PROC / str(pid) / "fd") as descriptors:
                if any(_socket(each) in sockets for each in descriptors):
                    found.append(pid)
        except PermissionError:
            forbidden += 1
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found, forbidden


def listening(port: int) -> Iterator[tuple[str, int]]:
    """Inode and user id of each socket that listens on the port, by IPv4 and IPv6."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / name).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]", int(fields[7])


def _not_yet_listening(port: int) -> int | None:
    try:
        found = [pid for pid, _ in kafka_processes.brokers() if _will_listen(PROC / str(pid), port)]
    except OSError as error:
        raise OSError(
            f"nobody listens on port {port}, and whether a Kafka process will cannot be seen: {error};"
            f" {_NAME_IT}"
        ) from None
    if len(found) > 1:
        raise OSError(
            f"nobody listens on port {port}, and which of {len(found)} Kafka processes will cannot be seen:"
            f" {_NAME_IT}"
        )
    if not found and kafka_processes.hides():
        raise Hidden(f"nobody listens on port {port}, and whether a Kafka process will cannot be seen")
    return found[0] if found else None


def _by_owner(port: int, owners: set[int], forbidden: int) -> int:
    """Command lines and owners are for everybody to see, descriptors are not."""
    found = [pid for pid, owner in kafka_processes.brokers() if owner in owners]
    if len(found) == 1:
        return found[0]
    shown = ", as far as /proc (hidepid, ProtectProc=) shows any" if kafka_processes.hides() else ""
    raise PermissionError(
        f"who listens on port {port} cannot be seen: the descriptors of {forbidden} processes are another"
        f" user's, and that user runs {len(found)} brokers{shown}; run the agent as the broker's user, or"
        f" {_NAME_IT}"
    )


def _will_listen(folder: Path, port: int) -> bool:
    """Whether it is a broker, and on this port, by its properties and the `--override`s of its command line.
    OSError where these cannot be read, or leave the port to a ConfigProvider."""
    main = b"\0" + kafka_processes.MAIN_CLASS + b"\0"
    _, _, arguments = (folder / "cmdline").read_bytes().partition(main)
    file, *overrides = os.fsdecode(arguments).split("\0")
    with (folder / "cwd" / file).open("rb") as properties:
        text = properties.read(_MOST_BYTES).decode("latin-1")
    said = parse("\n".join((text, *(each.removeprefix("--override=") for each in overrides))))
    if said.roles == ("controller",):
        return False
    listeners = said.listeners or _LISTENERS
    named = any(each.endswith(f":{port}") for each in listeners)
    if not named and any("$" in each for each in listeners):
        raise OSError(f"{file} names no port: {', '.join(listeners)}")
    return named


def _socket(descriptor: os.DirEntry[str]) -> str:
    try:
        return os.readlink(descriptor.path)  # noqa: PTH115 one call of thousands
    except FileNotFoundError:
        return ""
