"""Free TCP ports on the loopback address."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from agent.lab.errors import LabError

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 20_000
_ATTEMPTS = 2_000


def free_ports(count: int) -> list[int]:
    """Distinct ports that nobody listens on now.

    Another may take one before we do: whoever starts a server on it must look and try again. They lie below
    the range from which the kernel takes the ports of outgoing connections, which would make that common.
    """
    ceiling = _first_ephemeral()
    found: set[int] = set()
    for _ in range(_ATTEMPTS):
        port = random.randrange(_LOWEST, ceiling)  # noqa: S311 - two labs must differ, not be unguessable
        if port not in found and _is_free(port):
            found.add(port)
        if len(found) == count:
            return list(found)
    raise LabError(
        f"no {count} free ports between {_LOWEST} and {ceiling} on 127.0.0.1", "ss -ltnp shows who has them"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java's servers do: TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _first_ephemeral() -> int:
    try:
        first = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
    return first if first > _LOWEST + 1_000 else 60_999
