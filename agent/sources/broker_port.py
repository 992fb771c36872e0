"""Which process listens on the broker's port, or will."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from agent.sources import kafka_processes
from agent.sources.broker_listeners import named_ports, says_so, will_listen
from agent.sources.kafka_processes import PROC, Hidden
from agent.sources.listening_sockets import Listening, at_host, is_address, is_here, listening

_NAME_IT = "name host.process.unit or pid_file"


class Found(Struct, frozen=True):
    """A process, None: none runs. `is_guess`: it is taken for the broker only since it is alone."""

    pid: int | None
    is_guess: bool = False


class _Held(Struct, frozen=True):
    """Sockets, which processes have which of them (inodes by pid), and how many cannot be looked at."""

    sockets: Sequence[Listening]
    holders: Mapping[int, set[str]]
    forbidden: int

    @property
    def unseen(self) -> list[Listening]:
        """Those that nobody is seen to have."""
        seen = set[str]().union(*self.holders.values())
        return [each for each in self.sockets if each.inode not in seen]

    def only(self, sockets: Sequence[Listening]) -> _Held:
        """What is known of some of them."""
        inodes = {each.inode for each in sockets}
        holders = {pid: own & inodes for pid, own in self.holders.items() if own & inodes}
        return _Held(sockets, holders, self.forbidden)


def of_port(port: int, hosts: Sequence[str] = ()) -> Found:
    """Whose socket it is; where descriptors may not be read, the one broker that its owner runs. Where nobody
    listens, the one that will: Kafka binds its listeners only when its logs are recovered. `hosts`: see
    BrokerAt; another broker may have the same port at another address."""
    sockets = list(listening(port))
    if not sockets:
        return Found(_not_yet_listening(port, hosts))
    held = _Held(sockets, *_holders({each.inode for each in sockets}))
    return _of_hosts(port, hosts, held) if hosts else Found(_of_sockets(port, hosts, held))


def _of_hosts(port: int, hosts: Sequence[str], held: _Held) -> Found:
    """What the holders' own properties say goes first: a name leads where it will, or nowhere, while the
    broker that was started by it lives. One that is alone and says nothing is it only where the name leads to
    no address of this host: at one, nobody listens."""
    says = {pid: says_so(pid, port, hosts) for pid in _holding(held)}
    ours = [pid for pid, it_is in says.items() if it_is]
    if len(ours) == 1:
        return Found(ours[0])
    if there := list(dict.fromkeys(each for host in hosts for each in at_host(held.sockets, host))):
        return Found(_of_sockets(port, hosts, held.only(there)))
    unsure = [pid for pid, it_is in says.items() if it_is is None]
    is_alone = len(says) == len(unsure) == 1 and not (held.holders and held.unseen)
    if is_alone and not any(is_address(host) or is_here(host) for host in hosts):
        return Found(unsure[0], is_guess=True)
    if ours or unsure or not (says or _is_dead(hosts, held)):
        shown = ", ".join(map(str, ours or unsure)) or "what is no broker"
        raise OSError(
            f"nobody listens on port {port} at {' or '.join(hosts)}, but {shown} at another address, and"
            f" whether that is the broker cannot be seen: {_NAME_IT}"
        )
    return Found(_not_yet_listening(port, hosts))


def _is_dead(hosts: Sequence[str], held: _Held) -> bool:
    """Where nobody listens there, and no broker is seen elsewhere: not where a name leads away or nowhere, or
    where somebody cannot be seen who may be it."""
    return all(is_address(host) or (not held.unseen and is_here(host)) for host in hosts)


def _of_sockets(port: int, hosts: Sequence[str], held: _Held) -> int:
    if not held.holders:
        return _by_owner(port, hosts, held)
    found = kafka_processes.likeliest(held.holders)
    if len(found) != 1 or held.unseen:  # a proxy of a container's, or brokers at several addresses
        shown = ", ".join(map(str, held.holders)) + (" and others that cannot be seen" if held.unseen else "")
        raise OSError(
            f"port {port} is held by process {shown}, of which {len(found)} may be the broker: {_NAME_IT}"
        )
    return found[0]


def _holding(held: _Held) -> list[int]:
    """Which brokers may hold any of the sockets: who is seen to, and whoever the others' owners run."""
    unseen = _owned_by({each.owner for each in held.unseen}) if held.unseen else []  # reads all command lines
    likely = kafka_processes.likeliest
    return list(dict.fromkeys((*likely(held.holders), *likely(unseen))))


