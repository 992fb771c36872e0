"""Which process listens on the broker's port, or will."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from agent.server_properties import parse
from agent.sources import kafka_processes
from agent.sources.kafka_processes import PROC, Hidden
from agent.sources.listening_sockets import EVERYWHERE, Listening, at_host, is_address, is_here, listening

_LISTENERS = ("PLAINTEXT://:9092",)  # Kafka's default
_MOST_BYTES = 1 << 20  # of a properties file
_NAME_IT = "name host.process.unit or pid_file"


def of_port(port: int, hosts: Sequence[str] = ()) -> int | None:
    """Whose socket it is; where descriptors may not be read, the one broker that its owner runs. Where nobody
    listens, the one that will: Kafka binds its listeners only when its logs are recovered. `hosts`: see
    BrokerAt; another broker may have the same port at another address."""
    sockets = list(listening(port))
    if not sockets:
        return _not_yet_listening(port, hosts)
    return _of_hosts(port, hosts, sockets) if hosts else _of_sockets(port, sockets)


def _of_hosts(port: int, hosts: Sequence[str], sockets: Sequence[Listening]) -> int | None:
    """What the holders' own properties say goes first: a name leads where it will, or nowhere, while the
    broker that was started by it lives. One that is alone and says nothing is it only where the name leads to
    no address of this host: at one, nobody listens."""
    says = {pid: _is_ours(pid, port, hosts) for pid in _holding(sockets)}
    ours = [pid for pid, it_is in says.items() if it_is]
    if len(ours) == 1:
        return ours[0]
    if there := list(dict.fromkeys(each for host in hosts for each in at_host(sockets, host))):
        return _of_sockets(port, there)
    unsure = [pid for pid, it_is in says.items() if it_is is None]
    if len(says) == len(unsure) == 1 and not any(is_address(host) or is_here(host) for host in hosts):
        return unsure[0]
    if ours or unsure or not (says or all(map(is_address, hosts))):
        held = ", ".join(map(str, ours or unsure)) or "what is no broker"
        raise OSError(
            f"nobody listens on port {port} at {' or '.join(hosts)}, but {held} at another address, and"
            f" whether that is the broker cannot be seen: {_NAME_IT}"
        )
    return _not_yet_listening(port, hosts)


def _of_sockets(port: int, its: Sequence[Listening]) -> int:
    sockets = {each.inode: each.owner for each in its}
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


def _holding(sockets: Sequence[Listening]) -> list[int]:
    """Which of the brokers may hold any of them."""
    holders, _ = _holders([each.inode for each in sockets])
    return kafka_processes.likeliest(holders or _owned_by({each.owner for each in sockets}))


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


def _not_yet_listening(port: int, hosts: Sequence[str]) -> int | None:
    """One in another network namespace, as a container's, is another one: its port is another port."""
    nobody = f"nobody listens on port {port}" + (f" at {' or '.join(hosts)}" if hosts else "")
    try:
        will = [pid for pid, _ in kafka_processes.brokers() if _will_listen(PROC / str(pid), port, hosts)]
    except OSError as error:
        raise OSError(
            f"{nobody}, and whether a Kafka process will cannot be seen: {error}; {_NAME_IT}"
        ) from None
    near = [pid for pid in will if kafka_processes.shares_network(pid)]
    found = kafka_processes.likeliest(near)
    if len(found) > 1:
        raise OSError(f"{nobody}, and which of {len(found)} Kafka processes will cannot be seen: {_NAME_IT}")
    if will and not near:
        raise OSError(f"{nobody}, but maybe process {will[0]} in a network namespace of its own: {_NAME_IT}")
    if not found and kafka_processes.hides():
        raise Hidden(f"{nobody}, and whether a Kafka process will cannot be seen")
    return found[0] if found else None


def _owned_by(owners: Collection[int]) -> list[int]:
    """Command lines and owners are for everybody to see, descriptors are not. One in a network namespace of
    its own holds none of these sockets."""
    its = [pid for pid, owner in kafka_processes.brokers() if owner in owners]
    return kafka_processes.likeliest(filter(kafka_processes.shares_network, its))


def _by_owner(port: int, owners: Collection[int], forbidden: int) -> int:
    found = _owned_by(owners)
    if len(found) == 1:
        return found[0]
    shown = ", as far as /proc (hidepid, ProtectProc=) shows any" if kafka_processes.hides() else ""
    raise PermissionError(
        f"who listens on port {port} cannot be seen: the descriptors of {forbidden} processes are another"
        f" user's, and that user runs {len(found)} brokers{shown}; run the agent as the broker's user, or"
        f" {_NAME_IT}"
    )


def _is_ours(pid: int, port: int, hosts: Sequence[str]) -> bool | None:
    """Whether its properties say so. None where they cannot be read, or say so and are overridden."""
    folder = PROC / str(pid)
    try:
        if _will_listen(folder, port, hosts):
            return True
        return None if _will_listen(folder, port, hosts, overridden=False) else False
    except OSError:
        return None


def _will_listen(folder: Path, port: int, hosts: Sequence[str], *, overridden: bool = True) -> bool:
    """Whether it is a broker, and on this port, by its properties and the `--override`s of its command line.
    OSError where these cannot be read, or leave the port to a ConfigProvider."""
    main = b"\0" + kafka_processes.MAIN_CLASS + b"\0"
    _, _, arguments = (folder / "cmdline").read_bytes().partition(main)
    file, *overrides = os.fsdecode(arguments).split("\0")
    text = _read_as_by(folder, file).decode("latin-1")
    last = [each.removeprefix("--override=") for each in overrides if overridden]
    said = parse("\n".join((text, *last)))
    if said.roles == ("controller",):
        return False
    listeners = said.listeners or _LISTENERS
    named = any(_is_named(each, port, hosts) for each in listeners)
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


def _is_named(listener: str, port: int, hosts: Sequence[str]) -> bool:
    """Whether it is the one: `hosts` are from the broker's own properties, so that they are written alike."""
    at, _, number = listener.rpartition("://")[2].rpartition(":")
    return number == str(port) and (not hosts or at in (*hosts, *EVERYWHERE))


def _socket(descriptor: os.DirEntry[str]) -> str:
    try:
        return os.readlink(descriptor.path)  # noqa: PTH115 one call of thousands
    except FileNotFoundError:
        return ""
