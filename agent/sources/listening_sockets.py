"""Who listens on a port of this host, and at which address, as /proc/net shows it."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec import Struct

from agent.sources.kafka_processes import PROC

EVERYWHERE = ("", "0.0.0.0", "[::]")  # noqa: S104 how a listener says it, and not where anything listens
_LISTENING = "0A"
_WORD = 8  # hex digits


class Listening(Struct, frozen=True):
    """A socket: its inode as descriptors name it, its owner's user id, the address that it is bound to."""

    inode: str
    owner: int
    address: IPv4Address | IPv6Address


def listening(port: int) -> Iterator[Listening]:
    """Each socket that listens on the port, by IPv4 and IPv6."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / name).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            address, _, number = fields[1].rpartition(":")
            if fields[3] == _LISTENING and int(number, 16) == port:
                yield Listening(f"socket:[{fields[9]}]", int(fields[7]), _address(address))


def at_host(sockets: Sequence[Listening], host: str) -> list[Listening]:
    """Those that listen there, or on all addresses; none where it is a name that leads nowhere now. `host` is
    a name or address, as Kafka's listeners have it. Blocks while a name is looked up."""
    own = set[IPv4Address | IPv6Address]()
    if not all(each.address.is_unspecified for each in sockets):
        own = _addresses(host)
    return [each for each in sockets if each.address in own or each.address.is_unspecified]


def is_here(host: str) -> bool:
    """Whether the name or address leads to one of this host's own; not where it leads nowhere now, or to a
    balancer. Blocks while a name is looked up."""
    return any(map(_is_bindable, _addresses(host)))


def is_address(host: str) -> bool:
    """Or else a name, as Kafka's listeners have it."""
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _addresses(host: str) -> set[IPv4Address | IPv6Address]:
    """None where it is a name that leads nowhere now."""
    with suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(host.strip("[]").partition("%")[0], None)
        return {_plain(ip_address(each[4][0])) for each in found}
    return set()


def _is_bindable(address: IPv4Address | IPv6Address) -> bool:
    """All are by ip_nonlocal_bind, so that one is rather taken for ours."""
    try:
        with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6) as free:
            free.bind((str(address), 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _address(text: str) -> IPv4Address | IPv6Address:
    """As /proc/net writes it: words in the byte order of the host."""
    words = (int(text[at : at + _WORD], 16) for at in range(0, len(text), _WORD))
    return _plain(ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words)))


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Java binds to IPv4's by sockets of IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