def _holders(sockets: Collection[str]) -> tuple[dict[int, set[str]], int]:
    """Which processes have which of the sockets, and how many processes cannot be looked at. A look costs
    some microseconds a descriptor, so that nobody is looked at who is less likely a broker than who has
    them all."""
    found, forbidden = dict[int, set[str]](), 0
    for pids in kafka_processes.likely_first():
        for pid in pids:
            try:
                own = _own(pid, sockets)
            except PermissionError:
                forbidden += 1
                continue
            if own:
                found[pid] = own
        if set[str]().union(*found.values()) == sockets:
            break
    return found, forbidden


def _own(pid: int, sockets: Collection[str]) -> set[str]:
    """Those that this process has. PermissionError where it cannot be looked at."""
    own = set[str]()
    try:
        with os.scandir(PROC / str(pid) / "fd") as descriptors:
            for each in descriptors:
                if (inode := _socket(each)) in sockets:
                    own.add(inode)
                    if len(own) == len(sockets):
                        break
    except (FileNotFoundError, ProcessLookupError):
        return set()  # it ended meanwhile
    return own


def _not_yet_listening(port: int, hosts: Sequence[str]) -> int | None:
    """One in another network namespace, as a container's, is another one: its port is another port."""
    nobody = f"nobody listens on port {port}" + (f" at {' or '.join(hosts)}" if hosts else "")
    try:
        will = _due(port, hosts)
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


def _due(port: int, hosts: Sequence[str]) -> list[int]:
    """Which brokers will listen there. OSError where that of one cannot be seen. That of sudo, say, need
    not be: a likelier one was started with all that makes it look like a broker."""
    will, unread, alike = list[int](), dict[int, OSError](), dict[tuple[bytes, ...], list[int]]()
    for pid, _ in kafka_processes.brokers():
        try:
            alike.setdefault(tuple(kafka_processes.arguments(pid)), []).append(pid)
            if will_listen(pid, port, hosts):
                will.append(pid)
        except ProcessLookupError:
            continue  # it ended meanwhile
        except OSError as error:
            unread[pid] = error
    for pids in alike.values():
        for pid in () if unread.keys().isdisjoint(pids) else kafka_processes.likeliest(pids):
            if pid in unread:
                raise unread[pid]
    return will


def _owned_by(owners: Collection[int]) -> list[int]:
    """Command lines and owners are for everybody to see, descriptors are not. One in a network namespace of
    its own holds none of these sockets."""
    its = [pid for pid, owner in kafka_processes.brokers() if owner in owners]
    return list(filter(kafka_processes.shares_network, its))


def _by_owner(port: int, hosts: Sequence[str], held: _Held) -> int:
    """Whose properties say so, or else who is left of its owner's brokers: they may have another name for the
    address, and no other port."""
    owners = {each.owner for each in held.sockets}
    elsewhere, maybe = list[int](), list[int]()
    for pid in _owned_by(owners):
        (elsewhere if _is_elsewhere(pid, port, owners) else maybe).append(pid)
    likely = kafka_processes.likeliest
    found = likely(pid for pid in maybe if says_so(pid, port, hosts)) or likely(maybe)
    if len(found) == 1:
        return found[0]
    others = f" besides {len(likely(elsewhere))} of another port" if elsewhere else ""
    shown = ", as far as /proc (hidepid, ProtectProc=) shows any" if kafka_processes.hides() else ""
    raise PermissionError(
        f"who listens on port {port} cannot be seen: the descriptors of {held.forbidden} processes are"
        f" another user's, and that user runs {len(found)} brokers{others}{shown}; run the agent as the"
        f" broker's user, or {_NAME_IT}"
    )


def _is_elsewhere(pid: int, port: int, owners: Collection[int]) -> bool:
    """Whether it has another port: its properties name others only, and one of its owner listens there. They
    may be written for its next start."""
    if says_so(pid, port, ()) is not False:
        return False
    try:
        sockets = (each for named in named_ports(pid) for each in listening(named))
        return any(each.owner in owners for each in sockets)
    except OSError:
        return False


def _socket(descriptor: os.DirEntry[str]) -> str:
    """What is open there; nothing where it was closed meanwhile, or where the path of a file is too long."""
    try:
        return os.readlink(descriptor.path)  # noqa: PTH115 one call of thousands
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
            raise
        return ""
