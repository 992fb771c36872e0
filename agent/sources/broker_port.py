"""Which process listens on the broker's port, or will."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from agent.server_properties import parse
from agent.sources import kafka_processes
from agent.sources.kafka_processes import PROC, Hidden
from agent.sources.listening_sockets import EVERYWHERE, at_host, listening

_LISTENERS = ("PLAINTEXT://:9092",)  # Kafka's default
_MOST_BYTES = 1 << 20  # of a properties file
_NAME_IT = "name host.process.unit or pid_file"


def of_port(port: int, host: str | None = None) -> int | None:
    """Whose socket it is; where descriptors may not be read, the one broker that its owner runs. Where nobody
    listens, the one that will: Kafka binds its listeners only when its logs are recovered. `host`: see
    BrokerAt; another broker may have the same port at another address."""
    sockets = {each.inode: each.owner for each in at_host(list(listening(port)), host)}
    if not sockets:
        return _not_yet_listening(port, host)
    holders, forbidden = _holders(sockets)
    if not holders:
        return _by_owner(port, set(sockets.values()), forbidden)
    found = kafka_processes.likeliest(holders)
    unseen = sockets.keys() - set[str]().union(*holders.values())
    if len(found) != 1 or unseen:  # a proxy of a container's, or brokers at several addresses
        held = ", ".join(map(str, holders)) + (" and others that cannot be seen" if unseen else "")
        raise OSError(
            f"port {port} is held by process {held}, of which {len(found)} may be the broker: {_NAME_IT}"
        )
    return found[0]


def _holders(sockets: Collection[str]) -> tuple[dict[int, set[str]], int]:
    """Which processes have which of the sockets, and how many processes cannot be looked at."""
    found, forbidden = {}, 0
    for pid in kafka_processes.pids():
        try:
            with os.scandir(PROC / str(pid) / "fd") as descriptors:
                if own := {inode for each in descriptors if (inode := _socket(each)) in sockets}:
                    found[pid] = own
        except PermissionError:
            forbidden += 1
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found, forbidden


def _not_yet_listening(port: int, host: str | None) -> int | None:
    try:
        found = [pid for pid, _ in kafka_processes.brokers() if _will_listen(PROC / str(pid), port, host)]
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


def _will_listen(folder: Path, port: int, host: str | None) -> bool:
    """Whether it is a broker, and on this port, by its properties and the `--override`s of its command line.
    OSError where these cannot be read, or leave the port to a ConfigProvider."""
    main = b"\0" + kafka_processes.MAIN_CLASS + b"\0"
    _, _, arguments = (folder / "cmdline").read_bytes().partition(main)
    file, *overrides = os.fsdecode(arguments).split("\0")
    text = _read_as_by(folder, file).decode("latin-1")
    said = parse("\n".join((text, *(each.removeprefix("--override=") for each in overrides))))
    if said.roles == ("controller",):
        return False
    listeners = said.listeners or _LISTENERS
    named = any(_is_named(each, port, host) for each in listeners)
    if not named and any("$" in each for each in listeners):
        raise OSError(f"{file} names no port: {', '.join(listeners)}")
    return named


def _read_as_by(folder: Path, file: str) -> bytes:
    """Its beginning, as the process finds it: one in a container has a root of its own."""
    from_root = Path(file).is_absolute()
    try:
        return _beginning(folder / ("root" if from_root else "cwd") / file.lstrip("/"))
    except PermissionError:  # another user's root is hidden; most often it is ours
        if not from_root:
            raise
        return _beginning(Path(file))


def _beginning(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_MOST_BYTES)


def _is_named(listener: str, port: int, host: str | None) -> bool:
    """Whether it is the one: `host` is from the broker's own properties, so that it is written alike."""
    at, _, number = listener.rpartition("://")[2].rpartition(":")
    return number == str(port) and (host is None or at in (host, *EVERYWHERE))


def _socket(descriptor: os.DirEntry[str]) -> str:
    try:
        return os.readlink(descriptor.path)  # noqa: PTH115 one call of thousands
    except FileNotFoundError:
        return ""
