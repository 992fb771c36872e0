"""Ports: free, distinct, and out of the kernel's own range."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from agent.lab import ports
from agent.lab.errors import LabError


def test_ports_are_distinct_and_below_those_of_outgoing_connections() -> None:
    """From that range the kernel would give them away between our look and the broker's start."""
    found = ports.free_ports(20)
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(found)) == 20
    assert all(port < first for port in found) or first <= 21_000


def test_a_port_that_is_listened_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """With only that one to choose from, there is none; the message says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_LOWEST", port)
        monkeypatch.setattr(ports, "_first_ephemeral", lambda: port + 1)
        with pytest.raises(LabError, match="no 1 free ports"):
            ports.free_ports(1)
